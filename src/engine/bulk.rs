//! One command for many runs: cancels or reruns those of a list or of a filter.
//!
//! Each run is a command of its own. A call that breaks off has done a part, and can be repeated.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;

use super::audit::Author;
use super::cancel::CancelCommand;
use super::note::check_reason;
use super::request_key::hash_body;
use super::rerun::RerunRequest;
use super::resume::ResumeDefinition;
use super::{Engine, RequestKey};
use crate::error::{Error, ErrorKind, LogSpan, Problem, Result};
use crate::model::{PageRequest, Run, RunId, RunStatus, Scope, TraceParent};
use crate::storage::{IdempotentOperation, RunFilter};

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
    /// The idempotency key of each rerun. Makes a repeat of the call start nothing again.
    pub(crate) key: Option<String>,
    /// Why, in the words of the caller.
    pub(crate) reason: Option<String>,
    /// Who asks, and which objects that reaches.
    pub(crate) author: Author,
    /// The place of the request in a distributed trace.
    pub(crate) traceparent: Option<TraceParent>,
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
    /// Why, such as [`Problem::RunFinished`]. On the wire, its slug.
    #[serde(serialize_with = "as_slug")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub reason: Problem,
}

fn as_slug<S: Serializer>(
    problem: &Problem,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(problem.on_wire().slug())
}

/// A run that a call means.
#[derive(Debug, Clone, Copy)]
struct MeantRun {
    id: RunId,
    /// Its status, if a list has shown it.
    status: Option<RunStatus>,
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
    const fn refusal(&self, status: RunStatus) -> Option<Problem> {
        use RunStatus::{Failed, Pending, Running, Success};
        match (self, status) {
            (Self::Cancel(_), Success | Failed) => Some(Problem::RunFinished),
            (Self::Rerun(_), Pending | Running) => Some(Problem::RunNotFinished),
            (Self::Cancel(_) | Self::Rerun(_), _) => None,
        }
    }

    const fn scope(&self) -> &Scope {
        match self {
            Self::Cancel(cancel) => &cancel.author.scope,
            Self::Rerun(rerun) => &rerun.author.scope,
        }
    }

    /// Refuses what would be refused for every run.
    fn check(&self) -> Result<()> {
        let reason = match self {
            Self::Cancel(cancel) => &cancel.reason,
            Self::Rerun(rerun) => &rerun.reason,
        };
        check_reason(reason.as_deref())
    }
}

impl Engine {
    /// Does the same with many runs.
    ///
    /// An error that no single run has caused, such as `Unavailable`, ends the call. If a part is
    /// done by then, it is the reason why the other runs were skipped.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if `after` is no cursor, `Invalid` (`invalid-field`) if
    /// the reason is too long, `ShuttingDown`, and any error of storage. Nothing was done.
    pub(crate) async fn bulk(
        &self,
        runs: BulkRuns,
        action: BulkAction,
        is_preview: bool,
    ) -> Result<BulkOutcome> {
        action.check()?;
        let (runs, next) = self.meant_runs(runs, &action).await?;
        let mut outcome = BulkOutcome {
            matched: runs.len() as u64,
            next,
            ..BulkOutcome::default()
        };
        if is_preview {
            for run in runs {
                match self.bulk_refusal(run, &action).await? {
                    Some(reason) => outcome.skip(run.id, reason),
                    None => outcome.done += 1,
                }
            }
        } else {
            let runs: Vec<_> = runs.iter().map(|run| run.id).collect();
            self.bulk_commands(&runs, &action, &mut outcome).await?;
        }
        Ok(outcome)
    }

    /// Returns the runs of a call, and where the next call goes on.
    async fn meant_runs(
        &self,
        runs: BulkRuns,
        action: &BulkAction,
    ) -> Result<(Vec<MeantRun>, Option<String>)> {
        match runs {
            BulkRuns::Listed(runs) => {
                let meant = runs.into_iter().map(|id| MeantRun { id, status: None });
                Ok((meant.collect(), None))
            }
            BulkRuns::Filtered { mut filter, after } => {
                if filter.statuses.is_empty() {
                    filter.statuses = action.statuses();
                }
                let page = PageRequest::After {
                    cursor: after,
                    limit: BULK_MAX,
                };
                let found = self.0.storage.list_runs(filter, page).await?;
                let mut meant = Vec::with_capacity(found.items.len());
                for run in found.items {
                    if !self.is_made_by_the_key(&run, action).await? {
                        let (id, status) = (run.id, Some(run.status));
                        meant.push(MeantRun { id, status });
                    }
                }
                Ok((meant, found.next))
            }
        }
    }

