//! Saves, validates and deletes pipelines, and reports every problem of a definition at once.
//!
//! `graph/definition` decides whether a definition is valid. `code_pipelines` saves those of the
//! host's code.

use std::sync::Arc;

use serde_json::Value;

use super::audit::{Audited, Author, Named};
use super::definition_warnings;
use super::hooks;
use super::id_mismatch;
use super::secret_input::{TRIES_MAX, is_precondition_failed};
use super::trigger::WakeOnDrop;
use super::webhook;
use super::{Engine, Shared};
use crate::error::{Error, Issue, Problem, Result};
use crate::graph::{definition, slug};
use crate::model::{
    AuditAction, AuditSubject, Hooks, Pipeline, PipelineId, Scope, Slug, StoredPipeline, TenantId,
    WebhookToken,
};
use crate::storage::{DeletePipeline, Expect, PutPipeline, SlugChoice};

/// The problems of a definition: errors, and warnings about what is merely suspicious.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ValidationReport {
    /// What keeps runs of the pipeline from succeeding. A pipeline without any is valid.
    pub errors: Vec<Issue>,
    /// What is odd, such as a key of a config that nothing reads.
    pub warnings: Vec<Issue>,
}

/// A pipeline that was saved, and what is odd about its definition.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SavedPipeline {
    /// The pipeline as storage holds it.
    pub stored: StoredPipeline,
    /// What is odd, such as a key of a config that nothing reads.
    pub warnings: Vec<Issue>,
    /// The token that the save has made for the webhook, because [`Pipeline::webhook_token`] was
    /// empty. Nobody can read it later.
    pub webhook_token: Option<WebhookToken>,
}

/// The revisions at which a caller allows a pipeline to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// Any revision.
    Anything,
    /// This version.
    Version(u32),
    /// One of these revisions.
    OneOf(Vec<Revision>),
}

/// A version of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    /// The id of the pipeline with its tenant.
    pub(crate) id: String,
    pub(crate) version: u32,
}

impl Precondition {
    /// Returns the version that the stored pipeline must still have when the change is written, or
    /// `None` if any version will do.
    ///
    /// # Errors
    /// `Conflict` (`precondition-failed`) if the stored pipeline is at none of the expected
    /// revisions.
    pub(super) fn check(&self, found: &StoredPipeline) -> Result<Option<u32>> {
        let is_current = match self {
            Self::Anything => return Ok(None),
            Self::Version(version) => *version == found.version,
            Self::OneOf(revisions) => {
                let own = found.qualified_id().to_string();
                let mut revisions = revisions.iter();
                revisions.any(|one| one.id == own && one.version == found.version)
            }
        };
        if is_current {
            return Ok(Some(found.version));
        }
        Err(Error::new(
            Problem::PreconditionFailed,
            format!(
                "the pipeline {} is at version {}, which is not a version that the request expects",
                found.id, found.version
            ),
        ))
    }
}

impl Engine {
    /// Creates a pipeline from a definition. Generates an id if the definition has none.
    ///
    /// # Errors
    /// `Invalid` with every problem, `Conflict` (`already-exists`), and any error of storage.
    pub(crate) async fn create_pipeline(
        &self,
        definition: Value,
        author: &Author,
    ) -> Result<SavedPipeline> {
        let scope = author.scope.clone();
        let named = definition.get("id").and_then(Value::as_str);
        let named = Named::Pipeline(named.unwrap_or_default().to_owned());
        let audited = Audited::new(AuditAction::PipelineCreate, named, author.clone());
        self.audited(audited, |shared, audited| async move {
            let new_id = || shared.clock.new_run_id().to_string();
            id_mismatch::refuse_other_tenant(&definition, scope.tenant())?;
            let mut pipeline = definition::parse(definition, new_id, &shared.limits)?;
            webhook::refuse_mask(&pipeline, None)?;
            hooks::refuse_masks(&pipeline.hooks, &Hooks::default())?;
            let webhook_token = shared.make_token(&mut pipeline);
            let (mut put, warnings) = shared
                .build_put(pipeline, scope.tenant(), &Hooks::default())
                .await?;
            put.expect = Expect::Absent;
            put.scope = scope;
            put.audit = Some(audited.entry(AuditSubject::Pipeline(put.id.clone()), put.now));
            let stored = shared.put(put).await?;
            Ok(SavedPipeline {
                stored,
                warnings,
                webhook_token,
            })
        })
        .await
    }

