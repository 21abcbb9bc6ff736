//! Schedules: the cursor of each, and the outcome of its next tick.
//!
//! `pipeline_table` decides whether a save starts or removes a schedule.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStorage;
use super::rows::ScheduleRow;
use super::state::State;
use crate::error::{Error, ErrorKind, Problem, Result};
use crate::model::{
    Overlap, PipelineId, Qualified, RunCancel, RunId, RunStatus, Scope, SkipReason,
};
use crate::storage::{
    Advance, AdvanceOutcome, CreateRuns, NewRun, ReplacedRun, Schedules, StoredSchedule,
    TickOutcome, rules,
};

impl State {
    fn advance(&mut self, advance: Advance) -> Result<AdvanceOutcome> {
        let stored = self.pipelines.live(&advance.pipeline);
        let is_current = stored.is_some_and(|stored| stored.version == advance.version);
        let row = self.pipelines.schedule(&advance.pipeline).copied();
        let Some(row) = row.filter(|row| is_current && row.cursor == advance.from) else {
            return Ok(AdvanceOutcome::new(
                TickOutcome::Stale,
                self.events.newest(),
            ));
        };
        let fire_at = advance.run.as_ref().and_then(|new| new.fire_at);
        let (pipeline, to) = (advance.pipeline.clone(), advance.to);
        let replaces = advance.overlap == Overlap::CancelRunning;
        let run = advance
            .run
            .as_ref()
            .map(|new| (new.run.id, new.run.created_at));
        let (tick, mut replaced) = self.tick(advance)?;
        if let Some((run, at)) = run.filter(|_| replaces && tick == TickOutcome::Created) {
            let earlier = self.replace_ticks(&pipeline, run, at)?;
            replaced = rules::merge_replaced(replaced, earlier);
        }
        let mut next = ScheduleRow { cursor: to, ..row };
        match tick {
            TickOutcome::Created => (next.last_run, next.skipped) = (fire_at, None),
            TickOutcome::Skipped(reason) => next.skipped = Some(reason),
            TickOutcome::Taken | TickOutcome::Passed | TickOutcome::Stale => {}
        }
        self.pipelines.set_schedule(&pipeline, next);
        let mut outcome = AdvanceOutcome::new(tick, self.events.newest());
        outcome.replaced = replaced;
        Ok(outcome)
    }

    /// Returns the outcome of a tick, and the runs that its run replaces for its concurrency key.
    fn tick(&mut self, advance: Advance) -> Result<(TickOutcome, Vec<ReplacedRun>)> {
        let without_run = |tick| Ok((tick, Vec::new()));
        let Some(run) = advance.run else {
            return without_run(TickOutcome::Passed);
        };
        if self.has_run_of_tick(&advance.pipeline, &run) {
            return without_run(TickOutcome::Taken);
        }
        let stored = self.pipelines.live(&advance.pipeline);
        if stored.is_some_and(|stored| stored.paused.is_some()) {
            return without_run(TickOutcome::Skipped(SkipReason::Paused));
        }
        if advance.overlap == Overlap::Skip && !self.unfinished_ticks(&advance.pipeline).is_empty()
        {
            let is_blocked = self.is_blocked(&advance.pipeline, run.run.created_at)
                && !self.is_schedule_executing(&advance.pipeline);
            return without_run(TickOutcome::Skipped(rules::overlap_reason(is_blocked)));
        }
        let limits = (advance.queued_pipeline_max, advance.queued_max);
        let create = CreateRuns::one(run, &advance.pipeline, limits);
        match self.create_runs(create) {
            Ok(created) => Ok((TickOutcome::Created, created.replaced)),
            Err(error) => without_run(refused_tick(error)?),
        }
    }

    fn has_run_of_tick(&self, pipeline: &Qualified<PipelineId>, new: &NewRun) -> bool {
        new.fire_at
            .is_some_and(|at| self.ticks.contains_key(&(pipeline.clone(), at)))
    }

    /// Returns the unfinished runs of a schedule, the oldest first.
    fn unfinished_ticks(&self, pipeline: &Qualified<PipelineId>) -> Vec<RunId> {
        let unfinished = [RunStatus::Pending, RunStatus::Running];
        let runs = unfinished
            .into_iter()
            .filter_map(|status| self.index.with_status(Some(pipeline), status));
        let rows = runs.flatten().filter_map(|id| self.runs.get(id));
        let ticks = rows.filter(|row| rules::is_scheduled(row.run.trigger));
        let mut ids: Vec<_> = ticks.map(|row| row.run.id).collect();
        ids.sort_unstable();
        ids
    }

    /// Cancels the unfinished runs of a schedule, apart from that of its newest tick.
    fn replace_ticks(
        &mut self,
        pipeline: &Qualified<PipelineId>,
        newest: RunId,
        at: DateTime<Utc>,
    ) -> Result<Vec<ReplacedRun>> {
        let earlier = self.unfinished_ticks(pipeline).into_iter();
        let cancel = RunCancel::of_tick(at);
        let replaced = earlier.filter(|run| *run != newest).map(|run| {
            let status = self.cancel_run(run, &cancel, at)?;
            Ok(ReplacedRun::new(run, status))
        });
        replaced.collect()
    }
}

/// Returns the outcome of a tick whose run was refused.
fn refused_tick(error: Error) -> Result<TickOutcome> {
    if error.kind() == ErrorKind::QueueFull {
        Ok(TickOutcome::Skipped(SkipReason::Blocked))
    } else if error.problem() == Problem::ConcurrencyKeyTaken {
        Ok(TickOutcome::Skipped(SkipReason::ConcurrencyKey))
    } else {
        Err(error)
    }
}

#[async_trait]
impl Schedules for MemoryStorage {
    async fn schedules(&self, scope: &Scope) -> Result<Vec<StoredSchedule>> {
        let state = self.state()?;
        let scheduled = state.pipelines.scheduled();
        let seen = scheduled.filter(|(stored, _)| scope.admits(stored.tenant.as_ref()));
        Ok(seen
            .map(|(stored, row)| StoredSchedule {
                last_run: row.last_run,
                skipped: row.skipped,
                ..StoredSchedule::new(stored.clone(), row.cursor)
            })
            .collect())
    }

    async fn advance(&self, advance: Advance) -> Result<AdvanceOutcome> {
        self.state()?.advance(advance)
    }
}
