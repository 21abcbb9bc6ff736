//! Resumes from the host's own code.
//!
//! `engine/resume` decides what the new run inherits.

use futures_core::future::BoxFuture;
use serde_json::{Map, Value};

use super::{Client, RunHandle};
use crate::engine::{RequestKey, ResumeDefinition, ResumeRequest, hash_body};
use crate::error::Result;
use crate::model::{ResumePreview, RunId};

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
    definition: ResumeDefinition,
    key: Option<String>,
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
            definition: ResumeDefinition::Recorded,
            key: None,
        }
    }
}

impl ResumeBuilder {
    /// Executes this node again, with everything downstream of it, including sinks that succeeded.
    pub fn from_node(mut self, node: impl Into<String>) -> Self {
        self.from_node = Some(node.into());
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
    /// - `Invalid` if there is no such node, a node type has no executor, or the key was used with
    ///   other options.
    /// - `Conflict` if the run has not failed, another run already resumes it, or its pipeline was
    ///   deleted.
    /// - `QueueFull` if too many runs are waiting.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn start(self) -> Result<RunHandle> {
        let client = self.client.clone();
        let started = client.engine().resume(self.into_request()).await?;
        Ok(client.run_by_id(started.run_id))
    }

    /// Returns what the resume would do with each node, and creates nothing. A key is disregarded.
    ///
    /// # Errors
    /// Those of [`ResumeBuilder::start`], apart from `QueueFull`.
    pub async fn preview(self) -> Result<ResumePreview> {
        let client = self.client.clone();
        client.engine().preview_resume(self.into_request()).await
    }

    fn into_request(self) -> ResumeRequest {
        let body_hash = hash_body(&self.body());
        ResumeRequest {
            run: self.run,
            from_node: self.from_node,
            definition: self.definition,
            key: self.key.map(|key| RequestKey { key, body_hash }),
            scope: self.client.scope().clone(),
            by: self.client.name().cloned(),
        }
    }

    /// Returns the body that a client would send for the same resume.
    fn body(&self) -> Value {
        let mut body = Map::new();
        if let Some(node) = &self.from_node {
            body.insert("from_node".to_owned(), Value::from(node.as_str()));
        }
        match self.definition {
            ResumeDefinition::Recorded => {}
            ResumeDefinition::Current => {
                body.insert("definition".to_owned(), Value::from("current"));
            }
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
