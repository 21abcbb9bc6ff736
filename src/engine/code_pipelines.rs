//! Pipelines of the host's code: saves them, leaves those that the code no longer has to
//! callers, and keeps callers from editing the others.
//!
//! Storage decides what a save by code leaves of a caller's changes. `pipelines` saves for callers.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Engine, Shared, hooks, webhook};
use crate::error::{Error, ErrorKind, Problem, Result, log, quote};
use crate::graph::definition;
use crate::graph::dependencies::upstream_first;
use crate::model::{Hooks, Managed, PageRequest, Pipeline, Scope, StoredPipeline, TenantId};
use crate::storage::{Expect, PipelineFilter, PutPipeline, SavedBy, SlugChoice, TokenChange};

/// How many pipelines a start reads at once.
const PAGE: u32 = 1_000;

/// What callers may do with the pipelines of the code, and what becomes of those that it loses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CodePolicy {
    /// Callers may edit and delete them.
    pub(crate) allows_edits: bool,
    /// A start disables pipelines that the code no longer has.
    pub(crate) prunes_removed: bool,
}

impl Engine {
    /// Checks definitions that the host built in code. Nothing is saved.
    ///
    /// # Errors
    /// One error with every issue of all pipelines and the problem of the first.
    pub(crate) fn check_pipelines(&self, pipelines: &[Pipeline]) -> Result<()> {
        let refusal = |pipeline: &Pipeline| {
            let configs = || self.0.refuse_configs(pipeline, pipeline.tenant.as_ref());
            let refused = self.0.check_definition(pipeline).and_then(|()| configs());
            let refused = refused.err()?;
            Some(with_pipeline_id(&pipeline.id, refused))
        };
        let refused: Vec<_> = pipelines.iter().filter_map(refusal).collect();
        let Some(first) = refused.first() else {
            return Ok(());
        };
        let messages: Vec<_> = refused.iter().map(Error::to_string).collect();
        let issues = refused.iter().flat_map(|error| error.issues().to_vec());
        let issues = issues.collect();
        Err(Error::new(first.problem(), messages.join("; ")).with_issues(issues))
    }

    /// Makes checked definitions the pipelines of the code: saves them, and leaves those that the
    /// code no longer has to callers.
    ///
    /// # Errors
    /// `Conflict` (`already-exists`), and any error of storage. A pipeline is left to callers only
    /// after all are saved.
    pub(crate) async fn set_pipelines(&self, pipelines: Vec<Pipeline>) -> Result<()> {
        let key = |pipeline: &Pipeline| (pipeline.tenant.clone(), pipeline.id.clone());
        let present = pipelines.iter().map(key).collect();
        // A pipeline of a caller may depend on an earlier definition of one that is saved later.
        let mut refused = self.save_each(upstream_first(pipelines)).await?;
        while !refused.is_empty() {
            let count = refused.len();
            let rest = refused.into_iter().map(|(pipeline, _)| pipeline);
            refused = self.save_each(rest.collect()).await?;
            if refused.len() == count
                && let Some((pipeline, error)) = refused.pop()
            {
                return Err(with_pipeline_id(&pipeline.id, error));
            }
        }
        self.command(|shared| async move { shared.remove_absent(&present).await })
            .await
    }

    /// Saves definitions of the code. Returns those that would close a circle of dependencies.
    ///
    /// # Errors
    /// Those of [`Engine::set_pipelines`].
    async fn save_each(&self, pipelines: Vec<Pipeline>) -> Result<Vec<(Pipeline, Error)>> {
        let mut refused = Vec::new();
        for pipeline in pipelines {
            let given = pipeline.clone();
            let saved = self.command(|shared| async move { shared.put_by_code(given).await });
            match saved.await {
                Ok(_) => {}
                Err(error) if error.problem() == Problem::DependencyCycle => {
                    refused.push((pipeline, error));
                }
                Err(error) => return Err(with_pipeline_id(&pipeline.id, error)),
            }
        }
        Ok(refused)
    }

    /// Saves a definition that the host built in code, and replaces a stored one.
    ///
    /// # Errors
    /// `Invalid` with every problem, `Conflict` (`already-exists`), and any error of storage.
    pub(crate) async fn add_pipeline(&self, pipeline: Pipeline) -> Result<StoredPipeline> {
        self.command(|shared| async move {
            shared.check_definition(&pipeline)?;
            shared.put_by_code(pipeline).await
        })
        .await
    }

    /// Disables a pipeline of the code and leaves it to callers.
    ///
    /// # Errors
    /// `NotFound` if the code has no such pipeline; `Conflict` (`precondition-failed`) if it
    /// changes meanwhile; any error of storage.
    pub(crate) async fn remove_pipeline(
        &self,
        id: &str,
        tenant: Option<&TenantId>,
    ) -> Result<StoredPipeline> {
        let (id, scope) = (id.to_owned(), Scope::of(tenant));
        self.command(|shared| async move {
            let found = shared.find_pipeline(&id, &scope).await?;
            if found.managed != Managed::Code || found.id.as_str() != id {
                let message = format!("the host's code has no pipeline with the id {}", quote(&id));
                return Err(Error::new(Problem::PipelineNotFound, message));
            }
            shared.remove_from_code(found, true).await
        })
        .await
    }
}