    /// Replaces the pipeline with this id or slug.
    ///
    /// # Errors
    /// `NotFound`, `Malformed` (`id-mismatch`), `Invalid` with every problem, `Conflict`, and any
    /// error of storage.
    pub(crate) async fn replace_pipeline(
        &self,
        key: &str,
        mut definition: Value,
        precondition: &Precondition,
        author: &Author,
    ) -> Result<SavedPipeline> {
        let (key, precondition) = (key.to_owned(), precondition.clone());
        let scope = author.scope.clone();
        let named = Named::Pipeline(key.clone());
        let audited = Audited::new(AuditAction::PipelineEdit, named, author.clone());
        self.audited(audited, |shared, audited| async move {
            let mut found = shared.find_pipeline(&key, &scope).await?;
            id_mismatch::refuse_id_mismatch(&definition, "id", &found.id)?;
            id_mismatch::refuse_other_tenant(&definition, found.tenant.as_ref())?;
            slug::drop_unchanged(&mut definition, &found.slug);
            let id = found.id.as_str().to_owned();
            let pipeline = definition::parse(definition, || id, &shared.limits)?;
            // A secret that stays is that of a version, which another writer may replace meanwhile.
            let may_repeat =
                precondition == Precondition::Anything && pipeline.hooks.keeps_secrets();
            for _ in 1..TRIES_MAX {
                let expected = precondition.check(&found)?;
                let saved = shared
                    .put_over(&found, (pipeline.clone(), expected), &audited)
                    .await;
                if !may_repeat || !is_precondition_failed(&saved) {
                    return saved;
                }
                found = shared.find_pipeline(&key, &scope).await?;
            }
            let expected = precondition.check(&found)?;
            shared
                .put_over(&found, (pipeline, expected), &audited)
                .await
        })
        .await
    }

    /// Deletes the pipeline with this id or slug.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (`pipeline-active`, `managed-by-code`, `precondition-failed`), and
    /// any error of storage.
    pub(crate) async fn delete_pipeline(
        &self,
        key: &str,
        precondition: &Precondition,
        author: &Author,
    ) -> Result<()> {
        let (key, precondition) = (key.to_owned(), precondition.clone());
        let scope = author.scope.clone();
        let named = Named::Pipeline(key.clone());
        let audited = Audited::new(AuditAction::PipelineDelete, named, author.clone());
        self.audited(audited, |shared, audited| async move {
            let found = shared.find_pipeline(&key, &scope).await?;
            let version = precondition.check(&found)?;
            shared.refuse_deletion(&found)?;
            let mut delete = DeletePipeline::new(found.id, shared.clock.now());
            delete.version = version;
            delete.scope = Scope::of(found.tenant.as_ref());
            let subject = AuditSubject::Pipeline(delete.id.clone());
            delete.audit = Some(audited.entry(subject, delete.now));
            let _changed = WakeOnDrop(&shared.schedules_changed);
            shared.storage.delete_pipeline(delete).await
        })
        .await
    }

    /// Checks a stored pipeline against today's limits and the registered executors.
    ///
    /// # Errors
    /// `NotFound`, and any error of storage.
    pub(crate) async fn validate_pipeline(
        &self,
        key: &str,
        scope: &Scope,
    ) -> Result<ValidationReport> {
        let found = self.0.find_pipeline(key, scope).await?;
        let (definition, tenant) = (&found.definition, found.tenant.as_ref());
        let mut warnings = definition_warnings::find(definition, &self.0.registry, tenant);
        self.0
            .warn_of_upstreams(definition, tenant, &mut warnings)
            .await?;
        warnings.extend(self.0.unopened_warnings(definition, tenant, &found.id));
        Ok(ValidationReport {
            errors: self.0.definition_errors(&found),
            warnings,
        })
    }
}

impl Shared {
    /// Returns what keeps runs of a stored pipeline from succeeding.
    pub(super) fn definition_errors(&self, stored: &StoredPipeline) -> Vec<Issue> {
        let (pipeline, tenant) = (&stored.definition, stored.tenant.as_ref());
        let mut errors = match definition::check(pipeline, &self.limits) {
            Ok(_) => Vec::new(),
            Err(error) => error.issues().to_vec(),
        };
        errors.extend(self.unusable_types(pipeline, tenant));
        errors.extend(self.config_issues(pipeline, tenant).into_vec());
        errors
    }

