//! The commands of the scheduler for dependencies: answers the ends of upstream runs.
//!
//! The scheduler (`src/scheduler/answers.rs`) decides which ends start a run.

use std::collections::BTreeMap;

use super::run_date::set_params;
use super::trigger::WakeOnDrop;
use super::{SchedulerHandle, Shared};
use crate::error::Result;
use crate::graph::param_defs;
use crate::metrics;
use crate::model::{Run, RunId, StoredPipeline, Trigger};
use crate::storage::{AnswerEnds, EndAnswer, NewRun, UpstreamEnd, WaitingEnds};

impl SchedulerHandle {
    /// Returns the ends that wait for the pipelines whose runs start in this engine.
    ///
    /// # Errors
    /// Any error of storage.
    pub(crate) async fn waiting_ends(&self) -> Result<Vec<WaitingEnds>> {
        let mut waiting = self.0.storage.waiting_ends().await?;
        waiting.retain(|one| self.0.scheduled.contains(&one.pipeline));
        Ok(waiting)
    }

    /// Answers ends of a pipeline: with the run that one of them starts, or without a run.
    ///
    /// # Errors
    /// `QueueFull`, and any error of storage. The ends then wait on, unless an answer has been
    /// committed whose result was lost.
    pub(crate) async fn answer(
        &self,
        pipeline: &StoredPipeline,
        ends: Vec<RunId>,
        starts: Option<&UpstreamEnd>,
    ) -> Result<EndAnswer> {
        let shared = &self.0;
        let mut answer = AnswerEnds::new(pipeline, ends);
        answer.run = starts.map(|end| NewRun::new(shared.run_after(pipeline, end)));
        let capacity = shared.capacity.current();
        answer.queued_pipeline_max = capacity.queued_pipeline_max;
        answer.queued_max = capacity.queued_max;
        let _wake = WakeOnDrop(&shared.wake);
        match shared.storage.answer_ends(answer).await {
            Ok(outcome) => {
                if outcome.answer == EndAnswer::Created {
                    metrics::runs_created(Trigger::Dependency, 1);
                }
                shared.events.committed(outcome.seq);
                Ok(outcome.answer)
            }
            Err(error) => {
                shared.notify_after_failed_commit(&error).await;
                Err(error)
            }
        }
    }

    /// Waits until ends may wait that did not before.
    pub(crate) async fn wait_for_ends(&self) {
        self.0.ends_changed.notified().await;
    }
}

impl Shared {
    /// Builds the run of a dependent pipeline. It has the date of the upstream run.
    fn run_after(&self, pipeline: &StoredPipeline, end: &UpstreamEnd) -> Run {
        let mut run = Run::new(
            self.clock.new_run_id(),
            pipeline.id.clone(),
            pipeline.version,
            Trigger::Dependency,
            end.date,
            self.clock.now(),
        );
        run.upstream_run_id = Some(end.run);
        let params = param_defs::resolve(&pipeline.definition, BTreeMap::new());
        set_params(&mut run, params);
        run
    }

    /// Wakes what waits for the ends of upstream runs: the scheduler, and runs behind a gate.
    pub(super) fn notify_ends(&self, may_start_others: bool) {
        if may_start_others {
            self.recheck_ends();
            self.wake.notify_one();
        }
    }

    /// Lets the scheduler look at the ends of upstream runs again, after a claim, which has looked
    /// at the gates itself.
    pub(super) fn recheck_ends(&self) {
        self.ends_changed.notify_one();
    }
}
