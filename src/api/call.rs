//! A request as its handler receives it: authorized, matched to a route, its body read.
//!
//! The handlers interpret the input; `problem` turns their errors into responses.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;

use super::input::BodyFields;
use super::path::Params;
use super::permission::Permission;
use super::query::{self, Parameter, Query};
use super::request::Payload;
use super::shared::Shared;
use super::subject::Subject;
use super::tenant;
use crate::engine::{Author, CancelCommand, Engine};
use crate::error::{Error, Problem, Result, quote};
use crate::json;
use crate::model::{BackfillId, CallerName, Cancel, NodeId, PipelineId, RunId, Scope, TenantId};
use crate::views::{NEWEST_RUNS_MAX, Views};

/// An authorized request, with everything that its handler needs.
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    pub(super) subject: Subject,
    /// The query parameters that the route accepts.
    pub(super) query: &'static [Parameter],
    pub(super) payload: Payload,
    // A box, because a call moves several times on its way into the future of its handler.
    pub(super) parts: Box<Parts>,
    pub(super) params: Params,
    /// The scope of the tenant that the request names, if it names one.
    pub(super) tenant: Option<Scope>,
    /// The objects that the caller sees, narrowed to the tenant that the request names.
    pub(super) scope: Scope,
    /// The name of the caller, if the host knows it.
    pub(super) by: Option<CallerName>,
    /// The body, or the reason why it could not be read. A handler reports the reason only if the
    /// subject of the path exists.
    pub(super) body: Result<Bytes>,
}

impl Call {
    pub(super) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Returns the author of a command of this request.
    pub(super) fn author(&self) -> Author {
        Author {
            scope: self.scope.clone(),
            by: self.by.clone(),
        }
    }

    pub(super) fn views(&self) -> &Views {
        &self.shared.views
    }

    /// Returns the scope in which the caller holds another permission, if it holds it.
    pub(super) fn scope_for(&self, permission: Permission) -> Option<Scope> {
        let granted = self.shared.scope_of(&self.parts, permission)?;
        tenant::narrow(granted, self.tenant.as_ref()).ok()
    }

    /// Returns the link to a path of the API, under the configured prefix, with the tenant that the
    /// request names.
    pub(super) fn link(&self, path: &str) -> String {
        let named = self.tenant.as_ref().map(|scope| {
            let tenant = scope.tenant().map_or("", TenantId::as_str);
            Query::default().with(query::TENANT, tenant)
        });
        format!("{}{path}{}", self.shared.prefix, named.unwrap_or_default())
    }

    /// Returns the query of further pages of a list whose pipeline is looked up in a scope.
    ///
    /// It names the tenant that the request has left out, because the same name may stand for
    /// another pipeline later.
    pub(super) fn pages_in(&self, found: &Scope, query: Query) -> Query {
        match (&self.scope, found) {
            (Scope::All, Scope::Tenant(tenant)) => query.set(query::TENANT, tenant.as_str()),
            _ => query,
        }
    }

    /// Returns the link to the path of this request with another query.
    pub(super) fn link_here(&self, query: &str) -> String {
        let below = self.shared.below(self.parts.uri.path());
        format!("{}{below}{query}", self.shared.prefix)
    }

    /// Returns the id or slug of the pipeline that the path names.
    pub(super) fn pipeline_key(&self) -> &str {
        self.params.get("id").unwrap_or_default()
    }

    /// Returns the text of the path that stands for a node.
    pub(super) fn node_key(&self) -> &str {
        self.params.get("node_id").unwrap_or_default()
    }

    /// Returns the id of the connection that the path names.
    pub(super) fn connection_id(&self) -> &str {
        self.params.get("conn_id").unwrap_or_default()
    }

    /// Returns the key of the variable that the path names.
    pub(super) fn variable_key(&self) -> &str {
        self.params.get("key").unwrap_or_default()
    }

    /// Returns the id of the delivery that the path names.
    pub(super) fn delivery_id(&self) -> &str {
        self.params.get("delivery_id").unwrap_or_default()
    }

    /// Returns the id of the run that the path names.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`) when the text is not a run id.
    pub(super) fn run_id(&self) -> Result<RunId> {
        let text = self.params.get("run_id").unwrap_or_default();
        hyphenated(text).ok_or_else(|| Error::run_not_found(quote(text)))
    }

