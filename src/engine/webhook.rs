//! The tokens of webhooks: reads what a save says of one, and finds the pipeline that one opens.
//!
//! Storage keeps the hash of a token. `trigger` creates the run.

use super::{Engine, Shared};
use crate::error::{Error, Issue, Problem, Result};
use crate::model::{MASKED, Pipeline, Scope, StoredPipeline, TokenHash, WebhookToken};
use crate::storage::TokenChange;

/// Takes the token out of a definition, and returns what the save makes of it.
pub(super) fn take_token(pipeline: &mut Pipeline) -> TokenChange {
    match pipeline.webhook_token.take() {
        None => TokenChange::Remove,
        Some(token) if token.is_mask() => TokenChange::Keep,
        Some(token) => TokenChange::Set(token.hash()),
    }
}

/// Refuses a definition of the code that asks for a token, which nobody would see.
///
/// # Errors
/// `Invalid` (`invalid-field`).
pub(super) fn refuse_request(pipeline: &Pipeline) -> Result<()> {
    match &pipeline.webhook_token {
        Some(token) if token.is_request() => Err(invalid(
            "webhook_token is empty, which asks for a new token; a pipeline of the code needs one \
             of its own",
        )),
        Some(_) | None => Ok(()),
    }
}

/// Refuses a mask where no token is stored that it could stand for.
///
/// # Errors
/// `Invalid` (`invalid-field`).
pub(super) fn refuse_mask(pipeline: &Pipeline, stored: Option<TokenHash>) -> Result<()> {
    match &pipeline.webhook_token {
        Some(token) if token.is_mask() && stored.is_none() => Err(invalid(&format!(
            "{MASKED} stands for the stored token, but none is stored yet"
        ))),
        Some(_) | None => Ok(()),
    }
}

fn invalid(detail: &str) -> Error {
    let issues = vec![Issue::pointer("/webhook_token", detail)];
    Error::invalid(Problem::InvalidField, issues)
}

impl Engine {
    /// Checks that a token opens the webhook of a pipeline.
    ///
    /// # Errors
    /// `Unauthenticated`; `Unavailable`.
    pub(crate) async fn check_webhook(
        &self,
        key: &str,
        token: &WebhookToken,
        scope: &Scope,
    ) -> Result<()> {
        self.0.find_by_token(key, token, scope).await.map(drop)
    }
}

impl Shared {
    /// Gives a definition a token that asks for one, and returns it.
    pub(super) fn make_token(&self, pipeline: &mut Pipeline) -> Option<WebhookToken> {
        let asked = pipeline.webhook_token.as_mut()?;
        if !asked.is_request() {
            return None;
        }
        *asked = WebhookToken::from(self.clock.new_token());
        Some(asked.clone())
    }

    /// Returns the pipeline that a token opens.
    ///
    /// A caller without it must not learn which pipelines exist: each refusal is the same.
    ///
    /// # Errors
    /// `Unauthenticated`; `Unavailable`.
    pub(super) async fn find_by_token(
        &self,
        key: &str,
        token: &WebhookToken,
        scope: &Scope,
    ) -> Result<StoredPipeline> {
        let hash = Some(token.hash());
        match self.storage.find_pipeline(key, scope).await {
            Ok(Some(found)) if found.webhook_token == hash => Ok(found),
            Ok(_) => Err(unknown_token()),
            Err(error) if error.problem() == Problem::TenantRequired => Err(unknown_token()),
            Err(error) => Err(error),
        }
    }
}

fn unknown_token() -> Error {
    Error::new(
        Problem::Unauthenticated,
        "no webhook of this name has this token; that of a tenant's pipeline may need the \
         parameter tenant",
    )
}
