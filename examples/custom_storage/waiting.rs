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
    if pipeline.is_some_and(|pipeline| pipeline.paused.is_some()) {
        WaitReason::Paused
    } else if run.run_after.is_some_and(|after| after > now) {
        WaitReason::RunAfter
    } else if rows.dependencies.is_blocked(&own, now) {
        WaitReason::Dependency
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

fn ahead(rows: &Rows, run: &Run, reason: WaitReason, now: DateTime<Utc>) -> Option<u64> {
    let own = run.qualified_pipeline();
    let backfill = run.backfill_id.and_then(|id| rows.backfills.get(&id));
    let is_descending = backfill.is_some_and(|row| row.backfill.order == BackfillOrder::Descending);
    let is_meant = |other: &Run| match reason {
        WaitReason::EngineLimit => true,
        WaitReason::BackfillLimit => other.backfill_id == run.backfill_id,
        _ => other.qualified_pipeline() == own,
    };
    let pending = rows.runs.values().map(|row| &row.run).filter(|other| {
        other.status == RunStatus::Pending
            && other.run_after.is_none_or(|after| after <= now)
            && is_meant(other)
    });
    let (mut ahead, mut examined) = (0, 0);
    for other in pending.filter(|other| other.rank() <= run.rank()) {
        examined += 1;
        let is_sibling = run.backfill_id.is_some() && other.backfill_id == run.backfill_id;
        let is_before = match is_sibling && is_descending {
            true => other.id > run.id,
            false => other.id < run.id,
        };
        ahead += u64::from(other.rank() < run.rank() || is_before);
    }
    (examined <= Waiting::EXAMINED_MAX).then_some(ahead)
}
