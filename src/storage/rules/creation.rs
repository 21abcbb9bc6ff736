//! A creation of runs that a caller repeats because it does not know the outcome of the first.
//!
//! Idempotency keys of clients are left to the backends.

use crate::error::{Error, Result};
use crate::model::RunId;
use crate::storage::{CreateRuns, CreatedRuns};

/// Returns the result of a creation that an earlier call has already carried out, or `None` if it
/// is new.
///
/// `stored` has the runs of the creation that its pipeline has already. A backfill may have skipped
/// the others.
///
/// # Errors
/// `Internal` if some runs exist, but not as this creation would have stored them.
pub(in crate::storage) fn repeated_creation(
    create: &CreateRuns,
    stored: Vec<RunId>,
    has_backfill: bool,
    newest_seq: u64,
) -> Result<Option<CreatedRuns>> {
    let Some(first) = stored.first() else {
        return Ok(None);
    };
    let is_whole = match &create.backfill {
        Some(_) => has_backfill,
        None => stored.len() == create.runs.len(),
    };
    if !is_whole {
        return Err(run_exists(*first));
    }
    let mut created = CreatedRuns::new(stored, newest_seq);
    created.backfill = create.backfill.as_ref().map(|new| new.backfill.id);
    Ok(Some(created))
}

/// The refusal of a creation that uses the id of another run.
pub(in crate::storage) fn run_exists(run: RunId) -> Error {
    Error::internal(format!("run {run} already exists"))
}
