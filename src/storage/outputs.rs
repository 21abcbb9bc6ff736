//! Outputs of nodes: written in chunks before the entry that names them, read as a whole.
//!
//! A small output needs no chunk: its bytes are in the entry, as
//! [`FinishedNode::output_bytes`](super::FinishedNode::output_bytes).
//!
//! The engine encodes outputs, checks their hashes and handles damaged ones.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::model::{NodeIndex, RunId, Scope};

/// A chunk of a node's output.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OutputChunk {
    /// The run.
    pub run: RunId,
    /// The epoch of the claim.
    pub epoch: u64,
    /// The node.
    pub node_index: NodeIndex,
    /// The index of the chunk, from 0.
    pub index: u32,
    /// The bytes of the chunk.
    pub bytes: Bytes,
}

impl OutputChunk {
    /// Creates a chunk under a claim.
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

/// A stored output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredOutput {
    /// The SHA-256 hash that the node's outcome gave. The reader checks it against the bytes.
    pub hash: [u8; 32],
    /// All bytes, in the order of the chunks.
    pub bytes: Vec<u8>,
}

impl StoredOutput {
    /// Creates an output of these bytes.
    #[must_use]
    pub const fn new(hash: [u8; 32], bytes: Vec<u8>) -> Self {
        Self { hash, bytes }
    }
}

/// Stores and finds the outputs of nodes.
#[async_trait]
pub trait Outputs: Send + Sync + 'static {
    /// Writes one chunk of an output.
    ///
    /// - Chunks MUST NOT be readable as an output before the node's outcome names them. They MUST
    ///   be deleted if none ever does.
    /// - A chunk MUST replace an earlier one with the same index. Chunk 0 MUST also delete the
    ///   chunks of an earlier attempt.
    /// - A chunk that arrives after its node has finished MUST change nothing.
    ///
    /// # Errors
    /// - `StaleEpoch`: the claim is lost.
    /// - `RunFinished`: the run has finished.
    /// - `NotFound`: the run was purged.
    /// - `StorageFull`: there is no space.
    async fn put_output_chunk(&self, chunk: OutputChunk) -> Result<()>;

    /// Returns the output of a node, or `None` if it was not stored, was deleted or lacks a chunk.
    ///
    /// - Once the node has an entry that reuses nothing, it MUST be the run's own output.
    /// - Otherwise it MUST be the inherited output, and only if its hash is the one that
    ///   [`InheritedOutput`](crate::storage::InheritedOutput) names.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn find_output(
        &self,
        run: RunId,
        node_index: NodeIndex,
        scope: &Scope,
    ) -> Result<Option<StoredOutput>>;
}
