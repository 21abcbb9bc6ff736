//! The commands of the scheduler for dependencies: answers the ends of upstream runs.
//!
//! The scheduler (`src/scheduler/answers.rs`) decides which ends start a run.

use super::concurrency;
use super::replaced_runs;
use super::trigger::WakeOnDrop;
use super::{SchedulerHandle, Shared};
use crate::error::Result;
use crate::metrics;
use crate::model::{Run, RunId, StoredPipeline, Trigger};
use crate::storage::{AnswerEnds, EndAnswer, UpstreamEnd, WaitingEnds};

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

    /// Builds an answer to ends of a pipeline: with the run that one of them starts, or without a
    /// run.
    pub(crate) fn new_answer(
        &self,
        pipeline: &StoredPipeline,
        ends: Vec<RunId>,
        starts: Option<&UpstreamEnd>,
    ) -> AnswerEnds {
        let shared = &self.0;
        let mut answer = AnswerEnds::new(pipeline, ends);
        answer.run = starts.map(|end| {
            let run = shared.dependent_run(pipeline, end);
            concurrency::new_run(run, &pipeline.definition)
        });
        let capacity = shared.capacity.current();
        answer.queued_pipeline_max = capacity.queued_pipeline_max;
        answer.queued_max = capacity.queued_max;
        answer
    }

    /// Answers ends of a pipeline.
    ///
    /// # Errors
    /// `QueueFull`, and any error of storage. The ends then wait on, unless an answer has been
    /// committed whose result was lost.
    pub(crate) async fn answer(&self, answer: AnswerEnds) -> Result<EndAnswer> {
        let shared = &self.0;
        let _wake = WakeOnDrop(&shared.wake);
        let replaces = answer.run.as_ref().is_some_and(replaced_runs::replaces);
        let replaced_of = replaces.then(|| replaced_runs::running_of(answer.pipeline.clone()));
        match shared.storage.answer_ends(answer).await {
            Ok(outcome) => {
                if outcome.answer == EndAnswer::Created {
                    metrics::runs_created(Trigger::Dependency, 1);
                }
                shared.events.committed(outcome.seq);
                shared.notify_replaced(&outcome.replaced);
                Ok(outcome.answer)
            }
            Err(error) => {
                shared.notify_after_failed_commit(&error).await;
                shared.notify_if_replaced(replaced_of).await;
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
    /// Builds the run of a dependent pipeline. It has the date and the instant of the upstream run.
    fn dependent_run(&self, pipeline: &StoredPipeline, end: &UpstreamEnd) -> Run {
        let mut run = self.scheduled_run(pipeline, Trigger::Dependency, end.date);
        (run.upstream_run_id, run.scheduled_at) = (Some(end.run), end.scheduled_at);
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
