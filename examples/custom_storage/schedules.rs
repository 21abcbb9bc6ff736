//! Schedules: their cursors and ticks.
//!
//! The run of a tick is created in `creation`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use floret::storage::{
    Advance, AdvanceOutcome, CancelRequest, LaneClass, NewRun, Qualified, ReplacedRun, Schedules,
    StoredPipeline, StoredSchedule, TickOutcome,
};
use floret::{
    Error, Overlap, Pipeline, PipelineId, Result, RunCancel, RunId, RunStatus, Scope, SkipReason,
    Trigger,
};

use crate::audited::AuditedStorage;
use crate::creation::{has_queue_room, insert};
use crate::finish::request_cancel;
use crate::keys::{check_key, replace_runs};
use crate::rows::{Rows, ScheduleRow};

#[async_trait]
impl Schedules for AuditedStorage {
    async fn schedules(&self, scope: &Scope) -> Result<Vec<StoredSchedule>> {
        self.read(|rows| {
            let found = rows.schedules.iter().filter_map(|(id, row)| {
                scope.admits(id.tenant.as_ref()).then_some(())?;
                let pipeline = rows.pipelines.get(id)?;
                let mut schedule = StoredSchedule::new(pipeline.clone(), row.cursor);
                (schedule.last_run, schedule.skipped) = (row.last_run, row.skipped);
                Some(schedule)
            });
            found.collect()
        })
    }

    async fn advance(&self, advance: Advance) -> Result<AdvanceOutcome> {
        self.write("advance", |rows| {
            let (tick, replaced) = advance_schedule(rows, advance)?;
            let mut outcome = AdvanceOutcome::new(tick, rows.seq);
            outcome.replaced = replaced;
            Ok(outcome)
        })
    }
}

/// Restarts, keeps or deletes the schedule of a saved pipeline.
pub(crate) fn reschedule(
    rows: &mut Rows,
    old: Option<&StoredPipeline>,
    saved: &StoredPipeline,
    now: DateTime<Utc>,
) {
    let (own, new) = (saved.qualified_id(), &saved.definition);
    let is_unchanged = old.map(|old| &old.definition).is_some_and(|old| {
        let is_enabled_again = new.enabled && !old.enabled;
        (&old.schedule, zone(old)) == (&new.schedule, zone(new)) && !is_enabled_again
    });
    if new.schedule.is_none() {
        rows.schedules.remove(&own);
    } else if !is_unchanged {
        let row = ScheduleRow {
            cursor: now,
            last_run: rows.schedules.get(&own).and_then(|row| row.last_run),
            skipped: None,
        };
        rows.schedules.insert(own, row);
    }
}

fn zone(pipeline: &Pipeline) -> &str {
    pipeline.schedule_timezone.as_deref().unwrap_or("UTC")
}

/// Takes a step of a schedule, if its version and its cursor are current.
fn advance_schedule(rows: &mut Rows, advance: Advance) -> Result<(TickOutcome, Vec<ReplacedRun>)> {
    let id = advance.pipeline.clone();
    let pipeline = rows.pipelines.get(&id);
    let is_same_version = pipeline.is_some_and(|found| found.version == advance.version);
    let row = rows
        .schedules
        .get(&id)
        .filter(|row| row.cursor == advance.from);
    if !is_same_version || row.is_none() {
        return Ok((TickOutcome::Stale, Vec::new()));
    }
    let tick = decide_tick(rows, &advance);
    let fire_at = advance.run.as_ref().and_then(|new| new.fire_at);
    let mut replaced = Vec::new();
    if let (TickOutcome::Created, Some(new)) = (tick, advance.run) {
        let (newest, at) = (new.run.id, new.run.created_at);
        insert(rows, NewRun::clone(&new), &id)?;
        replaced = replace_runs(rows, std::slice::from_ref(&new), &id)?;
        if advance.overlap == Overlap::CancelRunning {
            replaced.extend(replace_ticks(rows, &id, newest, at)?);
            replaced.sort_unstable_by_key(|one: &ReplacedRun| one.run);
            replaced.dedup_by_key(|one| one.run);
        }
    }
    let missing = || Error::internal(format!("the schedule of {id} is missing"));
    let row = rows.schedules.get_mut(&id).ok_or_else(missing)?;
    row.cursor = advance.to;
    match tick {
        TickOutcome::Created => (row.last_run, row.skipped) = (fire_at, None),
        TickOutcome::Skipped(reason) => row.skipped = Some(reason),
        _ => {}
    }
    Ok((tick, replaced))
}

/// Cancels the unfinished runs of a schedule, apart from that of its newest tick.
fn replace_ticks(
    rows: &mut Rows,
    id: &Qualified<PipelineId>,
    newest: RunId,
    at: DateTime<Utc>,
) -> Result<Vec<ReplacedRun>> {
    let earlier = rows.runs_of(id).filter(|row| {
        is_of_the_schedule(row.run.trigger) && !row.run.status.is_terminal() && row.run.id != newest
    });
    let mut earlier: Vec<_> = earlier.map(|row| row.run.id).collect();
    earlier.sort_unstable();
    let RunCancel { kind, reason, .. } = RunCancel::of_tick(at);
    let replaced = earlier.into_iter().map(|run| {
        let mut request = CancelRequest::new(run, kind, at);
        request.reason.clone_from(&reason);
        let cancelled = request_cancel(rows, &request)?;
        Ok(ReplacedRun::new(run, cancelled.status))
    });
    replaced.collect()
}

fn is_of_the_schedule(trigger: Trigger) -> bool {
    matches!(trigger, Trigger::Schedule | Trigger::Catchup)
}

/// Decides what a step does with its tick.
fn decide_tick(rows: &Rows, advance: &Advance) -> TickOutcome {
    let Some(new) = &advance.run else {
        return TickOutcome::Passed;
    };
    let id = &advance.pipeline;
    let overlaps = rows
        .runs_of(id)
        .any(|row| is_of_the_schedule(row.run.trigger) && !row.run.status.is_terminal());
    let bounds = (advance.queued_pipeline_max, advance.queued_max);
    if rows
        .runs_of(id)
        .any(|row| row.fire_at.is_some() && row.fire_at == new.fire_at)
    {
        TickOutcome::Taken
    } else if rows.pipelines.get(id).is_some_and(|it| it.paused.is_some()) {
        TickOutcome::Skipped(SkipReason::Paused)
    } else if overlaps && advance.overlap == Overlap::Skip {
        let is_executing = rows.runs_of(id).any(|row| {
            row.run.status == RunStatus::Running
                && row.run.trigger.lane_class() == LaneClass::Schedule
        });
        let is_blocked = !is_executing && rows.dependencies.is_blocked(id, new.run.created_at);
        TickOutcome::Skipped(match is_blocked {
            true => SkipReason::Blocked,
            false => SkipReason::Overlap,
        })
    } else if check_key(rows, new, id).is_err() {
        TickOutcome::Skipped(SkipReason::ConcurrencyKey)
    } else if !has_queue_room(rows, id, 1, bounds) {
        TickOutcome::Skipped(SkipReason::Blocked)
    } else {
        TickOutcome::Created
    }
}
