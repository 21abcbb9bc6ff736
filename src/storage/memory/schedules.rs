//! Schedules: how far each has come, and what becomes of its next tick.
//!
//! Where a save begins or ends one is left to `pipeline_table`.

use async_trait::async_trait;

use super::MemoryStorage;
use super::rows::ScheduleRow;
use super::state::State;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Overlap, PipelineId, RunStatus, Scope, SkipReason};
use crate::storage::{
    Advance, AdvancedSchedule, CreateRuns, NewRun, Schedules, StoredSchedule, Tick, rules,
};

impl State {
    fn advance(&mut self, advance: Advance) -> Result<AdvancedSchedule> {
        let stored = self.pipelines.live(advance.pipeline.as_str(), &Scope::All);
        let is_current = stored.is_some_and(|stored| stored.version == advance.version);
        let row = self.pipelines.schedule(&advance.pipeline).copied();
        let Some(row) = row.filter(|row| is_current && row.cursor == advance.from) else {
            return Ok(AdvancedSchedule::new(Tick::Stale, self.events.newest()));
        };
        let fire_at = advance.run.as_ref().and_then(|new| new.fire_at);
        let (pipeline, to) = (advance.pipeline.clone(), advance.to);
        let tick = self.tick(advance)?;
        let mut next = ScheduleRow { cursor: to, ..row };
        match tick {
            Tick::Made => (next.last_run, next.skipped) = (fire_at, None),
            Tick::Skipped(reason) => next.skipped = Some(reason),
            Tick::Taken | Tick::Passed | Tick::Stale => {}
        }
        self.pipelines.note_schedule(&pipeline, next);
        Ok(AdvancedSchedule::new(tick, self.events.newest()))
    }

    fn tick(&mut self, advance: Advance) -> Result<Tick> {
        let Some(run) = advance.run else {
            return Ok(Tick::Passed);
        };
        if self.is_taken(&advance.pipeline, &run) {
            return Ok(Tick::Taken);
        }
        if advance.overlap == Overlap::Skip && self.has_unfinished_tick(&advance.pipeline) {
            return Ok(Tick::Skipped(SkipReason::Overlap));
        }
        let mut create = CreateRuns::new(vec![run]);
        create.queued_pipeline_max = advance.queued_pipeline_max;
        create.queued_max = advance.queued_max;
        tick_of(self.create_runs(create).map(drop))
    }

    fn is_taken(&self, pipeline: &PipelineId, new: &NewRun) -> bool {
        new.fire_at
            .is_some_and(|at| self.ticks.contains_key(&(pipeline.clone(), at)))
    }

    fn has_unfinished_tick(&self, pipeline: &PipelineId) -> bool {
        let unfinished = [RunStatus::Pending, RunStatus::Running];
        let runs = unfinished
            .into_iter()
            .filter_map(|status| self.index.with_status(Some(pipeline), status));
        runs.flatten()
            .filter_map(|id| self.runs.get(id))
            .any(|row| rules::is_of_schedule(row.run.trigger))
    }
}

/// What a creation says of its tick.
fn tick_of(created: Result<(), Error>) -> Result<Tick> {
    match created {
        Ok(()) => Ok(Tick::Made),
        Err(error) if error.kind() == ErrorKind::QueueFull => {
            Ok(Tick::Skipped(SkipReason::Blocked))
        }
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Schedules for MemoryStorage {
    async fn schedules(&self, scope: &Scope) -> Result<Vec<StoredSchedule>> {
        let state = self.read();
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

    async fn advance(&self, advance: Advance) -> Result<AdvancedSchedule> {
        self.write()?.advance(advance)
    }
}
