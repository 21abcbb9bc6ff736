//! Checkpoints: stores a node's output before its result is committed, and reads it back. A small
//! output needs no write of its own: its bytes are stored with the result.
//!
//! Referring to the stored output in the journal is left to `node` and `driver`.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::appender::is_claim_over;
use super::redaction;
use super::run_context::RunContext;
use super::stop_signal::StopSignal;
use crate::compute::{Compute, is_small};
use crate::error::{Error, Result, log};
use crate::limits::Limits;
use crate::model::{Dataset, NodeIndex, Preview, UnstoredOutput};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::secret::Mask;
use crate::storage::{OutputChunk, OutputRef};

/// The stored form of an output.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) preview: Preview,
    /// Why the output is not stored.
    pub(super) unstored: Option<UnstoredOutput>,
    /// `None` when the output is not stored.
    pub(super) output: Option<OutputRef>,
    /// The bytes of a small output, which has no chunks.
    pub(super) output_bytes: Option<Bytes>,
}

struct Encoded {
    preview: Preview,
    bytes_and_hash: Result<(Bytes, [u8; 32]), UnstoredOutput>,
}

/// Why an output has no checkpoint.
#[derive(Debug)]
pub(super) enum CheckpointError {
    /// The run's lease is lost.
    LeaseLost,
    /// The output cannot be encoded, or storage refuses it and would refuse it again.
    Refused(Error),
}

/// Stores the chunks of an output, or returns the bytes of a small one.
///
/// # Errors
/// Those of [`CheckpointError`].
pub(super) async fn write(
    context: &RunContext,
    node_index: NodeIndex,
    dataset: &Dataset,
) -> Result<Checkpoint, CheckpointError> {
    let limits = &context.shared.limits;
    let encoded = encode(
        &context.shared.compute,
        dataset,
        limits,
        &context.secrets.mask,
    )
    .await
    .map_err(CheckpointError::Refused)?;
    let (bytes, hash) = match encoded.bytes_and_hash {
        Ok(stored) => stored,
        Err(unstored) => {
            return Ok(Checkpoint {
                preview: encoded.preview,
                unstored: Some(unstored),
                output: None,
                output_bytes: None,
            });
        }
    };
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if bytes.len() <= limits.inline_output_bytes_max {
        return Ok(Checkpoint {
            preview: encoded.preview,
            unstored: None,
            output: Some(OutputRef::new(hash, length, 1)),
            output_bytes: Some(bytes),
        });
    }
    let chunk_count = put_chunks(context, node_index, bytes).await?;
    Ok(Checkpoint {
        preview: encoded.preview,
        unstored: None,
        output: Some(OutputRef::new(hash, length, chunk_count)),
        output_bytes: None,
    })
}

/// Writes an output in chunks. Returns their number.
async fn put_chunks(
    context: &RunContext,
    node_index: NodeIndex,
    bytes: Bytes,
) -> Result<u32, CheckpointError> {
    let chunk_bytes_max = context.shared.limits.chunk_bytes_max.max(1);
    let mut chunk_count = 0_u32;
    let mut rest = bytes;
    while !rest.is_empty() {
        let chunk = rest.split_to(rest.len().min(chunk_bytes_max));
        let chunk = OutputChunk::new(
            context.run.id,
            context.epoch,
            node_index,
            chunk_count,
            chunk,
        );
        put(context, chunk).await?;
        chunk_count = chunk_count.saturating_add(1);
    }
    Ok(chunk_count)
}

async fn encode(
    compute: &Compute,
    dataset: &Dataset,
    limits: &Limits,
    mask: &Mask,
) -> Result<Encoded> {
    let is_small = is_small([dataset]);
    let (dataset, limits, mask) = (dataset.clone(), limits.clone(), mask.clone());
    let work = move || {
        let preview = redaction::preview(&dataset, &mask, &limits)?;
        if redaction::contains_secret(&dataset, &mask) {
            return Ok(Encoded {
                preview,
                bytes_and_hash: Err(UnstoredOutput::Secret),
            });
        }
        let bytes = dataset.encode()?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let bytes_and_hash = if length <= limits.output_bytes_max {
            let hash = Sha256::digest(&bytes).into();
            Ok((Bytes::from(bytes), hash))
        } else {
            Err(UnstoredOutput::TooLarge)
        };
        Ok(Encoded {
            preview,
            bytes_and_hash,
        })
    };
    if is_small {
        return work();
    }
    run_blocking(compute, work).await
}

/// Runs a long computation on a blocking thread, once the engine has room for it.
///
/// # Errors
/// The error of `work`; `Internal` when it panicked.
pub(super) async fn run_blocking<T: Send + 'static>(
    compute: &Compute,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let joined = compute.run(work).await;
    joined
        .map_err(|error| Error::internal("a computation on a dataset failed").with_source(error))?
}

/// Writes a chunk, and repeats that while storage is unavailable.
async fn put(context: &RunContext, chunk: OutputChunk) -> Result<(), CheckpointError> {
    let shared = &context.shared;
    let put = || shared.storage.put_output_chunk(chunk.clone());
    let stop = context.lost_or_stopped();
    match retry_while_unavailable(&shared.clock, Backoff::STANDARD, stop, put).await {
        Ok(()) => Ok(()),
        Err(RetryError::Stopped(_)) => Err(CheckpointError::LeaseLost),
        Err(RetryError::Permanent(error)) if is_claim_over(&error) => {
            log::warn!(run_id = %context.run.id, %error, "an output could not be written; its run belongs to another claim, or to none");
            context.raise(StopSignal::LeaseLost);
            Err(CheckpointError::LeaseLost)
        }
        Err(RetryError::Permanent(error)) => Err(CheckpointError::Refused(error)),
    }
}

/// Reads a stored output. Returns `None` when it is missing, damaged or cannot be decoded.
///
/// # Errors
/// The errors of storage.
pub(super) async fn read(
    context: &Arc<RunContext>,
    node_index: NodeIndex,
) -> Result<Option<Dataset>> {
    let storage = &context.shared.storage;
    let Some(stored) = storage
        .find_output(context.run.id, node_index, &crate::model::Scope::All)
        .await?
    else {
        return Ok(None);
    };
    let decoded = run_blocking(&context.shared.compute, move || {
        let hash: [u8; 32] = Sha256::digest(&stored.bytes).into();
        Ok(if hash == stored.hash {
            Dataset::decode(&stored.bytes).ok()
        } else {
            None
        })
    });
    let decoded = decoded.await?;
    if let Some(dataset) = &decoded {
        context.shared.dataset_budget.hold(dataset);
    }
    Ok(decoded)
}
