//! The commands of the scheduler: fires a tick of a schedule, or skips the ticks that it missed.
//!
//! The scheduler (`src/scheduler/`) decides when a tick fires; storage decides whether its run
//! may be created.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use super::concurrency;
use super::replaced_runs;
use super::run_date::set_params;
use super::trigger::WakeOnDrop;
use super::{Engine, Shared};
use crate::clock::Clock;
use crate::error::Result;
use crate::graph::param_defs;
use crate::limits::Limits;
use crate::loops;
use crate::metrics;
use crate::model::{Overlap, Run, Scope, StoredPipeline, Trigger};
use crate::storage::{Advance, StoredSchedule, TickOutcome};

/// A scheduler's handle to an engine.
#[derive(Debug, Clone)]
pub(crate) struct SchedulerHandle(pub(super) Arc<Shared>);

/// A tick whose fire time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PendingTick {
    pub(crate) fire_at: DateTime<Utc>,
    /// The date of the fire time in the schedule's time zone.
    pub(crate) date: NaiveDate,
    pub(crate) trigger: Trigger,
}

impl Engine {
    /// Returns the handle for a scheduler.
    pub(crate) fn scheduler_handle(&self) -> SchedulerHandle {
        SchedulerHandle(Arc::clone(&self.0))
    }

    /// Spawns a loop that begins again if it panics. A shutdown waits for it.
    pub(crate) fn spawn_loop<F>(&self, begin: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (clock, stop) = (self.0.clock.clone(), self.0.stop.clone());
        self.0.tasks.spawn(loops::run(clock, stop, begin));
    }
}

impl SchedulerHandle {
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Returns every schedule that fires in this engine, including those of disabled pipelines.
    ///
    /// # Errors
    /// Any error of storage.
    pub(crate) async fn schedules(&self) -> Result<Vec<StoredSchedule>> {
        let mut schedules = self.0.storage.schedules(&Scope::All).await?;
        schedules.retain(|stored| self.0.scheduled.contains(&stored.pipeline));
        Ok(schedules)
    }

    /// Creates the run of a tick, unless storage finds a reason to skip it.
    ///
    /// # Errors
    /// Any error of storage. The tick then has no outcome yet.
    pub(crate) async fn fire(
        &self,
        schedule: &StoredSchedule,
        tick: PendingTick,
    ) -> Result<TickOutcome> {
        let shared = &self.0;
        let PendingTick {
            fire_at,
            date,
            trigger,
        } = tick;
        let run = shared.scheduled_run(&schedule.pipeline, trigger, date);
        let mut new = concurrency::new_run(run, &schedule.pipeline.definition);
        new.fire_at = Some(fire_at);
        let mut advance = Advance::new(schedule, fire_at);
        advance.run = Some(new);
        let capacity = shared.capacity.current();
        advance.queued_pipeline_max = capacity.queued_pipeline_max;
        advance.queued_max = capacity.queued_max;
        self.advance(advance).await
    }

    /// Skips every tick up to this instant.
    ///
    /// # Errors
    /// Any error of storage. The tick then has no outcome yet.
    pub(crate) async fn skip_until(
        &self,
        schedule: &StoredSchedule,
        until: DateTime<Utc>,
    ) -> Result<TickOutcome> {
        self.advance(Advance::new(schedule, until)).await
    }

    async fn advance(&self, advance: Advance) -> Result<TickOutcome> {
        let shared = &self.0;
        let _wake = WakeOnDrop(&shared.wake);
        let replaces = advance.overlap == Overlap::CancelRunning
            || advance.run.as_ref().is_some_and(replaced_runs::replaces);
        let replaced_of = replaces.then(|| advance.pipeline.clone());
        let trigger = advance.run.as_ref().map(|new| new.run.trigger);
        match shared.storage.advance(advance).await {
            Ok(advanced) => {
                if let Some(trigger) = trigger.filter(|_| advanced.tick == TickOutcome::Created) {
                    metrics::runs_created(trigger, 1);
                }
                shared.events.committed(advanced.seq);
                shared.notify_replaced(&advanced.replaced);
                Ok(advanced.tick)
            }
            Err(error) => {
                shared.notify_after_failed_commit(&error).await;
                let filter = replaced_of.map(replaced_runs::running_of);
                shared.notify_if_replaced(filter).await;
                Err(error)
            }
        }
    }

    /// Waits until a definition was saved or deleted since the last wait.
    pub(crate) async fn wait_for_change(&self) {
        self.0.schedules_changed.notified().await;
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.drain.is_cancelled()
    }

    /// Waits until the engine drains.
    pub(crate) async fn wait_for_drain(&self) {
        self.0.drain.cancelled().await;
    }
}

impl Shared {
    /// Builds the run that the scheduler starts: with the parameters of the definition alone.
    pub(super) fn scheduled_run(
        &self,
        pipeline: &StoredPipeline,
        trigger: Trigger,
        date: NaiveDate,
    ) -> Run {
        let mut run = Run::new(
            self.clock.new_run_id(),
            pipeline.id.clone(),
            pipeline.version,
            trigger,
            date,
            self.clock.now(),
        );
        let params = param_defs::resolve(&pipeline.definition, BTreeMap::new());
        set_params(&mut run, params);
        concurrency::keyed_if_resolved(run, &pipeline.definition)
    }
}
