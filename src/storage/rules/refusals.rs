//! The refusals of storage, each with its problem and its message.
//!
//! The constructors of [`Error`] make the refusals for what is not found.

use chrono::{DateTime, Utc};

use crate::error::{Error, Problem, Result, quote};
use crate::model::{BackfillId, PipelineId, RunId, RunStatus};

pub(in crate::storage) fn stale_epoch(run: RunId) -> Error {
    let message = format!("run {run} now belongs to another claim");
    Error::new(Problem::StaleEpoch, message)
}

pub(in crate::storage) fn run_finished(run: RunId) -> Error {
    let message = format!("run {run} has finished and can no longer change");
    Error::new(Problem::RunFinished, message)
}

pub(in crate::storage) fn backfill_finished(backfill: BackfillId) -> Error {
    let message = format!("backfill {backfill} has already finished and has no run to cancel");
    Error::new(Problem::RunFinished, message)
}

pub(in crate::storage) fn no_run_waits(backfill: BackfillId) -> Error {
    let message =
        format!("no run of backfill {backfill} waits: the backfill has finished or was cancelled");
    Error::new(Problem::RunFinished, message)
}

pub(in crate::storage) fn cancel_requested(run: RunId) -> Error {
    let message = format!("run {run} has a cancel request and can only become cancelled");
    Error::new(Problem::CancelRequested, message)
}

pub(in crate::storage) fn illegal_transition(run: RunId, what: impl std::fmt::Display) -> Error {
    let message = format!("run {run} cannot take this entry: {what}");
    Error::new(Problem::IllegalTransition, message)
}

pub(in crate::storage) fn position_gap(run: RunId, expected: u64, given: u64) -> Error {
    Error::internal(format!(
        "the journal of run {run} has {expected} entries, but an append begins at {given}"
    ))
}

/// Creates the error for a body other than that of the first request with its idempotency key.
pub(in crate::storage) fn key_reused() -> Error {
    let detail =
        "this Idempotency-Key was used with another body, or for another backfill of the pipeline";
    Error::new(Problem::IdempotencyKeyReused, detail)
}

/// Refuses a resume. `blocker` is the run that blocks it: the resumed one, or another of its chain.
pub(crate) fn not_resumable(run: RunId, blocker: RunId, status: RunStatus) -> Error {
    let message = if run == blocker {
        format!(
            "only a failed run can be resumed, run {run} is {}",
            status.as_str()
        )
    } else {
        format!(
            "run {run} cannot be resumed: run {blocker} of its chain is {}",
            status.as_str()
        )
    };
    Error::new(Problem::RunNotResumable, message)
}

/// Returns whether a run with this status blocks every resume of its chain.
pub(crate) const fn blocks_resume(status: RunStatus) -> bool {
    match status {
        RunStatus::Pending | RunStatus::Running | RunStatus::Success => true,
        RunStatus::Failed | RunStatus::Cancelled => false,
    }
}

pub(in crate::storage) fn tick_taken(pipeline: &PipelineId, fire_at: DateTime<Utc>) -> Error {
    Error::new(
        Problem::TickTaken,
        format!("pipeline {pipeline} already has a run for {fire_at}"),
    )
}

pub(in crate::storage) fn key_taken(key: &str, unfinished: RunId) -> Error {
    Error::new(
        Problem::ConcurrencyKeyTaken,
        format!(
            "as many runs with the concurrency key {} are unfinished as may be, run {unfinished} among them",
            quote(key)
        ),
    )
}

pub(in crate::storage) fn upstream_run_taken(pipeline: &PipelineId, upstream: RunId) -> Error {
    Error::internal(format!(
        "pipeline {pipeline} already has a run that run {upstream} has started"
    ))
}

pub(in crate::storage) fn queue_full(queued_max: u64) -> Error {
    Error::new(
        Problem::QueueFull,
        format!("the queue is full: at most {queued_max} runs may be pending, try again later"),
    )
}

pub(in crate::storage) fn already_exists(name: impl std::fmt::Display) -> Error {
    Error::new(
        Problem::AlreadyExists,
        format!("a pipeline already has the id or slug {name}"),
    )
}

pub(in crate::storage) fn precondition_failed(id: &PipelineId, version: u32) -> Error {
    Error::new(
        Problem::PreconditionFailed,
        format!("pipeline {id} is now at version {version}"),
    )
}

/// Checks the version that a request expects of a pipeline, if it expects one.
pub(in crate::storage) fn check_version(
    id: &PipelineId,
    expected: Option<u32>,
    version: u32,
) -> Result<()> {
    match expected {
        Some(expected) if expected != version => Err(precondition_failed(id, version)),
        Some(_) | None => Ok(()),
    }
}

pub(in crate::storage) fn pipeline_active(id: &PipelineId) -> Error {
    Error::new(
        Problem::PipelineActive,
        format!("pipeline {id} has runs that are pending or running"),
    )
}

pub(in crate::storage) fn bad_cursor(cursor: &str) -> Error {
    let detail = format!("must be a cursor of this list, not {}", quote(cursor));
    Error::invalid_parameter("after", detail)
}

pub(in crate::storage) fn shutting_down() -> Error {
    Error::new(Problem::ShuttingDown, "the store is closed")
}

/// Returns the error of a run that was started too often without progress.
pub(in crate::storage) fn poisoned_message(claim_count: u32) -> String {
    format!(
        "poisoned: started {claim_count} times, and each time the process died before a node finished"
    )
}
