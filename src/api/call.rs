//! One request on its way to its handler: admitted, matched to a route, its body read.
//!
//! What an input means is left to the handlers; how they fail is `problem`'s.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;

use super::input;
use super::path::Params;
use super::permission::Permission;
use super::query::Query;
use super::request::Payload;
use super::route::{Route, Subject};
use super::shared::Shared;
use crate::engine::Engine;
use crate::error::{Error, Problem, Result, shown};
use crate::json;
use crate::model::{BackfillId, Cancel, NodeId, RunId, Scope};
use crate::views::Views;

/// A request that was let in, with what its handler needs.
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    pub(super) route: &'static Route,
    pub(super) parts: Parts,
    pub(super) params: Params,
    /// Whose objects the caller sees.
    pub(super) scope: Scope,
    /// The body, or why it could not be read: told only once it is known that what the path names exists.
    pub(super) body: Result<Bytes>,
}

impl Call {
    pub(super) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(super) fn views(&self) -> &Views {
        &self.shared.views
    }

    /// Whose objects of another kind the caller sees too, where it has that permission.
    pub(super) fn also(&self, permission: Permission) -> Option<Scope> {
        self.shared.scope_of(&self.parts, permission)
    }

    /// The address of a path of the contract, under the configured prefix.
    pub(super) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.shared.prefix)
    }

    /// The address of this request's own path, with another query.
    pub(super) fn link_here(&self, query: &str) -> String {
        let below = self.shared.below(self.parts.uri.path());
        format!("{}{below}{query}", self.shared.prefix)
    }

    /// The id or slug of the pipeline that the path names.
    pub(super) fn pipeline_key(&self) -> &str {
        self.params.get("id").unwrap_or_default()
    }

    /// The id of the connection that the path names.
    pub(super) fn connection_id(&self) -> &str {
        self.params.get("conn_id").unwrap_or_default()
    }

    /// The key of the variable that the path names.
    pub(super) fn variable_key(&self) -> &str {
        self.params.get("key").unwrap_or_default()
    }

    /// The run that the path names.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`) when it is no id of a run.
    pub(super) fn run_id(&self) -> Result<RunId> {
        let text = self.params.get("run_id").unwrap_or_default();
        hyphenated(text).ok_or_else(|| Error::run_not_found(shown(text)))
    }

    /// The backfill that the path names.
    ///
    /// # Errors
    /// `NotFound` (`backfill-not-found`) when it is no id of a backfill.
    pub(super) fn backfill_id(&self) -> Result<BackfillId> {
        let text = self.params.get("backfill_id").unwrap_or_default();
        hyphenated(text).ok_or_else(|| Error::backfill_not_found(shown(text)))
    }

    /// The node that the path names.
    ///
    /// # Errors
    /// `NotFound` (`node-not-found`) when it is no id of a node.
    pub(super) fn node_id(&self) -> Result<NodeId> {
        let text = self.params.get("node_id").unwrap_or_default();
        NodeId::new(text)
            .map_err(|_| Error::new(Problem::NodeNotFound, format!("no node {}", shown(text))))
    }

    /// The query parameters, checked against those of the route.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`).
    pub(super) fn query(&self) -> Result<Query> {
        Query::read(self.parts.uri.query(), self.route.query)
    }

    /// The body as bytes and as JSON.
    ///
    /// # Errors
    /// `Malformed`: what `request` refuses, and `invalid-json`, `json-too-deep`, `duplicate-key`.
    pub(super) fn json(&mut self) -> Result<(Bytes, Value)> {
        let bytes = std::mem::replace(&mut self.body, Ok(Bytes::new()))?;
        let is_left_out = bytes.is_empty() && self.route.payload == Payload::Optional;
        let value = if is_left_out {
            Value::Object(serde_json::Map::new())
        } else {
            json::read(&bytes)?
        };
        Ok((bytes, value))
    }

    /// How it asks to cancel: with `force`, and an empty body.
    ///
    /// # Errors
    /// `Malformed`, `Invalid`: what the query and the body must not be.
    pub(super) fn cancel(&mut self) -> Result<Cancel> {
        let is_forced = self.query()?.flag("force")?;
        let (_, body) = self.json()?;
        input::object(&body, &[])?;
        Ok(match is_forced {
            Some(true) => Cancel::Forced,
            Some(false) | None => Cancel::Plain,
        })
    }

    /// Reads the input with a closure; what cannot be read is told only where the thing that the path names exists.
    ///
    /// # Errors
    /// `NotFound` when it does not, else what the closure refuses.
    pub(super) async fn read<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        match read(self) {
            Ok(input) => Ok(input),
            Err(refusal) => Err(self.check_subject().await.err().unwrap_or(refusal)),
        }
    }

    async fn check_subject(&self) -> Result<()> {
        let (views, scope) = (self.views(), &self.scope);
        match self.route.subject {
            Subject::Nothing => Ok(()),
            Subject::Pipeline => views.pipeline(self.pipeline_key(), scope).await.map(drop),
            Subject::Run => views.check_run(self.run_id()?, scope).await,
            Subject::Node => {
                let (run, node) = (self.run_id()?, self.node_id()?);
                views.check_node(run, &node, scope).await
            }
            Subject::Backfill => views.check_backfill(self.backfill_id()?, scope).await,
            Subject::Connection => {
                let found = views.connection(self.connection_id(), scope).await;
                found.map(drop)
            }
            Subject::Variable => views.variable(self.variable_key(), scope).await.map(drop),
        }
    }
}

/// A UUID as the service gives it out; other spellings name nothing.
fn hyphenated<T: std::str::FromStr>(text: &str) -> Option<T> {
    const LENGTH: usize = 36;
    text.parse().ok().filter(|_| text.len() == LENGTH)
}
