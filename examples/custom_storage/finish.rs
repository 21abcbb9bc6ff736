//! How runs finish and are cancelled, and what that changes in outputs and backfills.
//!
//! `journal` applies the other entries of a run.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use floret::storage::{CancelBackfill, CancelOutcome, CancelRequest, NodeIndex};
use floret::{
    BackfillId, BackfillStatus, Cancel, Error, EventKind, Problem, Result, Run, RunCancel, RunId,
    RunStatus,
};

use crate::dependencies::note_end;
use crate::rows::{BackfillRow, Rows};

/// The outcome of a run.
pub(crate) struct Outcome {
    pub(crate) status: RunStatus,
    pub(crate) error: Option<String>,
    pub(crate) at: DateTime<Utc>,
    /// The largest output, in bytes, that a successful run keeps of each of its last nodes.
    pub(crate) result_bytes_max: u64,
}

impl Outcome {
    pub(crate) fn cancelled(at: DateTime<Utc>) -> Self {
        Self {
            status: RunStatus::Cancelled,
            error: None,
            at,
            result_bytes_max: 0,
        }
    }
}

/// Finishes a run. If its backfill now has too many failures, cancels the remaining runs.
pub(crate) fn finish(rows: &mut Rows, id: RunId, outcome: Outcome) -> Result<()> {
    let row = rows.run_mut(id)?;
    if !row.run.status.may_become(outcome.status) {
        let message = format!(
            "run {id} is {:?} and cannot become {:?}",
            row.run.status, outcome.status
        );
        return Err(Error::new(Problem::IllegalTransition, message));
    }
    row.run.status = outcome.status;
    row.run.error = outcome.error;
    row.run.finished_at = Some(outcome.at);
    row.owner = None;
    // Only a run that was poisoned or broke off still has unfinished nodes.
    let nodes = row.nodes.values_mut().map(|row| &mut row.node);
    for node in nodes.filter(|node| !node.status.is_terminal()) {
        node.status = outcome.status.unstarted_node();
    }
    let run = row.run.clone();
    let kind = match outcome.status {
        RunStatus::Success => EventKind::RunCompleted,
        RunStatus::Failed => EventKind::RunFailed,
        _ => EventKind::RunCancelled,
    };
    let event = rows.record_event(&run, kind, outcome.at);
    event.status = Some(run.status.into());
    event.error = run.error.clone();
    let duration = run
        .started_at
        .map(|started_at| outcome.at.signed_duration_since(started_at));
    event.duration_ms =
        duration.and_then(|duration| u64::try_from(duration.num_milliseconds()).ok());
    note_end(rows, &run);
    drop_outputs(rows, &run, outcome.result_bytes_max)?;
    if run.status == RunStatus::Success && run.resumed_from.is_some() {
        count_recovery(rows, run.first_run);
    }
    match run.backfill_id {
        Some(backfill) => count_outcome(rows, backfill, &run, outcome.at),
        None => Ok(()),
    }
}

/// Drops the outputs that no resume can need once this run has finished.
fn drop_outputs(rows: &mut Rows, run: &Run, result_bytes_max: u64) -> Result<()> {
    rows.outputs
        .retain(|(owner, _), output| *owner != run.id || output.reference.is_some());
    match run.status {
        RunStatus::Success => {
            let results = results(rows, run, result_bytes_max)?;
            let (members, others): (Vec<_>, Vec<_>) = rows
                .runs
                .values()
                .partition(|row| row.run.first_run == run.first_run);
            let mut chain: BTreeSet<_> = run.inherited.iter().map(|node| node.from_run).collect();
            // A rerun inherits outputs of another chain, which stay.
            for row in &others {
                chain.remove(&row.run.id);
            }
            chain.extend(members.iter().map(|row| row.run.id));
            let held = others.iter().flat_map(|row| &row.run.inherited);
            let held: BTreeSet<_> = held
                .map(|output| (output.from_run, output.from_node_index))
                .collect();
            let keeps = |key: &(RunId, NodeIndex)| results.contains(key) || held.contains(key);
            rows.outputs
                .retain(|key, _| !chain.contains(&key.0) || keeps(key));
        }
        RunStatus::Cancelled if run.resumed_from.is_none() => {
            rows.outputs.retain(|(owner, _), _| *owner != run.id);
        }
        _ => {}
    }
    Ok(())
}

/// Returns the outputs that a successful run keeps: those of nodes that ask for it, and of its last
/// nodes if they are small enough.
fn results(rows: &Rows, run: &Run, bytes_max: u64) -> Result<BTreeSet<(RunId, NodeIndex)>> {
    let node_indexes = rows.node_indexes(run)?;
    let Some(row) = rows.runs.get(&run.id) else {
        return Ok(BTreeSet::new());
    };
    let is_small = |key: &(RunId, NodeIndex)| {
        let reference = rows.outputs.get(key).and_then(|output| output.reference);
        reference.is_some_and(|reference| reference.length <= bytes_max)
    };
    let kept = row.nodes.keys().filter_map(|node_index| {
        let source = rows.source(row, *node_index);
        let is_result = node_indexes.is_last(*node_index) && is_small(&source);
        (is_result || node_indexes.keeps_output(*node_index)).then_some(source)
    });
    Ok(kept.collect())
}

