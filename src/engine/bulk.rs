//! One command for many runs: cancels or reruns those of a list or of a filter.
//!
//! Each run is a command of its own. A call that breaks off has done a part, and can be repeated.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::task::JoinSet;

use super::cancel::CancelCommand;
use super::rerun::RerunRequest;
use super::resume::ResumeDefinition;
use super::{Engine, RequestKey};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{CallerName, PageRequest, RunId, RunStatus, Scope};
use crate::storage::RunFilter;

/// The most runs of a call. 1,000: a few seconds of commits.
pub(crate) const BULK_MAX: u32 = 1_000;

/// How many commands of a call are in progress at once. Their commits are shared.
const CONCURRENT_MAX: usize = 64;

/// The runs that a call means.
#[derive(Debug, Clone)]
pub(crate) enum BulkRuns {
    /// These runs.
    Listed(Vec<RunId>),
    /// Those of a filter, the newest first, after the run that an earlier call ended with.
    Filtered {
        filter: RunFilter,
        after: Option<String>,
    },
}

/// What a call does with each run.
#[derive(Debug, Clone)]
pub(crate) enum BulkAction {
    Cancel(CancelCommand),
    Rerun(BulkRerun),
}

/// How a call reruns each run.
#[derive(Debug, Clone)]
pub(crate) struct BulkRerun {
    pub(crate) definition: ResumeDefinition,
    /// Makes a repeat of the call start nothing again.
    pub(crate) key: Option<RequestKey>,
    pub(crate) scope: Scope,
    pub(crate) by: Option<CallerName>,
}

/// What a call for many runs has done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(description = "What a call for many runs has done.")
)]
#[non_exhaustive]
pub struct BulkOutcome {
    /// How many runs the call has looked at: at most 1,000.
    pub matched: u64,
    /// How many of them it has cancelled or rerun. In a preview, how many it would.
    pub done: u64,
    /// The runs that it has left, in the order of the call.
    pub skipped: Vec<SkippedRun>,
    /// The new runs of a rerun, in the order of the runs that they repeat.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub created: Vec<RunId>,
    /// Where the next call goes on, if the filter has more runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A run that a call for many runs has left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(description = "A run that was left as it is.")
)]
#[non_exhaustive]
pub struct SkippedRun {
    /// The run.
    pub run_id: RunId,
    /// Why: the slug of a problem, such as `run-finished`.
    pub reason: String,
}

impl BulkAction {
    /// Returns the statuses of the runs that a filter without a status means.
    fn statuses(&self) -> Vec<RunStatus> {
        let is_meant = |status: &RunStatus| match self {
            Self::Cancel(_) => !status.is_terminal(),
            Self::Rerun(_) => status.is_terminal(),
        };
        RunStatus::ALL.into_iter().filter(is_meant).collect()
    }

    /// Returns why a run with this status would be left.
    const fn refusal(&self, status: RunStatus) -> Option<&'static str> {
        match (self, status) {
            (Self::Cancel(_), RunStatus::Success | RunStatus::Failed) => Some("run-finished"),
            (Self::Rerun(_), RunStatus::Pending | RunStatus::Running) => Some("run-not-finished"),
            (Self::Cancel(_) | Self::Rerun(_), _) => None,
        }
    }
}

impl Engine {
    /// Does the same with many runs.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if `after` is no cursor, `ShuttingDown`, and `Unavailable`
    /// with what is left undone.
    pub(crate) async fn bulk(
        &self,
        runs: BulkRuns,
        action: BulkAction,
        scope: &Scope,
        is_preview: bool,
    ) -> Result<BulkOutcome> {
        let (runs, next) = self.bulk_runs(runs, &action).await?;
        let mut outcome = BulkOutcome {
            matched: runs.len() as u64,
            next,
            ..BulkOutcome::default()
        };
        if is_preview {
            for run in runs {
                let refusal = self.bulk_refusal(run, &action, scope).await?;
                outcome.note(run, refusal.map_or(Ok(None), Err));
            }
            return Ok(outcome);
        }
        for part in runs.chunks(CONCURRENT_MAX) {
            let mut results = self.bulk_part(part, &action).await?;
            for run in part {
                if let Some(result) = results.remove(run) {
                    outcome.note(*run, skipped(result)?);
                }
            }
        }
        Ok(outcome)
    }

