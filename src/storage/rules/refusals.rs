//! The refusals of storage, each with its kind, its slug and its sentence.
//!
//! What was not found is told by the constructors of [`Error`] itself.

use chrono::{DateTime, Utc};

use crate::error::{Error, Issue, Problem, quote};
use crate::model::{BackfillId, PipelineId, RunId, RunStatus};

pub(in crate::storage) fn stale_epoch(run: RunId) -> Error {
    let message = format!("run {run} belongs to another claim by now");
    Error::new(Problem::StaleEpoch, message)
}

pub(in crate::storage) fn run_finished(run: RunId) -> Error {
    let message = format!("run {run} has ended, nothing changes it any more");
    Error::new(Problem::RunFinished, message)
}

pub(in crate::storage) fn backfill_finished(backfill: BackfillId) -> Error {
    let message =
        format!("backfill {backfill} has ended by itself, nothing of it is left to cancel");
    Error::new(Problem::RunFinished, message)
}

pub(in crate::storage) fn cancel_requested(run: RunId) -> Error {
    let message = format!("run {run} was asked to cancel, it can only end cancelled");
    Error::new(Problem::CancelRequested, message)
}

pub(in crate::storage) fn illegal_transition(run: RunId, what: impl std::fmt::Display) -> Error {
    let message = format!("run {run} cannot take that entry: {what}");
    Error::new(Problem::IllegalTransition, message)
}

pub(in crate::storage) fn gap(run: RunId, expected: u64, given: u64) -> Error {
    Error::internal(format!(
        "the journal of run {run} has {expected} entries, an append begins at {given}"
    ))
}

pub(in crate::storage) fn key_reused() -> Error {
    let detail = "this Idempotency-Key was given with another body before";
    Error::new(Problem::IdempotencyKeyReused, detail)
}

/// `in_the_way` is the run that stands in the way: the resumed one itself, or another of its chain.
pub(crate) fn not_resumable(run: RunId, in_the_way: RunId, status: RunStatus) -> Error {
    let message = if run == in_the_way {
        format!(
            "only a failed run can be resumed, run {run} is {}",
            text(status)
        )
    } else {
        format!(
            "run {run} cannot be resumed: run {in_the_way} of its chain is {}",
            text(status)
        )
    };
    Error::new(Problem::RunNotResumable, message)
}

/// Whether no run of a chain may be resumed because of one of this status.
pub(crate) const fn stands_in_the_way(status: RunStatus) -> bool {
    match status {
        RunStatus::Pending | RunStatus::Running | RunStatus::Success => true,
        RunStatus::Failed | RunStatus::Cancelled => false,
    }
}

pub(in crate::storage) fn tick_taken(pipeline: &PipelineId, fire_at: DateTime<Utc>) -> Error {
    Error::new(
        Problem::TickTaken,
        format!("pipeline {pipeline} has a run for {fire_at} already"),
    )
}

pub(in crate::storage) fn queue_full(queued_max: u64) -> Error {
    Error::new(
        Problem::QueueFull,
        format!("no more than {queued_max} runs may wait, try again later"),
    )
}

pub(in crate::storage) fn already_exists(name: impl std::fmt::Display) -> Error {
    Error::new(
        Problem::AlreadyExists,
        format!("a pipeline has {name} as its id or its slug already"),
    )
}

pub(in crate::storage) fn precondition_failed(id: &PipelineId, version: u32) -> Error {
    Error::new(
        Problem::PreconditionFailed,
        format!("pipeline {id} is at version {version} by now"),
    )
}

pub(in crate::storage) fn pipeline_active(id: &PipelineId) -> Error {
    Error::new(
        Problem::PipelineActive,
        format!("pipeline {id} has runs that are pending or running"),
    )
}

pub(in crate::storage) fn bad_cursor(cursor: &str) -> Error {
    let detail = format!("after must be a cursor of this list, not {}", quote(cursor));
    Error::new(Problem::InvalidParameter, detail.clone())
        .with_issues(vec![Issue::parameter("after", detail)])
}

pub(in crate::storage) fn shutting_down() -> Error {
    Error::new(Problem::ShuttingDown, "the store is closed")
}

/// What a run ends with that was begun so often without progress.
pub(in crate::storage) fn poisoned(claim_count: u32) -> String {
    format!(
        "poisoned: begun {claim_count} times, and the process ended each time before a node had"
    )
}

const fn text(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending => "pending",
        RunStatus::Running => "running",
        RunStatus::Success => "success",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    }
}
