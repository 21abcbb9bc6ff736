//! Repeats a backfill: a new one of its dates, or of those that have not succeeded.
//!
//! `backfill` creates it.

use std::collections::BTreeMap;

use super::audit::{Audited, Author, Named};
use super::backfill::{BackfillRequest, StartedBackfill};
use super::backfill_dates::BackfillDates;
use super::{Engine, RequestKey, Shared};
use crate::error::{Error, Problem, Result};
use crate::model::{
    AuditAction, BackfillId, BackfillPreview, BackfillRun, Params, RunId, RunStatus, Scope,
    TraceParent,
};

/// The dates of a backfill that are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RepeatedDates {
    /// Those whose run has not succeeded, nor a resume or a rerun of it since.
    #[default]
    Failed,
    /// Every date.
    All,
}

/// A request to repeat a backfill.
#[derive(Debug, Clone)]
pub(crate) struct BackfillRerun {
    pub(crate) backfill: BackfillId,
    pub(crate) only: RepeatedDates,
    pub(crate) key: Option<RequestKey>,
    /// Why, in the words of the caller.
    pub(crate) reason: Option<String>,
    /// Who asks, and which objects that reaches.
    pub(crate) author: Author,
    /// The place of the request in a distributed trace.
    pub(crate) traceparent: Option<TraceParent>,
}

impl Engine {
    /// Creates a backfill of the dates of a finished one, with its parameters and its settings, on
    /// the newest definition.
    ///
    /// # Errors
    /// `NotFound` (`backfill-not-found`, `pipeline-not-found`), `Conflict` (`run-not-finished`),
    /// and those of [`Engine::backfill`].
    pub(crate) async fn rerun_backfill(&self, rerun: BackfillRerun) -> Result<StartedBackfill> {
        let (action, named) = (AuditAction::BackfillRerun, Named::Backfill(rerun.backfill));
        let audited = Audited::new(action, named, rerun.author.clone());
        let audited = audited.because(rerun.reason.clone());
        self.audited(audited, |shared, audited| async move {
            shared.rerun_backfill(rerun, &audited).await
        })
        .await
    }

    /// Returns the dates that a rerun would run, and those that have succeeded since. Nothing is
    /// created.
    ///
    /// # Errors
    /// The same as [`Engine::rerun_backfill`], apart from `QueueFull`.
    pub(crate) async fn preview_backfill_rerun(
        &self,
        rerun: BackfillRerun,
    ) -> Result<BackfillPreview> {
        match self.0.repeating_request(rerun).await? {
            Some(request) => self.preview_backfill(request).await,
            None => Ok(BackfillPreview::new(Vec::new(), Vec::new())),
        }
    }
}

impl Shared {
    async fn rerun_backfill(
        &self,
        rerun: BackfillRerun,
        audited: &Audited,
    ) -> Result<StartedBackfill> {
        match self.repeating_request(rerun).await? {
            Some(request) => self.backfill(request, audited).await,
            None => Ok(StartedBackfill::empty()),
        }
    }

    /// Returns the backfill that a rerun asks for, unless no run is left to repeat.
    async fn repeating_request(&self, rerun: BackfillRerun) -> Result<Option<BackfillRequest>> {
        let BackfillRerun {
            backfill: id,
            only,
            key,
            reason: _,
            author,
            traceparent,
        } = rerun;
        let found = self.storage.find_backfill(id, &author.scope).await?;
        let old = found.ok_or_else(|| Error::backfill_not_found(id))?;
        let unfinished = |run: &&BackfillRun| !run.status.is_terminal();
        if let Some(run) = old.runs.iter().find(unfinished) {
            let message = format!(
                "run {} of the backfill {id} has not finished, so that the backfill cannot be rerun",
                run.id
            );
            return Err(Error::new(Problem::RunNotFinished, message));
        }
        let is_repeated =
            |run: &&BackfillRun| only == RepeatedDates::All || run.status != RunStatus::Success;
        let runs: Vec<_> = old.runs.iter().filter(is_repeated).copied().collect();
        let Some(first) = runs.first() else {
            return Ok(None);
        };
        let scope = Scope::of(old.backfill.tenant.as_ref());
        let params = self.backfill_params(first.id, &scope).await?;
        Ok(Some(BackfillRequest {
            pipeline: old.backfill.pipeline_id.to_string(),
            dates: BackfillDates::Repeated(runs),
            unit: old.backfill.unit,
            params,
            order: old.backfill.order,
            max_parallel: old.backfill.max_parallel,
            max_failures: old.backfill.max_failures,
            // A resume or a rerun may have succeeded since.
            skip_existing: only == RepeatedDates::Failed,
            repeats: Some(id),
            key: key.map(|key| key.about(&id)),
            author: Author { scope, ..author },
            traceparent,
        }))
    }

    /// Returns the parameters that the runs of a backfill share.
    async fn backfill_params(&self, run: RunId, scope: &Scope) -> Result<Params> {
        let found = self.storage.find_run(run, scope).await?;
        let found = found.ok_or_else(|| Error::run_not_found(run))?;
        let mut params = self.repeated_params(&found.run, BTreeMap::new(), &[])?;
        params.remove_date();
        Ok(params)
    }
}