    /// Returns whether an earlier call with the same key has made a run, which may fit the filter
    /// too.
    async fn is_made_by_the_key(&self, run: &Run, action: &BulkAction) -> Result<bool> {
        let (BulkAction::Rerun(rerun), Some(repeated)) = (action, run.rerun_of) else {
            return Ok(false);
        };
        let Some(key) = rerun.request_key() else {
            return Ok(false);
        };
        let key = key.for_operation(IdempotentOperation::Rerun(repeated));
        match self.0.find_replayed(Some(&key)).await {
            Ok(made) => Ok(made.is_some_and(|made| made.run_ids.contains(&run.id))),
            Err(error) if error.problem() == Problem::IdempotencyKeyReused => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns why a run would be left.
    async fn bulk_refusal(&self, run: MeantRun, action: &BulkAction) -> Result<Option<Problem>> {
        if let Some(status) = run.status {
            return Ok(action.refusal(status));
        }
        let filter = RunFilter {
            scope: action.scope().clone(),
            run: Some(run.id),
            ..RunFilter::default()
        };
        let page = PageRequest::Newest { limit: 1 };
        let found = self.0.storage.list_runs(filter, page).await?.items.pop();
        Ok(match found {
            Some(run) => action.refusal(run.status),
            None => Some(Problem::RunNotFound),
        })
    }

    /// Carries out the commands of a call until an error that no single run has caused.
    ///
    /// # Errors
    /// That error, if nothing was done.
    async fn bulk_commands(
        &self,
        runs: &[RunId],
        action: &BulkAction,
        outcome: &mut BulkOutcome,
    ) -> Result<()> {
        let mut ended_by = None;
        for part in runs.chunks(CONCURRENT_MAX) {
            if let Some(error) = &ended_by {
                let reason = Error::problem(error);
                part.iter().for_each(|run| outcome.skip(*run, reason));
                continue;
            }
            for (run, result) in self.bulk_part(part, action).await {
                match result {
                    Ok(created) => {
                        outcome.done += 1;
                        outcome.created.extend(created);
                    }
                    Err(error) => {
                        outcome.skip(run, error.problem());
                        if !is_of_one_run(&error) {
                            ended_by = Some(error);
                        }
                    }
                }
            }
        }
        match ended_by {
            Some(error) if outcome.done == 0 => Err(error),
            Some(_) | None => Ok(()),
        }
    }

    /// Carries out the commands of some runs at once. Returns the results in the order of the runs.
    async fn bulk_part(
        &self,
        runs: &[RunId],
        action: &BulkAction,
    ) -> Vec<(RunId, Result<Option<RunId>>)> {
        let start = |&run: &RunId| {
            let (engine, action) = (self.clone(), action.clone());
            let command = async move { engine.bulk_command(run, action).await };
            let task = self.0.tasks.spawn(LogSpan::current().instrument(command));
            (run, AbortOnDropHandle::new(task))
        };
        let started: Vec<_> = runs.iter().map(start).collect();
        let mut results = Vec::with_capacity(started.len());
        for (run, task) in started {
            let panicked = |error| Error::internal("a command panicked").with_source(error);
            results.push((run, task.await.map_err(panicked).flatten()));
        }
        results
    }

    /// Carries out the command of one run. Returns the new run of a rerun.
    async fn bulk_command(&self, run: RunId, action: BulkAction) -> Result<Option<RunId>> {
        match action {
            BulkAction::Cancel(cancel) => self.cancel(run, cancel).await.map(|_| None),
            BulkAction::Rerun(rerun) => {
                let started = self.rerun(rerun.into_request(run)).await?;
                Ok(Some(started.run_id))
            }
        }
    }
}

impl BulkRerun {
    /// Returns the key of each rerun. It means the same as with a rerun of one run alone.
    fn request_key(&self) -> Option<RequestKey> {
        let mut body = match self.definition {
            ResumeDefinition::Recorded => json!({}),
            ResumeDefinition::Current => json!({"definition": "current"}),
        };
        if let Some(reason) = &self.reason {
            body["reason"] = json!(reason);
        }
        self.key.clone().map(|key| RequestKey {
            key,
            body_hash: hash_body(&body),
        })
    }

    fn into_request(self, run: RunId) -> RerunRequest {
        RerunRequest {
            from_node: None,
            run,
            definition: self.definition,
            params: BTreeMap::new(),
            note: None,
            key: self.request_key(),
            reason: self.reason,
            author: self.author,
            traceparent: self.traceparent,
        }
    }
}

impl BulkOutcome {
    fn skip(&mut self, run_id: RunId, reason: Problem) {
        self.skipped.push(SkippedRun { run_id, reason });
    }
}

/// Returns whether an error refuses one run and says nothing of the others.
const fn is_of_one_run(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::RunFinished
            | ErrorKind::Conflict
            | ErrorKind::Invalid
            | ErrorKind::QueueFull
    )
}
