//! A resume from the host's own code.
//!
//! What it takes over is decided by the engine.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use serde_json::{Map, Value};

use super::{Floret, RunHandle};
use crate::engine::{RequestKey, ResumeDefinition, ResumeRequest, hash_body};
use crate::error::Result;
use crate::model::{RunId, Scope};

/// A resume about to be made: awaiting it makes a new run that goes on where a failed one ended; what succeeded is not executed again.
///
/// ```no_run
/// # async fn example(floret: floret::Floret, failed: floret::RunId) -> floret::Result<()> {
/// let run = floret.resume(failed).await?;
/// // The node and all below it again, sinks among them, on the newest definition.
/// let run = floret.resume(failed).from_node("clean").current().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "no run is made before it is awaited"]
pub struct ResumeBuilder {
    floret: Floret,
    run: RunId,
    from_node: Option<String>,
    definition: ResumeDefinition,
    key: Option<String>,
}

impl Floret {
    /// Prepares a new run that goes on where a failed one ended; what succeeded is not executed again.
    pub fn resume(&self, run: RunId) -> ResumeBuilder {
        ResumeBuilder {
            floret: self.clone(),
            run,
            from_node: None,
            definition: ResumeDefinition::Recorded,
            key: None,
        }
    }
}

impl ResumeBuilder {
    /// Executes this node again, with all below it: sinks too, since they are named hereby.
    pub fn from_node(mut self, node: impl Into<String>) -> Self {
        self.from_node = Some(node.into());
        self
    }

    /// Goes on with the newest definition of the pipeline: a succeeded node is executed again where its type, config or upstreams have
    /// changed, and where a node above it is for that reason; a sink only where it has changed itself.
    pub fn current(mut self) -> Self {
        self.definition = ResumeDefinition::Current;
        self
    }

    /// Sets the idempotency key: with one that was used before for this run nothing is made, and the first resume is answered.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The body that a client would send for the same resume.
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
    /// The new run, durable. The errors: `NotFound`; `Invalid` when there is no such node, a node type has no executor, or the key was used
    /// with another body; `Conflict` when the run is not failed or is being resumed; `QueueFull`; `ShuttingDown`; `Unavailable`.
    type Output = Result<RunHandle>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let body_hash = hash_body(&self.body());
            let resume = ResumeRequest {
                run: self.run,
                from_node: self.from_node,
                definition: self.definition,
                key: self.key.map(|key| RequestKey { key, body_hash }),
                scope: Scope::All,
            };
            let started = self.floret.engine.resume(resume).await?;
            Ok(self.floret.handle(started.run_id))
        })
    }
}
