//! Reruns from the host's own code.
//!
//! `engine/rerun` creates the new run.

use std::collections::BTreeMap;

use futures_core::future::BoxFuture;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::given_params::GivenParams;
use super::{Client, RunHandle};
use crate::engine::{RequestKey, RerunRequest, ResumeDefinition, hash_body};
use crate::error::Result;
use crate::model::{RunId, TraceParent};

/// A rerun to carry out, from [`RunHandle::rerun`].
///
/// Awaiting it creates a new run with the parameters, the date and the labels of a finished one. It
/// executes every node, or those from [`RerunBuilder::from_node`] on. [`RunHandle::resume`]
/// continues a failed run instead.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let run = floret.run("daily").param("region", "eu").param("rows", "10").await?;
/// run.finished().await?;
/// let again = run.rerun().param("rows", "20").await?.finished().await?.run;
/// assert_eq!((again.params["region"].as_str(), again.params["rows"].as_str()), ("eu", "20"));
/// assert_eq!(again.rerun_of, Some(run.id()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "no run is created before it is awaited"]
pub struct RerunBuilder {
    client: Client,
    run: RunId,
    definition: ResumeDefinition,
    params: GivenParams,
    from_node: Option<String>,
    note: Option<String>,
    key: Option<String>,
    reason: Option<String>,
    traceparent: Option<TraceParent>,
}

impl RunHandle {
    /// Prepares a new run with the parameters of this finished one. Awaiting the result creates it.
    pub fn rerun(&self) -> RerunBuilder {
        RerunBuilder {
            client: self.client().clone(),
            run: self.id(),
            definition: ResumeDefinition::Recorded,
            params: GivenParams::default(),
            from_node: None,
            note: None,
            key: None,
            reason: None,
            traceparent: None,
        }
    }
}

impl RerunBuilder {
    /// Executes the pipeline's newest definition, and not that of the earlier run.
    pub fn current(mut self) -> Self {
        self.definition = ResumeDefinition::Current;
        self
    }

    /// Sets a parameter, which overrides that of the earlier run. What
    /// [`RerunBuilder::from_node`] reuses was made with the earlier value.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name, value);
        self
    }

    /// Sets a parameter for each field of a struct or entry of a map, as
    /// [`RunBuilder::params`](crate::RunBuilder::params) does.
    pub fn params(mut self, params: &(impl Serialize + ?Sized)) -> Self {
        self.params.extend(params);
        self
    }

    /// Executes this node and everything downstream of it.
    ///
    /// The other nodes that have succeeded in the earlier run do not execute again, unless one that
    /// executes needs an output of theirs that was not kept
    /// ([`Node::keep_output`](crate::Node::keep_output)). A sink that has succeeded is not repeated
    /// even then: the node that needs its output fails.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{NodeStatus, Pipeline, executor::Ctx, testing::memory};
    /// # async fn work(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "work").node("send", "work");
    /// # let daily = daily.after("load");
    /// # let floret = memory().node("work", work).pipeline(daily).start().await?;
    /// let run = floret.run("daily").await?;
    /// run.finished().await?;
    /// let again = run.rerun().from_node("send").await?.finished().await?;
    /// let statuses: Vec<_> = again.nodes.iter().map(|node| node.status).collect();
    /// assert_eq!(statuses, [NodeStatus::Skipped, NodeStatus::Success]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_node(mut self, node: impl Into<String>) -> Self {
        self.from_node = Some(node.into());
        self
    }

    /// Sets a note about the new run, of at most 2,000 characters.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Says why, in at most 500 characters. The [audit](crate::Client::audit) shows it.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Continues a distributed trace, as the header `traceparent` of a request does.
    pub const fn traceparent(mut self, parent: TraceParent) -> Self {
        self.traceparent = Some(parent);
        self
    }

    /// Sets the idempotency key.
    ///
    /// A key that was used before to rerun this run creates nothing: the result is the first rerun.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Creates the new run. The run is durable when this method returns.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run, or its pipeline was deleted.
    /// - `Conflict` (`run-not-finished`) if the run has not finished.
    /// - `Invalid` if there is no such node, a node type has no executor, a parameter does not fit
    ///   its definition or is no scalar, the note is too long, or the key was used with other
    ///   options.
    /// - `Conflict` (`concurrency-key-taken`) if the pipeline skips runs whose
    ///   [concurrency key](crate::Concurrency) is taken.
    /// - `QueueFull` if too many runs are waiting.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn start(mut self) -> Result<RunHandle> {
        let params = std::mem::take(&mut self.params).into_texts()?;
        let body_hash = hash_body(&self.body(&params));
        let rerun = RerunRequest {
            run: self.run,
            definition: self.definition,
            params,
            from_node: self.from_node,
            note: self.note,
            key: self.key.map(|key| RequestKey { key, body_hash }),
            reason: self.reason,
            author: self.client.author(),
            traceparent: self.traceparent,
        };
        let started = self.client.engine().rerun(rerun).await?;
        Ok(self.client.run_by_id(started.run_id))
    }

    /// Returns the body that a client would send for the same rerun.
    fn body(&self, params: &BTreeMap<String, String>) -> Value {
        let mut body = Map::new();
        if self.definition == ResumeDefinition::Current {
            body.insert("definition".to_owned(), Value::from("current"));
        }
        if !params.is_empty() {
            body.insert("params".to_owned(), json!(params));
        }
        if let Some(node) = &self.from_node {
            body.insert("from_node".to_owned(), Value::from(node.as_str()));
        }
        if let Some(note) = &self.note {
            body.insert("note".to_owned(), Value::from(note.as_str()));
        }
        if let Some(reason) = &self.reason {
            body.insert("reason".to_owned(), Value::from(reason.as_str()));
        }
        Value::Object(body)
    }
}

impl IntoFuture for RerunBuilder {
    /// The handle of the new run, which is durable.
    ///
    /// # Errors
    /// The same as [`RerunBuilder::start`].
    type Output = Result<RunHandle>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
