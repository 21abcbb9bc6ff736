//! Schedules: their cursors and ticks.
//!
//! The run of a tick is created in `creation`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use floret::storage::{
    Advance, AdvanceOutcome, NewRun, Schedules, StoredPipeline, StoredSchedule, TickOutcome,
};
use floret::{Error, Overlap, Pipeline, Result, Scope, SkipReason, Trigger};

use crate::audited::AuditedStorage;
use crate::creation::{has_queue_room, insert};
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
            let tick = advance_schedule(rows, advance)?;
            Ok(AdvanceOutcome::new(tick, rows.seq))
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
fn advance_schedule(rows: &mut Rows, advance: Advance) -> Result<TickOutcome> {
    let id = advance.pipeline.clone();
    let pipeline = rows.pipelines.get(&id);
    let is_same_version = pipeline.is_some_and(|found| found.version == advance.version);
    let row = rows
        .schedules
        .get(&id)
        .filter(|row| row.cursor == advance.from);
    if !is_same_version || row.is_none() {
        return Ok(TickOutcome::Stale);
    }
    let tick = decide_tick(rows, &advance);
    let fire_at = advance.run.as_ref().and_then(|new| new.fire_at);
    if let (TickOutcome::Created, Some(new)) = (tick, advance.run) {
        insert(rows, NewRun::clone(&new), &id)?;
    }
    let missing = || Error::internal(format!("the schedule of {id} is missing"));
    let row = rows.schedules.get_mut(&id).ok_or_else(missing)?;
    row.cursor = advance.to;
    match tick {
        TickOutcome::Created => (row.last_run, row.skipped) = (fire_at, None),
        TickOutcome::Skipped(reason) => row.skipped = Some(reason),
        _ => {}
    }
    Ok(tick)
}

/// Decides what a step does with its tick.
fn decide_tick(rows: &Rows, advance: &Advance) -> TickOutcome {
    let Some(new) = &advance.run else {
        return TickOutcome::Passed;
    };
    let id = &advance.pipeline;
    let is_of_the_schedule = |trigger| matches!(trigger, Trigger::Schedule | Trigger::Catchup);
    let overlaps = rows
        .runs_of(id)
        .any(|row| is_of_the_schedule(row.run.trigger) && !row.run.status.is_terminal());
    let bounds = (advance.queued_pipeline_max, advance.queued_max);
    if rows
        .runs_of(id)
        .any(|row| row.fire_at.is_some() && row.fire_at == new.fire_at)
    {
        TickOutcome::Taken
    } else if overlaps && advance.overlap == Overlap::Skip {
        TickOutcome::Skipped(SkipReason::Overlap)
    } else if !has_queue_room(rows, id, 1, bounds) {
        TickOutcome::Skipped(SkipReason::Blocked)
    } else {
        TickOutcome::Created
    }
}
