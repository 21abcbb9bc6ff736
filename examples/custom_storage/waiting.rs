//! Why a pending run waits, and how many runs come before it.
//!
//! `queue` claims by the same limits.

use chrono::{DateTime, Utc};
use floret::storage::LaneClass;
use floret::{BackfillOrder, Run, RunId, RunStatus, Scope, WaitReason, Waiting};

use crate::rows::Rows;

pub(crate) fn waiting(
    rows: &Rows,
    id: RunId,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Option<Waiting> {
    let run = &rows.run(id, scope)?.run;
    if run.status != RunStatus::Pending {
        return None;
    }
    let reason = reason(rows, run, now);
    let mut waiting = Waiting::new(reason, ahead(rows, run, reason, now));
    waiting.until = run.run_after.filter(|_| reason == WaitReason::RunAfter);
    Some(waiting)
}

fn reason(rows: &Rows, run: &Run, now: DateTime<Utc>) -> WaitReason {
    let own = run.qualified_pipeline();
    let pipeline = rows.pipelines.get(&own);
    let running = |is_counted: &dyn Fn(&Run) -> bool| {
        let runs = rows.runs_of(&own).map(|row| &row.run);
        let running = runs.filter(|other| other.status == RunStatus::Running);
        running.filter(|other| is_counted(other)).count() as u64
    };
    let is_full = |running: u64, max: Option<u32>| max.is_some_and(|max| running >= max.into());
    let backfill = run.backfill_id.and_then(|id| rows.backfills.get(&id));
    let max_parallel = backfill.map(|row| row.backfill.max_parallel);
    let is_scheduled = |run: &Run| run.trigger.lane_class() == LaneClass::Schedule;
    let is_paused =
        pipeline.is_some_and(|pipeline| pipeline.paused.is_some()) || is_backfill_paused(rows, run);
    if is_paused {
        WaitReason::Paused
    } else if run.run_after.is_some_and(|after| after > now) {
        WaitReason::RunAfter
    } else if rows.dependencies.is_blocked(&own, now) {
        WaitReason::Dependency
    } else if is_held(rows, run, now) {
        WaitReason::ConcurrencyKey
    } else if is_full(
        running(&|other| other.backfill_id == run.backfill_id),
        max_parallel,
    ) {
        WaitReason::BackfillLimit
    } else if is_full(
        running(&|_| true),
        pipeline.and_then(|pipeline| pipeline.definition.max_concurrent_runs),
    ) {
        WaitReason::PipelineLimit
    } else if is_scheduled(run) && running(&is_scheduled) > 0 {
        WaitReason::Overlap
    } else {
        WaitReason::EngineLimit
    }
}

fn is_backfill_paused(rows: &Rows, run: &Run) -> bool {
    let backfill = run.backfill_id.and_then(|id| rows.backfills.get(&id));
    backfill.is_some_and(|row| row.backfill.paused.is_some())
}

/// Returns whether the concurrency key of a pending run holds it back: enough runs of the key
/// execute or come before it. Those of a paused backfill do not count.
pub(crate) fn is_held(rows: &Rows, run: &Run, now: DateTime<Utc>) -> bool {
    let Some(concurrency) = &run.concurrency else {
        return false;
    };
    let own = run.qualified_pipeline();
    let others = rows.runs_of(&own).map(|row| &row.run);
    let others = others.filter(|other| has_key_of(run, other));
    let before = others.filter(|other| match other.status {
        RunStatus::Running => true,
        RunStatus::Pending => {
            is_due(other, now) && !is_backfill_paused(rows, other) && is_before(rows, other, run)
        }
        _ => false,
    });
    before.count() as u64 >= u64::from(concurrency.max)
}

fn has_key_of(run: &Run, other: &Run) -> bool {
    let text = |run: &Run| run.concurrency.as_ref().map(|own| own.key.clone());
    other.qualified_pipeline() == run.qualified_pipeline() && text(other) == text(run)
}

fn is_due(run: &Run, now: DateTime<Utc>) -> bool {
    run.run_after.is_none_or(|after| after <= now)
}

/// Returns whether a pending run comes before another one.
fn is_before(rows: &Rows, other: &Run, run: &Run) -> bool {
    let backfill = run.backfill_id.and_then(|id| rows.backfills.get(&id));
    let is_descending = backfill.is_some_and(|row| row.backfill.order == BackfillOrder::Descending);
    let is_sibling = run.backfill_id.is_some() && other.backfill_id == run.backfill_id;
    let is_earlier = match is_sibling && is_descending {
        true => other.id > run.id,
        false => other.id < run.id,
    };
    other.rank() < run.rank() || (other.rank() == run.rank() && is_earlier)
}

fn ahead(rows: &Rows, run: &Run, reason: WaitReason, now: DateTime<Utc>) -> Option<u64> {
    let own = run.qualified_pipeline();
    let is_meant = |other: &Run| match reason {
        WaitReason::ConcurrencyKey => has_key_of(run, other),
        _ if is_held(rows, other, now) => false,
        WaitReason::EngineLimit => true,
        WaitReason::BackfillLimit => other.backfill_id == run.backfill_id,
        _ => other.qualified_pipeline() == own,
    };
    let pending = rows.runs.values().map(|row| &row.run).filter(|other| {
        other.status == RunStatus::Pending && is_due(other, now) && is_meant(other)
    });
    let (mut ahead, mut examined) = (0, 0);
    for other in pending.filter(|other| other.rank() <= run.rank()) {
        examined += 1;
        ahead += u64::from(is_before(rows, other, run));
    }
    (examined <= Waiting::EXAMINED_MAX).then_some(ahead)
}