    /// Builds the request that saves a definition for a tenant, and finds what is odd about it.
    /// Masks in its hooks stand for the secrets of the stored ones.
    ///
    /// Executors are asked here, before the save: one that panics must not hide a save.
    pub(super) async fn build_put(
        &self,
        mut pipeline: Pipeline,
        tenant: Option<&TenantId>,
        stored_hooks: &Hooks,
    ) -> Result<(PutPipeline, Vec<Issue>)> {
        self.refuse_closed_types(&pipeline, tenant)?;
        self.refuse_configs(&pipeline, tenant)?;
        let id = PipelineId::new(&pipeline.id).map_err(|error| invalid_id("/id", &error))?;
        let slug = choose_slug(&pipeline)?;
        normalize(&mut pipeline);
        let webhook_token = webhook::take_token(&mut pipeline);
        self.seal_hooks(&mut pipeline, tenant, &id, stored_hooks)?;
        let mut warnings = definition_warnings::find(&pipeline, &self.registry, tenant);
        self.warn_of_upstreams(&pipeline, tenant, &mut warnings)
            .await?;
        warnings.extend(self.unopened_warnings(&pipeline, tenant, &id));
        let mut put = PutPipeline::new(id, slug, Arc::new(pipeline), self.clock.now());
        put.webhook_token = webhook_token;
        Ok((put, warnings))
    }

    /// Saves a definition as the newest version of a stored pipeline, which must still be at the
    /// expected version, if there is one.
    pub(super) async fn put_over(
        &self,
        found: &StoredPipeline,
        (mut pipeline, expected): (Pipeline, Option<u32>),
        audited: &Audited,
    ) -> Result<SavedPipeline> {
        webhook::refuse_mask(&pipeline, found.webhook_token)?;
        let keeps_secrets = pipeline.hooks.keeps_secrets();
        let webhook_token = self.make_token(&mut pipeline);
        let stored_hooks = &found.definition.hooks;
        let (mut put, warnings) = self
            .build_put(pipeline, found.tenant.as_ref(), stored_hooks)
            .await?;
        let expected = expected.or_else(|| keeps_secrets.then_some(found.version));
        put.expect = expected.map_or(Expect::Present, Expect::Version);
        self.restrict_edit(found, &mut put)?;
        put.scope = Scope::of(found.tenant.as_ref());
        put.audit = Some(audited.entry(AuditSubject::Pipeline(found.id.clone()), put.now));
        let stored = self.put(put).await?;
        Ok(SavedPipeline {
            stored,
            warnings,
            webhook_token,
        })
    }

    pub(super) async fn put(&self, put: PutPipeline) -> Result<StoredPipeline> {
        let _changed = WakeOnDrop(&self.schedules_changed);
        let _ends = WakeOnDrop(&self.ends_changed);
        // The new definition may allow more concurrent runs, or have fewer gates.
        let _wake = WakeOnDrop(&self.wake);
        self.wake_hooks(&put.definition.hooks).await?;
        self.storage.put_pipeline(put).await
    }
}

/// Removes what a response adds to a definition, so that one that was read and sent back changes
/// nothing: the fields that are stored beside it, and the zone of a schedule that names none.
fn normalize(pipeline: &mut Pipeline) {
    const STORED_BESIDE: [&str; 6] = [
        "version",
        "created_at",
        "updated_at",
        "managed",
        "tenant",
        "warnings",
    ];
    pipeline.slug = None;
    pipeline.tenant = None;
    if pipeline.schedule.is_some() && pipeline.schedule_timezone.as_deref() == Some("UTC") {
        pipeline.schedule_timezone = None;
    }
    for field in STORED_BESIDE {
        pipeline.extra.remove(field);
    }
    // A response has an object. Of any other value, a warning says that it has no effect.
    if pipeline.extra.get("paused").is_some_and(Value::is_object) {
        pipeline.extra.remove("paused");
    }
}

/// Returns the author's slug, or else one derived from the name, or else the id.
fn choose_slug(pipeline: &Pipeline) -> Result<SlugChoice> {
    if let Some(given) = &pipeline.slug {
        return Slug::new(given)
            .map(SlugChoice::Given)
            .map_err(|error| invalid_id("/slug", &error));
    }
    let derived = slug::implied_by(&pipeline.name);
    match derived {
        Some(slug) => Ok(SlugChoice::Derived(slug)),
        None => Slug::new(&pipeline.id)
            .map(SlugChoice::Derived)
            .map_err(|error| invalid_id("/id", &error)),
    }
}

fn invalid_id(pointer: &str, error: &crate::model::IdError) -> Error {
    Error::invalid(
        Problem::InvalidField,
        vec![Issue::pointer(pointer, error.to_string())],
    )
}
