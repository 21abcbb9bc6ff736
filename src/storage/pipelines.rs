//! Definitions of pipelines: put, find, list, delete.
//!
//! The engine and `graph` validate definitions.

use std::borrow::Borrow;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::NewAudit;
use crate::error::Result;
use crate::model::{
    FoldedTexts, Managed, Page, PageRequest, Pause, Pipeline, PipelineId, Scope, SearchText, Slug,
    StoredPipeline, TokenHash,
};

/// The stored state that a save requires. In any other state, the save is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// The object must be absent. The save creates it.
    Absent,
    /// The object must exist, at any version. The save replaces it.
    Present,
    /// The object must exist at this version. The save replaces it.
    Version(u32),
    /// The object may exist or be absent. The save creates or replaces it. The definitions that a
    /// host registers at startup are saved this way.
    Any,
}

/// The author of a save. It decides who manages the pipeline afterwards, and what the save leaves
/// of earlier changes by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SavedBy {
    /// A caller, such as an operator. The pipeline becomes what the save says, and who manages it
    /// does not change.
    Caller,
    /// The host's code, at every start. From then on, the code manages the pipeline.
    ///
    /// What a caller has changed since the last save by code stays until the code itself changes:
    /// `enabled` until the code has another value of it, and all else until the rest of the code's
    /// definition differs.
    Code,
    /// The host, when its code no longer has the pipeline. From then on, callers manage it. If the
    /// save changes `enabled`, the new value counts as one of the code.
    Removal,
}

/// The slug that a save requests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlugChoice {
    /// Exactly this slug.
    Given(Slug),
    /// This slug or, if it is taken, this slug with the first free suffix of `-2`, `-3` and so on.
    /// A pipeline that already has one of these slugs keeps it.
    Derived(Slug),
}

/// What a save makes of the token of a pipeline's webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenChange {
    /// The token stays.
    Keep,
    /// The pipeline has no token, so that no webhook starts its runs.
    Remove,
    /// The token with this hash replaces another one.
    Set(TokenHash),
}

/// A request to save a pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutPipeline {
    /// The id of the pipeline.
    pub id: PipelineId,
    /// Its slug.
    pub slug: SlugChoice,
    /// Its definition.
    pub definition: Arc<Pipeline>,
    /// The stored state that the save requires.
    pub expect: Expect,
    /// The author of the save.
    pub saved_by: SavedBy,
    /// What becomes of the token of its webhook.
    pub webhook_token: TokenChange,
    /// The scope of the caller. [`Scope::choose`] decides which pipeline of this id the save
    /// replaces. A new pipeline belongs to the tenant of this scope, if any.
    pub scope: Scope,
    /// The time of the save.
    pub now: DateTime<Utc>,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl PutPipeline {
    /// Creates a request that creates or replaces a pipeline, in every scope. The token of its
    /// webhook stays.
    #[must_use]
    pub const fn new(
        id: PipelineId,
        slug: SlugChoice,
        definition: Arc<Pipeline>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            slug,
            definition,
            expect: Expect::Any,
            saved_by: SavedBy::Caller,
            webhook_token: TokenChange::Keep,
            scope: Scope::All,
            now,
            audit: None,
        }
    }
}

/// A request to delete a pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeletePipeline {
    /// The id of the pipeline.
    pub id: PipelineId,
    /// The version that the pipeline must have. `None` means any version.
    pub version: Option<u32>,
    /// The scope of the caller. A pipeline outside it is not found, and [`Scope::choose`] decides
    /// which pipeline of this id is meant.
    pub scope: Scope,
    /// The time of the deletion.
    pub now: DateTime<Utc>,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl DeletePipeline {
    /// Makes a request to delete any version of a pipeline, in every scope.
    #[must_use]
    pub const fn new(id: PipelineId, now: DateTime<Utc>) -> Self {
        Self {
            id,
            version: None,
            scope: Scope::All,
            now,
            audit: None,
        }
    }
}

/// A request to pause a pipeline, or to end its pause.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SetPause {
    /// The id of the pipeline.
    pub id: PipelineId,
    /// The pause, or `None` to end it.
    pub pause: Option<Pause>,
    /// The version that the pipeline must have. `None` means any version.
    pub version: Option<u32>,
    /// The scope of the caller. A pipeline outside it is not found, and [`Scope::choose`] decides
    /// which pipeline of this id is meant.
    pub scope: Scope,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl SetPause {
    /// Creates a request for any version of a pipeline, in every scope.
    #[must_use]
    pub const fn new(id: PipelineId, pause: Option<Pause>) -> Self {
        Self {
            id,
            pause,
            version: None,
            scope: Scope::All,
            audit: None,
        }
    }
}

/// The conditions that every pipeline of a list meets.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PipelineFilter {
    /// The scope of the caller.
    pub scope: Scope,
    /// Only pipelines with this tag.
    pub tag: Option<String>,
    /// Only enabled pipelines (`true`) or only disabled ones (`false`).
    pub enabled: Option<bool>,
    /// Only pipelines that the host's code manages, or only those that callers manage.
    pub managed: Option<Managed>,
    /// Only pipelines whose name, id, slug or description contains this text.
    pub text: Option<SearchText>,
}

