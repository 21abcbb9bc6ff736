//! Resumes from the host's own code.
//!
//! `engine/resume` decides what the new run inherits.

use std::collections::BTreeMap;

use futures_core::future::BoxFuture;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::given_params::GivenParams;
use super::{Client, RunHandle};
use crate::engine::{RequestKey, ResumeDefinition, ResumeRequest, hash_body};
use crate::error::Result;
use crate::model::{ResumePreview, RunId, TraceParent};

/// A resume to carry out, from [`RunHandle::resume`].
///
/// Awaiting it creates a new run that continues a failed one. Nodes that succeeded do not execute
/// again.
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use floret::{Floret, Pipeline, RunStatus, executor::Ctx, storage::MemoryStorage};
///
/// static IS_UP: AtomicBool = AtomicBool::new(false);
///
/// async fn load(_: Ctx) -> Result<(), std::io::Error> {
///     if IS_UP.load(Ordering::SeqCst) {
///         Ok(())
///     } else {
///         Err(std::io::Error::other("the source is down"))
///     }
/// }
/// let floret = Floret::builder(MemoryStorage::default())
///     .node("load", load)
///     .pipeline(Pipeline::new("daily").node("load", "load"))
///     .start()
///     .await?;
/// let run = floret.run("daily").start().await?;
/// let failed = run.finished().await?.run;
/// assert_eq!(failed.status, RunStatus::Failed);
///
/// IS_UP.store(true, Ordering::SeqCst);
/// let resumed = run.resume().await?.finished().await?.run;
/// assert_eq!(resumed.status, RunStatus::Success);
/// assert_eq!(resumed.resumed_from, Some(failed.id));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "no run is created before it is awaited"]
pub struct ResumeBuilder {
    client: Client,
    run: RunId,
    from_node: Option<String>,
    skip_nodes: Vec<String>,
    params: GivenParams,
    definition: ResumeDefinition,
    key: Option<String>,
    reason: Option<String>,
    traceparent: Option<TraceParent>,
}

impl RunHandle {
    /// Prepares a new run that continues this failed one. Nodes that succeeded do not execute
    /// again.
    ///
    /// Awaiting the result creates the run.
    pub fn resume(&self) -> ResumeBuilder {
        ResumeBuilder {
            client: self.client().clone(),
            run: self.id(),
            from_node: None,
            skip_nodes: Vec::new(),
            params: GivenParams::default(),
            definition: ResumeDefinition::Recorded,
            key: None,
            reason: None,
            traceparent: None,
        }
    }
}

impl ResumeBuilder {
    /// Executes this node again, with everything downstream of it, including sinks that succeeded.
    pub fn from_node(mut self, node: impl Into<String>) -> Self {
        self.from_node = Some(node.into());
        self
    }

    /// Leaves this node out, as if it had succeeded without an output: the nodes below it get no
    /// rows from it. A node that has succeeded is reused as ever. Call it once for each node.
    ///
    /// Later resumes leave it out, too, unless [`ResumeBuilder::from_node`] executes it, or
    /// [`ResumeBuilder::current`] finds that its definition has changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{NodeStatus, Pipeline, RunStatus, executor::Ctx, testing::memory};
    /// # async fn send(_: Ctx) -> Result<(), std::io::Error> { Err(std::io::Error::other("down")) }
    /// # async fn save(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("send", "send").node("save", "save");
    /// # let daily = daily.after("send");
    /// # let builder = memory().node("send", send).node("save", save).pipeline(daily);
    /// # let floret = builder.start().await?;
    /// let run = floret.run("daily").await?;
    /// assert_eq!(run.finished().await?.run.status, RunStatus::Failed);
    /// let resumed = run.resume().skip_node("send").await?.finished().await?;
    /// assert_eq!(resumed.run.status, RunStatus::Success);
    /// assert_eq!(resumed.nodes[0].status, NodeStatus::Skipped);
    /// # Ok(())
    /// # }
    /// ```
    pub fn skip_node(mut self, node: impl Into<String>) -> Self {
        self.skip_nodes.push(node.into());
        self
    }

    /// Sets a parameter, which overrides that of the resumed run. What is reused was made with the
    /// earlier value. The date stays that of the resumed run.
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

    /// Continues with the pipeline's newest definition.
    ///
    /// A succeeded node executes again if its type, config or upstreams have changed, or if that is
    /// true of a node upstream of it. A succeeded sink executes again only if it has changed
    /// itself.
    pub fn current(mut self) -> Self {
        self.definition = ResumeDefinition::Current;
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
    /// A key that was used before to resume this run creates nothing: the result is the first
    /// resume.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Creates the new run. The run is durable when this method returns.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run.
    /// - `Invalid` if there is no such node, `from_node` executes one that is to be skipped, or it
    ///   decides which edges are taken; if a parameter does not fit its definition or is no scalar;
    ///   if a node type has no executor; or if the key was used with other options.
    /// - `Conflict` if the run has not failed, another run already resumes it, or its pipeline was
    ///   deleted.
    /// - `Conflict` (`concurrency-key-taken`) if the pipeline skips runs whose
    ///   [concurrency key](crate::Concurrency) is taken.
    /// - `QueueFull` if too many runs are waiting.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn start(self) -> Result<RunHandle> {
        let client = self.client.clone();
        let started = client.engine().resume(self.into_request()?).await?;
        Ok(client.run_by_id(started.run_id))
    }

    /// Returns what the resume would do with each node, and creates nothing. A key is disregarded.
    ///
    /// # Errors
    /// Those of [`ResumeBuilder::start`], apart from `QueueFull`.
    pub async fn preview(self) -> Result<ResumePreview> {
        let client = self.client.clone();
        client.engine().preview_resume(self.into_request()?).await
    }

    fn into_request(mut self) -> Result<ResumeRequest> {
        let params = std::mem::take(&mut self.params).into_texts()?;
        let body_hash = hash_body(&self.body(&params));
        Ok(ResumeRequest {
            run: self.run,
            from_node: self.from_node,
            skip_nodes: self.skip_nodes,
            params,
            definition: self.definition,
            key: self.key.map(|key| RequestKey { key, body_hash }),
            reason: self.reason,
            author: self.client.author(),
            traceparent: self.traceparent,
        })
    }

    /// Returns the body that a client would send for the same resume.
    fn body(&self, params: &BTreeMap<String, String>) -> Value {
        let mut body = Map::new();
        if let Some(node) = &self.from_node {
            body.insert("from_node".to_owned(), Value::from(node.as_str()));
        }
        if !self.skip_nodes.is_empty() {
            body.insert("skip_nodes".to_owned(), json!(self.skip_nodes));
        }
        if !params.is_empty() {
            body.insert("params".to_owned(), json!(params));
        }
        match self.definition {
            ResumeDefinition::Recorded => {}
            ResumeDefinition::Current => {
                body.insert("definition".to_owned(), Value::from("current"));
            }
        }
        if let Some(reason) = &self.reason {
            body.insert("reason".to_owned(), Value::from(reason.as_str()));
        }
        Value::Object(body)
    }
}

impl IntoFuture for ResumeBuilder {
    /// The handle of the new run, which is durable.
    ///
    /// # Errors
    /// The same as [`ResumeBuilder::start`].
    type Output = Result<RunHandle>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