    /// Returns the id of the backfill that the path names.
    ///
    /// # Errors
    /// `NotFound` (`backfill-not-found`) when the text is not a backfill id.
    pub(super) fn backfill_id(&self) -> Result<BackfillId> {
        let text = self.params.get("backfill_id").unwrap_or_default();
        hyphenated(text).ok_or_else(|| Error::backfill_not_found(quote(text)))
    }

    /// Returns the id of the node that the path names.
    ///
    /// # Errors
    /// `NotFound` (`node-not-found`) when the text is not a node id.
    pub(super) fn node_id(&self) -> Result<NodeId> {
        let text = self.node_key();
        NodeId::new(text)
            .map_err(|_| Error::new(Problem::NodeNotFound, format!("no node {}", quote(text))))
    }

    /// Returns the pipeline that the query names as a filter, if it names one, and the scope of the
    /// filter.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`); `NotFound` (`pipeline-not-found`); `Conflict`
    /// (`tenant-required`); `Unavailable`.
    pub(super) async fn pipeline_filter(
        &self,
        query: &Query,
    ) -> Result<(Scope, Option<PipelineId>)> {
        let Some(pipeline) = query.parse::<PipelineId>("pipeline_id")? else {
            return Ok((self.scope.clone(), None));
        };
        let scope = self.views().scope_of_filter(&pipeline, &self.scope);
        Ok((scope.await?, Some(pipeline)))
    }

    /// Reads the query and checks it against the parameters of the route.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`).
    pub(super) fn query(&self) -> Result<Query> {
        Query::read(self.parts.uri.query(), self.query)
    }

    /// Returns the body as bytes and as JSON.
    ///
    /// # Errors
    /// `Malformed`: the refusals of `request`, and `invalid-json`, `json-too-deep`,
    /// `duplicate-key`.
    pub(super) fn json(&mut self) -> Result<(Bytes, Value)> {
        let bytes = std::mem::replace(&mut self.body, Ok(Bytes::new()))?;
        let is_omitted = bytes.is_empty() && self.payload == Payload::Optional;
        let value = if is_omitted {
            Value::Object(serde_json::Map::new())
        } else if bytes.is_empty() {
            let detail = "not JSON: the body is empty, and this route requires one";
            return Err(Error::new(Problem::InvalidJson, detail));
        } else {
            json::read(&bytes)?
        };
        Ok((bytes, value))
    }

    /// Reads a cancel request: the parameter `force`, and the reason in the body.
    ///
    /// # Errors
    /// `Malformed` or `Invalid` when the query or the body is not acceptable.
    pub(super) fn cancel(&mut self) -> Result<CancelCommand> {
        let is_forced = self.query()?.flag("force")?;
        let (_, body) = self.json()?;
        let mut fields = BodyFields::of(&body, &["reason"])?;
        let reason = fields.text("reason").map(str::to_owned);
        fields.finish()?;
        Ok(CancelCommand {
            cancel: match is_forced {
                Some(true) => Cancel::Forced,
                Some(false) | None => Cancel::Plain,
            },
            reason,
            author: self.author(),
        })
    }

    /// Reads the input with a closure. A missing subject takes precedence over unacceptable input.
    ///
    /// # Errors
    /// `NotFound` when the subject of the route does not exist, otherwise the error of the closure.
    pub(super) async fn read<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        match read(self) {
            Ok(input) => Ok(input),
            Err(refusal) => Err(self.check_subject().await.err().unwrap_or(refusal)),
        }
    }

    /// Checks that the subject exists, without reading the nodes of a run or the runs of a
    /// backfill.
    async fn check_subject(&self) -> Result<()> {
        let (views, scope) = (self.views(), &self.scope);
        match self.subject {
            Subject::Nothing => Ok(()),
            Subject::Pipeline | Subject::Version | Subject::Versions => {
                views.pipeline(self.pipeline_key(), scope).await.map(drop)
            }
            Subject::PipelineNode => {
                let (key, node) = (self.pipeline_key(), self.node_key());
                let found = views.node_history(key, node, scope, NEWEST_RUNS_MAX).await;
                found.map(drop)
            }
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
            Subject::Delivery => {
                let found = views.find_delivery(self.delivery_id(), scope).await;
                found.map(drop)
            }
            Subject::Variable => views.variable(self.variable_key(), scope).await.map(drop),
        }
    }
}

/// Parses a UUID in its hyphenated form, the only one that the service itself writes.
fn hyphenated<T: std::str::FromStr>(text: &str) -> Option<T> {
    const LENGTH: usize = 36;
    text.parse().ok().filter(|_| text.len() == LENGTH)
}
