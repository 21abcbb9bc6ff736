//! Pipelines as storage holds them, each with who manages it.
//!
//! Storage decides who manages a pipeline after a save.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    FoldedTexts, Pause, Pipeline, PipelineId, Qualified, Slug, TenantId, TokenHash, WebhookToken,
};

/// Who decides what a pipeline is. JSON calls it `managed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Managed {
    /// The callers of the API, such as operators. They can edit and delete it.
    #[default]
    Api,
    /// The host's code, which adds it at every start. Callers can enable and disable it, and
    /// change more where the host allows it
    /// ([`Builder::allow_pipeline_edits`](crate::Builder::allow_pipeline_edits)).
    Code,
}

impl Managed {
    /// Both values.
    pub const ALL: [Self; 2] = [Self::Api, Self::Code];

    /// Returns the value as JSON and queries have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Code => "code",
        }
    }
}

/// A pipeline as storage holds it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredPipeline {
    /// The id of the pipeline.
    pub id: PipelineId,
    /// The slug, from the definition or derived from the name.
    pub slug: Slug,
    /// The tenant that owns the pipeline, if any.
    pub tenant: Option<TenantId>,
    /// The version of the definition, from 1. Each save that changes something increases it by 1.
    pub version: u32,
    /// The definition of that version. Of what a [`Client`](crate::Client) returns, it has the
    /// tenant and masks of the token and of the secrets of hooks, so that it can be changed and
    /// saved again. Storage keeps it without the tenant and the token, and with sealed secrets.
    pub definition: Arc<Pipeline>,
    /// Who decides what the pipeline is.
    pub managed: Managed,
    /// Since when the pipeline is paused, if it is. No save changes that.
    pub paused: Option<Pause>,
    /// The hash of the token that starts runs by a webhook, if there is one.
    pub webhook_token: Option<TokenHash>,
    /// When the pipeline was first saved.
    pub created_at: DateTime<Utc>,
    /// When a save last changed the pipeline.
    pub updated_at: DateTime<Utc>,
}

impl StoredPipeline {
    /// Creates version 1 of a pipeline that belongs to no tenant, and that callers manage.
    #[must_use]
    pub const fn new(
        id: PipelineId,
        slug: Slug,
        definition: Arc<Pipeline>,
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            slug,
            tenant: None,
            version: 1,
            definition,
            managed: Managed::Api,
            paused: None,
            webhook_token: None,
            created_at,
            updated_at: created_at,
        }
    }

    /// Gives the definition what is stored beside it: the tenant, and the mask of a token. A
    /// mask stands for each secret of a hook. A caller that saves it again then means this
    /// pipeline, and changes nothing.
    pub(crate) fn for_caller(mut self) -> Self {
        let token = self.shown_token();
        if self.definition.tenant != self.tenant || self.definition.webhook_token != token {
            let definition = Arc::make_mut(&mut self.definition);
            definition.tenant.clone_from(&self.tenant);
            definition.webhook_token = token;
        }
        if self.definition.hooks.shows_secrets() {
            let definition = Arc::make_mut(&mut self.definition);
            definition.hooks = definition.hooks.masked();
        }
        self
    }

    /// Returns what a caller sees of the token.
    pub(crate) fn shown_token(&self) -> Option<WebhookToken> {
        self.webhook_token.map(|_| WebhookToken::mask())
    }

    /// Returns the texts that a search reads.
    pub(crate) fn searched_texts(&self) -> FoldedTexts {
        let Pipeline {
            name, description, ..
        } = &*self.definition;
        FoldedTexts::new([name, self.id.as_str(), self.slug.as_str(), description])
    }

    /// Returns the id of the pipeline with its tenant.
    #[must_use]
    pub fn qualified_id(&self) -> Qualified<PipelineId> {
        Qualified::new(self.id.clone(), self.tenant.clone())
    }
}