/// Counts the outcome of a run in its backfill.
///
/// The last run finishes the backfill. Too many failures cancel its remaining runs.
fn count_outcome(rows: &mut Rows, id: BackfillId, run: &Run, at: DateTime<Utc>) -> Result<()> {
    let missing = || Error::internal(format!("the backfill {id} of a run is missing"));
    let row = rows.backfills.get_mut(&id).ok_or_else(missing)?;
    row.failed += u64::from(run.status == RunStatus::Failed);
    row.cancelled += u64::from(run.status == RunStatus::Cancelled);
    let failures_max = row.backfill.max_failures.map_or(u64::MAX, u64::from);
    let is_too_many = run.status == RunStatus::Failed && row.failed >= failures_max;
    if rows.runs_in(id).all(|row| row.run.status.is_terminal()) {
        let row = rows.backfills.get_mut(&id).ok_or_else(missing)?;
        row.backfill.finished_at = Some(at);
        row.backfill.paused = None;
        row.backfill.status = status_of(row);
    } else if is_too_many {
        rows.run_mut(run.id)?.has_cancelled_backfill = true;
        let mut remaining = CancelBackfill::new(id, Cancel::Plain, at);
        remaining.reason = RunCancel::of_failures(at).reason;
        cancel_remaining(rows, &remaining)?;
    }
    Ok(())
}

/// Counts the failed run that a successful resume began with as a success of its backfill.
fn count_recovery(rows: &mut Rows, first: RunId) {
    let first = rows.runs.get_mut(&first);
    let Some(first) = first.filter(|row| row.run.status == RunStatus::Failed) else {
        return;
    };
    let was_counted = std::mem::replace(&mut first.is_recovered, true);
    let backfill = first.run.backfill_id.filter(|_| !was_counted);
    let Some(row) = backfill.and_then(|id| rows.backfills.get_mut(&id)) else {
        return;
    };
    row.failed = row.failed.saturating_sub(1);
    if row.backfill.finished_at.is_some() {
        row.backfill.status = status_of(row);
    }
}

/// Returns the status of a backfill whose runs have all finished.
fn status_of(row: &BackfillRow) -> BackfillStatus {
    match (row.failed, row.cancelled) {
        (0, 0) => BackfillStatus::Success,
        (0, _) => BackfillStatus::Cancelled,
        (_, _) => BackfillStatus::Failed,
    }
}

/// Requests the cancel of every unfinished run of a backfill, the oldest date first.
pub(crate) fn cancel_remaining(rows: &mut Rows, request: &CancelBackfill) -> Result<()> {
    if let Some(row) = rows.backfills.get_mut(&request.backfill) {
        row.backfill.cancel = row.backfill.cancel.max(Some(request.cancel));
        (row.backfill.paused, row.backfill.status) = (None, BackfillStatus::Running);
    }
    let unfinished = rows
        .runs_in(request.backfill)
        .filter(|row| !row.run.status.is_terminal());
    let mut remaining: Vec<_> = unfinished.map(|row| (row.run.date, row.run.id)).collect();
    remaining.sort_unstable();
    for (_, run) in remaining {
        let mut of_run = CancelRequest::new(run, request.cancel, request.now);
        of_run.by.clone_from(&request.by);
        of_run.reason.clone_from(&request.reason);
        request_cancel(rows, &of_run)?;
    }
    Ok(())
}

/// Cancels a pending run, or stores the request with a running one.
pub(crate) fn request_cancel(rows: &mut Rows, request: &CancelRequest) -> Result<CancelOutcome> {
    let absent = || Error::run_not_found(request.run);
    let run = rows
        .run(request.run, &request.scope)
        .ok_or_else(absent)?
        .run
        .clone();
    match run.status {
        RunStatus::Success | RunStatus::Failed => {
            let message = format!("run {} has already finished as {:?}", run.id, run.status);
            return Err(Error::new(Problem::RunFinished, message));
        }
        RunStatus::Pending => {
            rows.run_mut(run.id)?.run.cancel = Some(request.record());
            finish(rows, run.id, Outcome::cancelled(request.now))?;
        }
        RunStatus::Running => {
            if run.cancel.is_none() {
                let event = rows.record_event(&run, EventKind::RunCancelling, request.now);
                event.status = Some(run.status.into());
            }
            let requested = run.cancel.as_ref().map(|cancel| cancel.kind);
            if requested < Some(request.cancel) {
                rows.run_mut(run.id)?.run.cancel = Some(request.record());
            }
        }
        _ => {}
    }
    let status = rows.run_mut(run.id)?.run.status;
    rows.audit(request.audit.as_ref(), run.tenant.as_ref());
    Ok(CancelOutcome::new(status, rows.seq))
}