impl Shared {
    /// Checks a definition except for the configs of its nodes, which [`Shared::build_put`] checks.
    ///
    /// # Errors
    /// `Invalid` with every problem.
    fn check_definition(&self, pipeline: &Pipeline) -> Result<()> {
        definition::check(pipeline, &self.limits)?;
        webhook::refuse_request(pipeline)?;
        hooks::refuse_stored_secrets(&pipeline.hooks)?;
        self.refuse_unusable_types(pipeline, pipeline.tenant.as_ref())
    }

    async fn put_by_code(&self, pipeline: Pipeline) -> Result<StoredPipeline> {
        let tenant = pipeline.tenant.clone();
        let (mut put, warnings) = self
            .build_put(pipeline, tenant.as_ref(), &Hooks::default())
            .await?;
        for warning in warnings {
            let tenant = tenant.as_ref().map(tracing::field::display);
            log::warn!(pipeline_id = %put.id, tenant, detail = %warning.detail, "a definition is odd");
        }
        put.saved_by = SavedBy::Code;
        put.scope = Scope::of(tenant.as_ref());
        self.put(put).await
    }

    /// Leaves to callers every stored pipeline that the code manages and that is not `present`.
    async fn remove_absent(&self, present: &BTreeSet<(Option<TenantId>, String)>) -> Result<()> {
        for stored in self.pipelines_of_code().await? {
            let key = (stored.tenant.clone(), stored.id.as_str().to_owned());
            if present.contains(&key) {
                continue;
            }
            let tenant = stored.tenant.as_ref().map(tracing::field::display);
            let is_disabled = self.code_policy.prunes_removed;
            log::warn!(pipeline_id = %stored.id, tenant, is_disabled, "the code no longer has a pipeline");
            self.remove_from_code(stored, is_disabled).await?;
        }
        Ok(())
    }

    async fn pipelines_of_code(&self) -> Result<Vec<StoredPipeline>> {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let filter = PipelineFilter {
                managed: Some(Managed::Code),
                ..PipelineFilter::default()
            };
            let page = PageRequest::After {
                cursor,
                limit: PAGE,
            };
            let page = self.storage.list_pipelines(filter, page).await?;
            found.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(found),
            }
        }
    }

    async fn remove_from_code(
        &self,
        found: StoredPipeline,
        is_disabled: bool,
    ) -> Result<StoredPipeline> {
        let enabled = found.definition.enabled && !is_disabled;
        let definition = Arc::new(Pipeline {
            enabled,
            ..Pipeline::clone(&found.definition)
        });
        let slug = SlugChoice::Given(found.slug);
        let mut put = PutPipeline::new(found.id, slug, definition, self.clock.now());
        put.expect = Expect::Version(found.version);
        put.saved_by = SavedBy::Removal;
        put.scope = Scope::of(found.tenant.as_ref());
        self.put(put).await
    }

    /// Restricts a caller's save of a pipeline of the code to a change of `enabled`. A save without
    /// a token leaves that of the code.
    ///
    /// # Errors
    /// `Conflict` (`managed-by-code`) if the save would change more.
    pub(super) fn restrict_edit(
        &self,
        found: &StoredPipeline,
        put: &mut PutPipeline,
    ) -> Result<()> {
        if !self.is_closed(found) {
            return Ok(());
        }
        let is_same_slug = match &put.slug {
            SlugChoice::Given(given) => *given == found.slug,
            SlugChoice::Derived(_) => true,
        };
        let is_new_token = match put.webhook_token {
            TokenChange::Set(hash) => found.webhook_token != Some(hash),
            TokenChange::Keep | TokenChange::Remove => false,
        };
        let is_same = found.definition.is_same_but_enabled(&put.definition);
        if !is_same_slug || is_new_token || !is_same {
            return Err(managed_by_code(found, "may change only its enabled"));
        }
        put.slug = SlugChoice::Given(found.slug.clone());
        put.webhook_token = TokenChange::Keep;
        // Otherwise the code's next definition could be lost to the one of this check.
        put.expect = Expect::Version(found.version);
        Ok(())
    }

    /// Refuses a caller's deletion of a pipeline of the code.
    ///
    /// # Errors
    /// `Conflict` (`managed-by-code`).
    pub(super) fn refuse_deletion(&self, found: &StoredPipeline) -> Result<()> {
        if self.is_closed(found) {
            return Err(managed_by_code(found, "cannot delete it"));
        }
        Ok(())
    }

    fn is_closed(&self, found: &StoredPipeline) -> bool {
        found.managed == Managed::Code && !self.code_policy.allows_edits
    }
}

/// Adds the pipeline's id to the message of a refusal.
fn with_pipeline_id(id: &str, error: Error) -> Error {
    if error.kind() != ErrorKind::Invalid {
        return error;
    }
    let details: Vec<_> = error
        .issues()
        .iter()
        .map(|issue| issue.detail.as_str())
        .collect();
    let message = if details.is_empty() {
        error.to_string()
    } else {
        details.join("; ")
    };
    let issues = error.issues().to_vec();
    Error::new(error.problem(), format!("pipeline {id}: {message}"))
        .with_issues(issues)
        .with_source(error)
}

fn managed_by_code(found: &StoredPipeline, what: &str) -> Error {
    let id = &found.id;
    let message = format!("the host's code defines the pipeline {id}, so a request {what}");
    Error::new(Problem::ManagedByCode, message)
}