impl PipelineFilter {
    /// Returns whether a pipeline meets all conditions.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use floret::storage::{PipelineFilter, SearchText, StoredPipeline};
    /// use floret::{Pipeline, PipelineId, Slug};
    ///
    /// let mut definition = Pipeline::new("daily").node("load", "load");
    /// definition.name = "Der tägliche Übertrag".to_owned();
    /// let (id, slug) = (PipelineId::new("daily")?, Slug::new("daily")?);
    /// let now = "2024-01-15T06:00:00Z".parse()?;
    /// let daily = StoredPipeline::new(id, slug, Arc::new(definition), now);
    /// let mut filter = PipelineFilter::default();
    /// for (text, is_admitted) in [("ÜBERTRAG", true), ("dAily", true), ("hourly", false)] {
    ///     filter.text = Some(SearchText::new(text));
    ///     assert_eq!(filter.admits(&daily), is_admitted);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn admits(&self, pipeline: &StoredPipeline) -> bool {
        self.admits_with(pipeline, || pipeline.searched_texts())
    }

    /// Does the same with the folded texts of the pipeline, which a backend may keep.
    pub(super) fn admits_with<T: Borrow<FoldedTexts>>(
        &self,
        pipeline: &StoredPipeline,
        texts: impl FnOnce() -> T,
    ) -> bool {
        let Self {
            scope,
            tag,
            enabled,
            managed,
            text,
        } = self;
        let definition = &pipeline.definition;
        scope.admits(pipeline.tenant.as_ref())
            && tag.as_ref().is_none_or(|tag| definition.tags.contains(tag))
            && enabled.is_none_or(|enabled| enabled == definition.enabled)
            && managed.is_none_or(|managed| managed == pipeline.managed)
            && text
                .as_ref()
                .is_none_or(|text| text.is_in_any(texts().borrow()))
    }
}

/// Saves, finds, lists and deletes pipelines.
#[async_trait]
pub trait Pipelines: Send + Sync + 'static {
    /// Saves a definition and returns the pipeline as it is after the save.
    ///
    /// - A save that changes nothing MUST keep the version and `updated_at`. A save that changes
    ///   the definition, the slug or the token of the webhook MUST raise the version by one.
    /// - A save MUST keep the pause of an existing pipeline.
    /// - A save MUST change the token of the webhook as the request says. A save by code MUST keep
    ///   the token, unless an earlier save by code had another one, or had one where this has none.
    /// - A save by code MUST keep `enabled` of an existing pipeline, unless an earlier save by code
    ///   had another value. The definition is stored with the value that is kept.
    /// - The id of a deleted pipeline MUST be free again. If the id is used again, its version
    ///   numbers MUST continue, and `created_at` MUST be the time of the new save.
    /// - Ids and slugs MUST be unique among the pipelines of a tenant, and among those without a
    ///   tenant. A pipeline of another tenant MUST look absent, and its id and its slug MUST be
    ///   free.
    /// - A save that expects no pipeline MUST disregard those of other tenants, even in
    ///   [`Scope::All`]: it creates one without a tenant there.
    /// - The pipelines of a tenant MUST NOT depend on one another in a circle
    ///   ([`Pipeline::dependencies`]). A save by [`SavedBy::Removal`] is not checked: it brings no
    ///   new dependency.
    ///
    /// # Errors
    /// - `Invalid` (`dependency-cycle`): a circle would be closed. The message names a shortest
    ///   one.
    /// - `NotFound` (`pipeline-not-found`): the request expects a pipeline that is absent.
    /// - `Conflict` (`already-exists`): the request expects no pipeline, but one has this id; or
    ///   another pipeline already uses the id or the given slug, as its id or as its slug.
    /// - `Conflict` (`precondition-failed`): the pipeline is not at the expected version.
    /// - `Conflict` (`tenant-required`): the id is unclear in this scope.
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline>;

    /// Returns the pipeline whose id or slug is `key`.
    ///
    /// A tenant has at most one, because no slug is the id of another pipeline of the same tenant.
    /// [`Scope::choose`] decides among those of several tenants: an id takes no precedence over the
    /// slug of another tenant. Returns `None` if none is in scope.
    ///
    /// # Errors
    /// - `Unavailable` if storage cannot answer.
    /// - `Conflict` (`tenant-required`): the key is unclear in this scope.
    async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<Option<StoredPipeline>>;

    /// Returns a page of pipelines, in descending order of `created_at`, then of id and then of
    /// tenant.
    ///
    /// The list MUST have the pipelines that [`PipelineFilter::admits`], as every save and deletion
    /// that has returned has left them.
    ///
    /// A cursor is the [`Qualified`](super::Qualified) id of a pipeline. It MUST work even after
    /// that pipeline is deleted. That of another tenant's pipeline is not a valid cursor.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`): the cursor is invalid.
    async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<StoredPipeline>>;

    /// Pauses a pipeline, or ends its pause, and returns the pipeline as it is afterwards.
    ///
    /// - The version and `updated_at` MUST stay.
    /// - The pause of a paused pipeline MUST change nothing: the first one stands.
    ///
    /// While a pipeline is paused, none of its pending runs is claimed
    /// ([`claim`](super::Queue::claim)), and no tick of its schedule creates a run
    /// ([`advance`](super::Schedules::advance)).
    ///
    /// # Errors
    /// - `NotFound` (`pipeline-not-found`): no pipeline in scope has this id.
    /// - `Conflict` (`tenant-required`): the id is unclear in this scope.
    /// - `Conflict` (`precondition-failed`): the pipeline is not at the expected version.
    async fn set_pause(&self, request: SetPause) -> Result<StoredPipeline>;

    /// Deletes a pipeline, its pause and the token of its webhook.
    ///
    /// - Its runs MUST stay readable until they are purged.
    /// - Its idempotency keys MUST be deleted, and its slug MUST be free again.
    ///
    /// # Errors
    /// - `NotFound` (`pipeline-not-found`): no pipeline in scope has this id.
    /// - `Conflict` (`tenant-required`): the id is unclear in this scope.
    /// - `Conflict` (`precondition-failed`): the pipeline is not at the expected version.
    /// - `Conflict` (`pipeline-active`): one of its runs is pending or running. The other errors
    ///   take precedence.
    async fn delete_pipeline(&self, delete: DeletePipeline) -> Result<()>;
}
