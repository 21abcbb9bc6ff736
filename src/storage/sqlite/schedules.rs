//! Schedules: their cursors, and the outcome of each tick.
//!
//! `create` creates the run of a tick. The overlap rule for claims is in `rules`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::SqliteStorage;
use super::cached_pipelines::CachedPipeline;
use super::cancel::{CANCEL_TARGET, CancelTarget, read_cancel_target};
use super::reader::Reader;
use super::rows::{PIPELINE, PipelineRow, read_pipeline};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, millis, optional_time, time};
use crate::error::{ErrorKind, Problem, Result};
use crate::model::{Overlap, Pipeline, Run, RunCancel, Scope, SkipReason, Trigger};
use crate::storage::{
    Advance, AdvanceOutcome, CreateRuns, ReplacedRun, Schedules, StoredSchedule, TickOutcome, rules,
};

#[async_trait]
impl Schedules for SqliteStorage {
    async fn schedules(&self, scope: &Scope) -> Result<Vec<StoredSchedule>> {
        let scope = scope.clone();
        self.read(move |reader| reader.snapshot(|reader| reader.schedules(&scope)))
            .await
    }

    async fn advance(&self, advance: Advance) -> Result<AdvanceOutcome> {
        self.step(move |tx| tx.advance(&advance)).await
    }
}

/// The lanes of runs that a tick may have created, by their stored numbers.
const OF_TICKS: &str = "priority IN (1, 9, 17, 25, 33, 41, 65, 81, 97)";

/// The row of a schedule with the row of its pipeline.
struct ScheduleRow {
    pipeline: PipelineRow,
    definition: i64,
    cursor: DateTime<Utc>,
    last_run: Option<DateTime<Utc>>,
    skipped: Option<SkipReason>,
}

fn read_schedule(row: &Row<'_>) -> Result<ScheduleRow, StoreError> {
    let (pipeline, definition) = read_pipeline(row)?;
    Ok(ScheduleRow {
        pipeline,
        definition,
        cursor: time(row.get("cursor")?)?,
        last_run: optional_time(row.get("last_run")?)?,
        skipped: row
            .get::<_, Option<i64>>("skipped")?
            .map(to_skip_reason)
            .transpose()?,
    })
}

impl Reader {
    fn schedules(&self, scope: &Scope) -> Result<Vec<StoredSchedule>, StoreError> {
        let sql = format!(
            "SELECT {PIPELINE}, s.cursor, s.last_run, s.skipped FROM schedules s CROSS JOIN pipelines p ON p.key = s.pipeline \
             CROSS JOIN definitions d ON d.pipeline = p.key AND d.version = p.version WHERE p.slug IS NOT NULL ORDER BY p.id, coalesce(p.tenant, '')"
        );
        let read = |row: &Row<'_>| self.schedule(read_schedule(row)?);
        let read = self.readable_rows("a schedule", &sql, [], read)?;
        Ok(read
            .into_iter()
            .filter(|schedule| scope.admits(schedule.pipeline.tenant.as_ref()))
            .collect())
    }

    fn schedule(&self, row: ScheduleRow) -> Result<StoredSchedule, StoreError> {
        let ScheduleRow {
            pipeline,
            definition,
            cursor,
            last_run,
            skipped,
        } = row;
        let definition = self.definitions.find(&self.conn, definition)?;
        Ok(StoredSchedule {
            pipeline: pipeline.with_definition(&definition),
            cursor,
            last_run,
            skipped,
        })
    }
}

impl Tx {
    /// Starts, keeps or removes the schedule of a pipeline that is saved.
    pub(super) fn save_schedule(
        &mut self,
        pipeline: i64,
        before: Option<&Pipeline>,
        after: &Pipeline,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        match rules::schedule_change(before, after) {
            rules::ScheduleChange::Keep => Ok(()),
            rules::ScheduleChange::Remove => self.remove_schedule(pipeline),
            rules::ScheduleChange::Start => self
                .write(
                    "INSERT INTO schedules (pipeline, cursor) VALUES (?, ?) \
                     ON CONFLICT (pipeline) DO UPDATE SET cursor = excluded.cursor, skipped = NULL",
                    [pipeline, millis(now)],
                )
                .map(drop),
        }
    }

    /// Removes the schedule of a pipeline, if it has one.
    pub(super) fn remove_schedule(&mut self, pipeline: i64) -> Result<(), StoreError> {
        self.write("DELETE FROM schedules WHERE pipeline = ?", [pipeline])
            .map(drop)
    }

    fn advance(&mut self, advance: &Advance) -> Result<AdvanceOutcome, StoreError> {
        let pipeline = self.state.pipelines.find(&self.conn, &advance.pipeline)?;
        let pipeline =
            pipeline.filter(|pipeline| !pipeline.is_deleted && pipeline.version == advance.version);
        let Some(pipeline) = pipeline else {
            return Ok(AdvanceOutcome::new(TickOutcome::Stale, self.newest_seq()));
        };
        let cursor = self.row(
            "SELECT cursor FROM schedules WHERE pipeline = ?",
            [pipeline.key],
            |row| Ok(row.get::<_, i64>(0)?),
        )?;
        if cursor != Some(millis(advance.from)) {
            return Ok(AdvanceOutcome::new(TickOutcome::Stale, self.newest_seq()));
        }
        let (tick, mut replaced) = self.tick(&pipeline, advance)?;
        if let Some(new) = &advance.run
            && tick == TickOutcome::Created
            && advance.overlap == Overlap::CancelRunning
        {
            let earlier = self.replace_ticks(pipeline.key, &new.run)?;
            replaced = rules::merge_replaced(replaced, earlier);
        }
        self.move_cursor(pipeline.key, advance, tick)?;
        let mut outcome = AdvanceOutcome::new(tick, self.newest_seq());
        outcome.replaced = replaced;
        Ok(outcome)
    }

