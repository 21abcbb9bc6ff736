//! Kept outputs of nodes: written in chunks before the entry that names them, read whole.
//!
//! Encoding, hashes and what to do about a damaged output are left to the engine.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::model::{NodeIndex, RunId, Scope};

/// One chunk of a node's output.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OutputChunk {
    /// The run.
    pub run: RunId,
    /// The epoch of the claim.
    pub epoch: u64,
    /// The node.
    pub node_index: NodeIndex,
    /// Which chunk, from 0; a repeat replaces it, chunk 0 drops what an earlier attempt left.
    pub index: u32,
    /// Its bytes.
    pub bytes: Bytes,
}

impl OutputChunk {
    /// A chunk of a node's output under a claim.
    #[must_use]
    pub const fn new(
        run: RunId,
        epoch: u64,
        node_index: NodeIndex,
        index: u32,
        bytes: Bytes,
    ) -> Self {
        Self {
            run,
            epoch,
            node_index,
            index,
            bytes,
        }
    }
}

/// A kept output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredOutput {
    /// SHA-256 as it was given with the node's end. Comparing it with the bytes is the reader's.
    pub hash: [u8; 32],
    /// All bytes, chunk after chunk.
    pub bytes: Vec<u8>,
}

impl StoredOutput {
    /// An output of these bytes.
    #[must_use]
    pub const fn new(hash: [u8; 32], bytes: Vec<u8>) -> Self {
        Self { hash, bytes }
    }
}

/// Kept outputs.
#[async_trait]
pub trait Outputs: Send + Sync + 'static {
    /// Writes one chunk. It is not an output until a node's end names it, and is swept when none
    /// ever does. One that comes after its node's end MUST change nothing: what was kept of the
    /// node stays whole.
    ///
    /// # Errors
    /// `StaleEpoch`, `RunFinished`, `NotFound`; `StorageFull`.
    async fn put_output_chunk(&self, chunk: OutputChunk) -> Result<()>;

    /// The kept output of a node: the run's own once the node has an entry that reuses nothing,
    /// else the one it inherits, if that has the hash which [`InheritedOutput`](crate::InheritedOutput)
    /// names. None where it was not kept, was dropped, or a chunk is missing.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn find_output(
        &self,
        run: RunId,
        node_index: NodeIndex,
        scope: &Scope,
    ) -> Result<Option<StoredOutput>>;
}
