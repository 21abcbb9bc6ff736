//! Ticks of schedules as commands: makes the run of one, or leaves out what was missed.
//!
//! When a tick is due is decided by the scheduler, whether its run may be made by storage.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use super::trigger::WakeLater;
use super::{Engine, Shared};
use crate::clock::Clock;
use crate::error::Result;
use crate::limits::Limits;
use crate::model::{Run, Scope, Trigger};
use crate::storage::{Advance, NewRun, StoredSchedule, TickOutcome};

/// What a scheduler may do with an engine. It does not keep the engine alive.
#[derive(Debug, Clone)]
pub(crate) struct Ticks(Arc<Shared>);

/// A tick that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) fire_at: DateTime<Utc>,
    /// Its date on the wall clock of the schedule's zone.
    pub(crate) date: NaiveDate,
    pub(crate) trigger: Trigger,
}

impl Engine {
    /// What a scheduler of this engine needs.
    pub(crate) fn ticks(&self) -> Ticks {
        Ticks(Arc::clone(&self.0))
    }

    /// Runs a task until it ends; a shutdown waits for it.
    pub(crate) fn own(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(task);
    }
}

impl Ticks {
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Every schedule, those of disabled pipelines too.
    ///
    /// # Errors
    /// What storage answers.
    pub(crate) async fn schedules(&self) -> Result<Vec<StoredSchedule>> {
        self.0.storage.schedules(&Scope::All).await
    }

    /// Makes the run of a tick, unless storage finds why not.
    ///
    /// # Errors
    /// What storage answers; nothing is decided then.
    pub(crate) async fn fire(&self, schedule: &StoredSchedule, due: Due) -> Result<TickOutcome> {
        let shared = &self.0;
        let Due {
            fire_at,
            date,
            trigger,
        } = due;
        let pipeline = &schedule.pipeline;
        let mut run = Run::new(
            shared.clock.new_run_id(),
            pipeline.id.clone(),
            pipeline.version,
            trigger,
            date,
            shared.clock.now(),
        );
        run.params.clone_from(&pipeline.definition.params);
        let mut new = NewRun::new(run);
        new.fire_at = Some(fire_at);
        let mut advance = Advance::new(schedule, fire_at);
        advance.run = Some(new);
        advance.queued_pipeline_max = shared.limits.queued_pipeline_max;
        advance.queued_max = shared.limits.queued_max;
        self.advance(advance).await
    }

    /// Leaves out every tick up to this instant.
    ///
    /// # Errors
    /// What storage answers; nothing is decided then.
    pub(crate) async fn pass(
        &self,
        schedule: &StoredSchedule,
        until: DateTime<Utc>,
    ) -> Result<TickOutcome> {
        self.advance(Advance::new(schedule, until)).await
    }

    async fn advance(&self, advance: Advance) -> Result<TickOutcome> {
        let wake = WakeLater(&self.0.wake);
        let advanced = self.0.storage.advance(advance).await?;
        self.0.events.committed(advanced.seq);
        drop(wake);
        Ok(advanced.tick)
    }

    /// Ends once a definition was saved or deleted since it was last awaited.
    pub(crate) async fn changed(&self) {
        self.0.schedules_changed.notified().await;
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.0.drain.is_cancelled()
    }

    /// Ends once nothing may start any more.
    pub(crate) async fn drained(&self) {
        self.0.drain.cancelled().await;
    }
}