    fn move_cursor(
        &mut self,
        pipeline: i64,
        advance: &Advance,
        tick: TickOutcome,
    ) -> Result<(), StoreError> {
        let to = millis(advance.to);
        let fire_at = advance.run.as_ref().and_then(|new| new.fire_at);
        match tick {
            TickOutcome::Created => self.write(
                "UPDATE schedules SET cursor = ?, last_run = ?, skipped = NULL WHERE pipeline = ?",
                params![to, fire_at.map(millis), pipeline],
            )?,
            TickOutcome::Skipped(reason) => self.write(
                "UPDATE schedules SET cursor = ?, skipped = ? WHERE pipeline = ?",
                [to, skip_reason(reason), pipeline],
            )?,
            TickOutcome::Taken | TickOutcome::Passed | TickOutcome::Stale => self.write(
                "UPDATE schedules SET cursor = ? WHERE pipeline = ?",
                [to, pipeline],
            )?,
        };
        Ok(())
    }

    /// Returns the outcome of a tick, and the runs that its run replaces for its concurrency key.
    fn tick(
        &mut self,
        pipeline: &CachedPipeline,
        advance: &Advance,
    ) -> Result<(TickOutcome, Vec<ReplacedRun>), StoreError> {
        let without_run = |tick| Ok((tick, Vec::new()));
        let Some(run) = &advance.run else {
            return without_run(TickOutcome::Passed);
        };
        if let Some(fire_at) = run.fire_at
            && self.is_tick_taken(pipeline.key, fire_at)?
        {
            return without_run(TickOutcome::Taken);
        }
        if pipeline.is_paused {
            return without_run(TickOutcome::Skipped(SkipReason::Paused));
        }
        if advance.overlap == Overlap::Skip && self.has_unfinished_tick(pipeline.key)? {
            let is_blocked = self.is_blocked(pipeline, run.run.created_at)
                && !self.state.is_schedule_executing(pipeline.key);
            return without_run(TickOutcome::Skipped(rules::overlap_reason(is_blocked)));
        }
        let limits = (advance.queued_pipeline_max, advance.queued_max);
        let create = CreateRuns::one(run.clone(), &advance.pipeline, limits);
        match self.create_runs(&create) {
            Ok(created) => Ok((TickOutcome::Created, created.replaced)),
            Err(StoreError::Refused(error)) if error.kind() == ErrorKind::QueueFull => {
                without_run(TickOutcome::Skipped(SkipReason::Blocked))
            }
            Err(StoreError::Refused(error)) if error.problem() == Problem::ConcurrencyKeyTaken => {
                without_run(TickOutcome::Skipped(SkipReason::ConcurrencyKey))
            }
            Err(error) => Err(error),
        }
    }

    /// Cancels the unfinished runs of a schedule, apart from that of its newest tick.
    fn replace_ticks(
        &mut self,
        pipeline: i64,
        newest: &Run,
    ) -> Result<Vec<ReplacedRun>, StoreError> {
        let sql = format!(
            "SELECT {CANCEL_TARGET} FROM runs INDEXED BY runs_active WHERE finished_at IS NULL AND {OF_TICKS} AND pipeline = ? AND trigger IN (?, ?) AND id <> ?"
        );
        let mut targets = self.rows(
            &sql,
            params![
                pipeline,
                values::trigger(Trigger::Schedule),
                values::trigger(Trigger::Catchup),
                values::id(&newest.id)
            ],
            read_cancel_target,
        )?;
        targets.sort_unstable_by_key(CancelTarget::run);
        let at = newest.created_at;
        let cancel = RunCancel::of_tick(at);
        let replaced = targets.iter().map(|target| {
            let status = self.cancel_run(target, &cancel, at)?;
            Ok(ReplacedRun::new(target.run(), status))
        });
        replaced.collect()
    }

    fn has_unfinished_tick(&self, pipeline: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT 1 FROM runs INDEXED BY runs_active WHERE finished_at IS NULL AND {OF_TICKS} AND pipeline = ? AND trigger IN (?, ?) LIMIT 1"
        );
        let found = self.row(
            &sql,
            params![
                pipeline,
                values::trigger(Trigger::Schedule),
                values::trigger(Trigger::Catchup)
            ],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }
}

const fn skip_reason(reason: SkipReason) -> i64 {
    match reason {
        SkipReason::Overlap => 0,
        SkipReason::Blocked => 1,
        SkipReason::Paused => 2,
        SkipReason::ConcurrencyKey => 3,
    }
}

fn to_skip_reason(value: i64) -> Result<SkipReason, StoreError> {
    match value {
        0 => Ok(SkipReason::Overlap),
        1 => Ok(SkipReason::Blocked),
        2 => Ok(SkipReason::Paused),
        3 => Ok(SkipReason::ConcurrencyKey),
        _ => Err(StoreError::unreadable("a skip reason", value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Rank;
    use crate::storage::sqlite::lanes::{Held, number};

    #[test]
    fn the_lanes_of_ticks_are_those_of_their_class() {
        let ranks = Rank::all().filter(|rank| rank.class == Trigger::Schedule.lane_class());
        let all = [Held::No, Held::ByDelay, Held::ByKey];
        let lanes = ranks.flat_map(|rank| all.map(|held| number(rank, held)));
        let mut numbers: Vec<_> = lanes.collect();
        numbers.sort_unstable();
        let numbers = numbers
            .iter()
            .map(i64::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        assert_eq!(OF_TICKS, format!("priority IN ({numbers})"));
    }
}