    /// Returns the runs of a call, and where the next call goes on.
    async fn bulk_runs(
        &self,
        runs: BulkRuns,
        action: &BulkAction,
    ) -> Result<(Vec<RunId>, Option<String>)> {
        match runs {
            BulkRuns::Listed(runs) => Ok((runs, None)),
            BulkRuns::Filtered { mut filter, after } => {
                if filter.statuses.is_empty() {
                    filter.statuses = action.statuses();
                }
                let page = PageRequest::After {
                    cursor: after,
                    limit: BULK_MAX,
                };
                let found = self.0.storage.list_runs(filter, page).await?;
                let runs = found.items.into_iter().map(|run| run.id).collect();
                Ok((runs, found.next))
            }
        }
    }

    async fn bulk_refusal(
        &self,
        run: RunId,
        action: &BulkAction,
        scope: &Scope,
    ) -> Result<Option<&'static str>> {
        let filter = RunFilter {
            scope: scope.clone(),
            run: Some(run),
            ..RunFilter::default()
        };
        let page = PageRequest::Newest { limit: 1 };
        let found = self.0.storage.list_runs(filter, page).await?.items.pop();
        Ok(match found {
            Some(run) => action.refusal(run.status),
            None => Some("run-not-found"),
        })
    }

    /// Carries out the commands of some runs at once.
    async fn bulk_part(
        &self,
        runs: &[RunId],
        action: &BulkAction,
    ) -> Result<BTreeMap<RunId, Result<Option<RunId>>>> {
        let mut tasks = JoinSet::new();
        for &run in runs {
            let (engine, action) = (self.clone(), action.clone());
            tasks.spawn(async move { (run, engine.bulk_one(run, action).await) });
        }
        let mut results = BTreeMap::new();
        while let Some(joined) = tasks.join_next().await {
            let (run, result) =
                joined.map_err(|error| Error::internal("a command panicked").with_source(error))?;
            results.insert(run, result);
        }
        Ok(results)
    }

    /// Carries out the command of one run. Returns the new run of a rerun.
    async fn bulk_one(&self, run: RunId, action: BulkAction) -> Result<Option<RunId>> {
        match action {
            BulkAction::Cancel(cancel) => self.cancel(run, cancel).await.map(|_| None),
            BulkAction::Rerun(BulkRerun {
                definition,
                key,
                scope,
                by,
            }) => {
                let rerun = RerunRequest {
                    run,
                    definition,
                    params: BTreeMap::new(),
                    note: None,
                    key,
                    scope,
                    by,
                };
                self.rerun(rerun).await.map(|started| Some(started.run_id))
            }
        }
    }
}

impl BulkOutcome {
    fn note(&mut self, run: RunId, result: std::result::Result<Option<RunId>, &'static str>) {
        match result {
            Ok(created) => {
                self.done += 1;
                self.created.extend(created);
            }
            Err(reason) => self.skipped.push(SkippedRun {
                run_id: run,
                reason: reason.to_owned(),
            }),
        }
    }
}

/// Returns the reason why a run was left, unless that ends the call: a refusal of one run leaves
/// the others as they are, but what keeps storage from an answer does not.
fn skipped(
    result: Result<Option<RunId>>,
) -> Result<std::result::Result<Option<RunId>, &'static str>> {
    match result {
        Ok(created) => Ok(Ok(created)),
        Err(error) => match error.kind() {
            ErrorKind::NotFound
            | ErrorKind::RunFinished
            | ErrorKind::Conflict
            | ErrorKind::Invalid
            | ErrorKind::QueueFull => Ok(Err(error.slug())),
            _ => Err(error),
        },
    }
}
