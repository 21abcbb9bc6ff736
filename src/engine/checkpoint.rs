//! Checkpoint: makes a node's output durable before anything builds on it.
//!
//! Naming it in the journal is left to the driver.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::context::Context;
use super::halt::Halt;
use super::hiding;
use super::journal::Lost;
use crate::error::{Error, Result, trace_causes};
use crate::limits::Limits;
use crate::model::{Dataset, NodeIndex, Preview};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::secret::Mask;
use crate::storage::{OutputChunk, OutputRef};

/// Cells and bytes up to which encoding is faster than handing it to another thread.
const INLINE_CELLS_MAX: u64 = 2_000;
const INLINE_BYTES_MAX: u64 = 256 * 1024;

/// What is kept of an output.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) preview: Preview,
    /// None when the output is too large to keep, or holds a secret.
    pub(super) output: Option<OutputRef>,
}

struct Encoded {
    preview: Preview,
    kept: Option<(Bytes, [u8; 32])>,
}

/// Writes an output's chunks.
///
/// # Errors
/// `Err(Lost)` inside when the claim is lost, an [`Error`] when the output cannot be encoded.
pub(super) async fn write(
    context: &Context,
    node_index: NodeIndex,
    dataset: &Dataset,
) -> Result<Result<Checkpoint, Lost>> {
    let limits = &context.shared.limits;
    let encoded = encode(dataset, limits, &context.vault.mask).await?;
    let Some((bytes, hash)) = encoded.kept else {
        return Ok(Ok(Checkpoint {
            preview: encoded.preview,
            output: None,
        }));
    };
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let mut chunk_count = 0_u32;
    let mut rest = bytes;
    while !rest.is_empty() {
        let chunk = rest.split_to(rest.len().min(limits.chunk_bytes_max.max(1)));
        let chunk = OutputChunk::new(
            context.run.id,
            context.epoch,
            node_index,
            chunk_count,
            chunk,
        );
        if put(context, chunk).await.is_err() {
            return Ok(Err(Lost));
        }
        chunk_count = chunk_count.saturating_add(1);
    }
    Ok(Ok(Checkpoint {
        preview: encoded.preview,
        output: Some(OutputRef::new(hash, length, chunk_count)),
    }))
}

async fn encode(dataset: &Dataset, limits: &Limits, mask: &Mask) -> Result<Encoded> {
    let cells = dataset
        .row_count()
        .saturating_mul(u64::try_from(dataset.columns().len()).unwrap_or(u64::MAX));
    let is_small = cells <= INLINE_CELLS_MAX && dataset.memory_bytes() <= INLINE_BYTES_MAX;
    let (dataset, limits, mask) = (dataset.clone(), limits.clone(), mask.clone());
    let work = move || {
        let preview = hiding::preview(&dataset, &mask, &limits)?;
        if hiding::holds_secret(&dataset, &mask) {
            return Ok(Encoded {
                preview,
                kept: None,
            });
        }
        let bytes = dataset.encode()?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let is_kept = length <= limits.output_bytes_max;
        let kept = is_kept.then(|| {
            let hash = Sha256::digest(&bytes).into();
            (Bytes::from(bytes), hash)
        });
        Ok(Encoded { preview, kept })
    };
    if is_small {
        return work();
    }
    blocking(work).await
}

/// Runs what computes long on a thread that may block.
///
/// # Errors
/// What the work answers; `Internal` when it panicked.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal("a computation on a dataset failed").with_source(error))?
}

/// Writes a chunk, and repeats that while storage is unavailable.
async fn put(context: &Context, chunk: OutputChunk) -> Result<(), Lost> {
    let shared = &context.shared;
    let put = || shared.storage.put_output_chunk(chunk.clone());
    let stop = context.lost_or_stopped();
    match retry_while_unavailable(&shared.clock, Backoff::STANDARD, stop, put).await {
        Ok(()) => Ok(()),
        Err(RetryError::Stopped(_)) => Err(Lost),
        Err(RetryError::Permanent(error)) => {
            tracing::warn!(run_id = %context.run.id, %error, "an output could not be written; its run belongs to another claim, or to none");
            trace_causes(&error);
            // Not released: it would be claimed and refused again and again.
            context.raise(Halt::Lost);
            Err(Lost)
        }
    }
}

/// Reads a kept output back; none when it is missing, damaged or cannot be decoded.
///
/// # Errors
/// What storage answers.
pub(super) async fn read(context: &Arc<Context>, node_index: NodeIndex) -> Result<Option<Dataset>> {
    let storage = &context.shared.storage;
    let Some(stored) = storage
        .find_output(context.run.id, node_index, &crate::model::Scope::All)
        .await?
    else {
        return Ok(None);
    };
    let decoded = blocking(move || {
        let hash: [u8; 32] = Sha256::digest(&stored.bytes).into();
        Ok(if hash == stored.hash {
            Dataset::decode(&stored.bytes).ok()
        } else {
            None
        })
    });
    decoded.await
}
