//! Runs that a newer run of their concurrency key, or the next tick of their schedule, replaces.
//!
//! Storage cancels them with the creation of that run. Their drivers hear of it here.

use super::Shared;
use crate::model::{Cancel, OnConflict, PageRequest, PipelineId, Qualified, RunStatus, Scope};
use crate::storage::{NewRun, ReplacedRun, RunFilter};

/// The most executing runs of a pipeline that are looked at after a commit of unknown outcome.
const EXECUTING_MAX: u32 = 1_000;

/// Returns whether a run may replace others of its key.
pub(super) fn replaces(new: &NewRun) -> bool {
    new.on_conflict == OnConflict::CancelRunning && new.run.concurrency.is_some()
}

/// Returns the filter of the running runs of a pipeline.
pub(super) fn running_of(pipeline: Qualified<PipelineId>) -> RunFilter {
    RunFilter {
        scope: pipeline.scope(),
        pipeline: Some(pipeline.id),
        statuses: vec![RunStatus::Running],
        ..RunFilter::default()
    }
}

/// Returns the filter of the runs that new ones may replace, if they may replace any.
pub(super) fn replaced_of(runs: &[NewRun], scope: &Scope) -> Option<RunFilter> {
    let new = runs.iter().find(|new| replaces(new))?;
    let pipeline = new.run.pipeline_id.clone();
    let all = running_of(Qualified::new(pipeline, None));
    Some(RunFilter {
        scope: scope.clone(),
        ..all
    })
}

impl Shared {
    /// Notifies the drivers and the waiters of runs that were replaced.
    pub(super) fn notify_replaced(&self, replaced: &[ReplacedRun]) {
        for ReplacedRun { run, status } in replaced {
            self.notify_cancelled(*run, *status, Cancel::Forced);
        }
    }

    /// Notifies the drivers of executing runs if storage holds a cancel request for them.
    ///
    /// The outcome of a failed commit is unknown: a run may have been replaced.
    pub(super) async fn notify_if_replaced(&self, executing: Option<RunFilter>) {
        let Some(filter) = executing else {
            return;
        };
        let page = PageRequest::Newest {
            limit: EXECUTING_MAX,
        };
        let Ok(executing) = self.storage.list_runs(filter, page).await else {
            return;
        };
        for run in executing.items {
            if let Some(cancel) = run.cancel {
                self.active.request_cancel(run.id, cancel.kind);
            }
        }
        self.events.recheck_waiters();
    }
}
