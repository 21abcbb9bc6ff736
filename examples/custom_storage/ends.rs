//! How runs end, whoever ends them, and what goes with them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use floret::storage::{CancelBackfill, CancelOutcome, CancelRequest};
use floret::{
    BackfillId, BackfillStatus, Cancel, Error, EventKind, NodeIndex, Problem, Result, Run, RunId,
    RunStatus,
};

use crate::rows::Rows;

/// The end of a run.
pub(crate) struct End {
    pub(crate) status: RunStatus,
    pub(crate) error: Option<String>,
    pub(crate) at: DateTime<Utc>,
    /// Bytes up to which a succeeded run keeps the output of each of its last nodes.
    pub(crate) result_bytes_max: u64,
}

impl End {
    pub(crate) fn cancelled(at: DateTime<Utc>) -> Self {
        Self {
            status: RunStatus::Cancelled,
            error: None,
            at,
            result_bytes_max: 0,
        }
    }
}

/// Ends a run, and with it what its backfill has left where it was one failure too many.
pub(crate) fn finish(rows: &mut Rows, id: RunId, end: End) -> Result<()> {
    let row = rows.run_mut(id)?;
    if !row.run.status.may_become(end.status) {
        let message = format!(
            "run {id} is {:?} and cannot become {:?}",
            row.run.status, end.status
        );
        return Err(Error::new(Problem::IllegalTransition, message));
    }
    row.run.status = end.status;
    row.run.error = end.error;
    row.run.finished_at = Some(end.at);
    row.owner = None;
    // Only a run that is given up as poisoned still has nodes on their way.
    let left = row.nodes.values_mut().map(|kept| &mut kept.node);
    for node in left.filter(|node| !node.status.is_terminal()) {
        node.status = end.status.unstarted_node();
    }
    let run = row.run.clone();
    let kind = match end.status {
        RunStatus::Success => EventKind::RunCompleted,
        RunStatus::Failed => EventKind::RunFailed,
        _ => EventKind::RunCancelled,
    };
    let event = rows.tell(&run, kind, end.at);
    event.status = Some(run.status.into());
    event.error = run.error.clone();
    let took = run
        .started_at
        .map(|started_at| end.at.signed_duration_since(started_at));
    event.duration_ms = took.and_then(|took| u64::try_from(took.num_milliseconds()).ok());
    drop_outputs(rows, &run, end.result_bytes_max)?;
    match run.backfill_id {
        Some(backfill) => count(rows, backfill, &run, end.at),
        None => Ok(()),
    }
}

/// Drops what nobody can need any more once this run has ended.
fn drop_outputs(rows: &mut Rows, run: &Run, result_bytes_max: u64) -> Result<()> {
    rows.outputs
        .retain(|(owner, _), output| *owner != run.id || output.named.is_some());
    match run.status {
        RunStatus::Success => {
            let results = results(rows, run, result_bytes_max)?;
            let mut chain: BTreeSet<_> = run.inherited.iter().map(|node| node.from_run).collect();
            let members = rows
                .runs
                .values()
                .filter(|row| row.run.first_run == run.first_run);
            chain.extend(members.map(|row| row.run.id));
            rows.outputs
                .retain(|key, _| !chain.contains(&key.0) || results.contains(key));
        }
        RunStatus::Cancelled if run.resumed_from.is_none() => {
            rows.outputs.retain(|(owner, _), _| *owner != run.id);
        }
        _ => {}
    }
    Ok(())
}

/// The outputs of nodes without downstream that are small enough to be kept.
fn results(rows: &Rows, run: &Run, bytes_max: u64) -> Result<BTreeSet<(RunId, NodeIndex)>> {
    let node_indexes = rows.node_indexes(run)?;
    let Some(row) = rows.runs.get(&run.id) else {
        return Ok(BTreeSet::new());
    };
    let last = row
        .nodes
        .keys()
        .filter(|node_index| node_indexes.is_last(**node_index));
    let is_small = |key: &(RunId, NodeIndex)| {
        let named = rows.outputs.get(key).and_then(|output| output.named);
        named.is_some_and(|named| named.length <= bytes_max)
    };
    Ok(last
        .map(|node_index| rows.source(row, *node_index))
        .filter(is_small)
        .collect())
}

/// Counts the end of a run in its backfill, stops the backfill after too many failures, and ends it
/// with its last run.
fn count(rows: &mut Rows, id: BackfillId, run: &Run, at: DateTime<Utc>) -> Result<()> {
    let missing = || Error::internal(format!("the backfill {id} of a run is not there"));
    let row = rows.backfills.get_mut(&id).ok_or_else(missing)?;
    row.failed += u64::from(run.status == RunStatus::Failed);
    row.cancelled += u64::from(run.status == RunStatus::Cancelled);
    let failures_max = row.backfill.max_failures.map_or(u64::MAX, u64::from);
    let is_too_many = run.status == RunStatus::Failed && row.failed >= failures_max;
    if rows.runs_in(id).all(|row| row.run.status.is_terminal()) {
        let row = rows.backfills.get_mut(&id).ok_or_else(missing)?;
        row.backfill.finished_at = Some(at);
        row.backfill.status = match (row.failed, row.cancelled) {
            (0, 0) => BackfillStatus::Success,
            (0, _) => BackfillStatus::Cancelled,
            (_, _) => BackfillStatus::Failed,
        };
    } else if is_too_many {
        rows.run_mut(run.id)?.cancelled_rest = true;
        cancel_rest(rows, &CancelBackfill::new(id, Cancel::Plain, at))?;
    }
    Ok(())
}

/// Asks every unfinished run of a backfill to cancel, the oldest date first.
pub(crate) fn cancel_rest(rows: &mut Rows, wish: &CancelBackfill) -> Result<()> {
    if let Some(row) = rows.backfills.get_mut(&wish.backfill) {
        row.backfill.cancel = row.backfill.cancel.max(Some(wish.cancel));
    }
    let unfinished = rows
        .runs_in(wish.backfill)
        .filter(|row| !row.run.status.is_terminal());
    let mut rest: Vec<_> = unfinished.map(|row| (row.run.date, row.run.id)).collect();
    rest.sort_unstable();
    for (_, run) in rest {
        request_cancel(rows, &CancelRequest::new(run, wish.cancel, wish.now))?;
    }
    Ok(())
}

/// Notes a wish to cancel a run.
pub(crate) fn request_cancel(rows: &mut Rows, wish: &CancelRequest) -> Result<CancelOutcome> {
    let absent = || Error::run_not_found(wish.run);
    let run = rows
        .run(wish.run, &wish.scope)
        .ok_or_else(absent)?
        .run
        .clone();
    match run.status {
        RunStatus::Success | RunStatus::Failed => {
            let message = format!("run {} has ended, it is {:?}", run.id, run.status);
            return Err(Error::new(Problem::RunFinished, message));
        }
        RunStatus::Pending => {
            rows.run_mut(run.id)?.run.cancel = Some(wish.cancel);
            finish(rows, run.id, End::cancelled(wish.now))?;
        }
        RunStatus::Running => {
            if run.cancel.is_none() {
                let event = rows.tell(&run, EventKind::RunCancelling, wish.now);
                event.status = Some(run.status.into());
            }
            let cancel = run.cancel.max(Some(wish.cancel));
            rows.run_mut(run.id)?.run.cancel = cancel;
        }
        _ => {}
    }
    let status = rows.run_mut(run.id)?.run.status;
    Ok(CancelOutcome::new(status, rows.seq))
}
