//! Tower services as executors, their layers and their back-pressure included.
//!
//! That the wait for readiness counts as time in the queue is left to `engine/node`.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tower_service::Service;

use super::{Asset, Effect, Executor, ExecutorError, IntoOutput, NodeCall, Output, Turns};
use crate::error::Issue;
use crate::model::Node;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A service registered as a node type.
pub(crate) struct ServiceExecutor<S> {
    // A lock, since a service need not be `Sync`; it is held for a clone.
    service: Mutex<S>,
    effect: Effect,
}

impl<S> ServiceExecutor<S> {
    pub(crate) const fn new(service: S, effect: Effect) -> Self {
        Self {
            service: Mutex::new(service),
            effect,
        }
    }
}

impl<S> ServiceExecutor<S>
where
    S: Service<NodeCall, Error: Into<BoxError>> + Clone + Send + 'static,
{
    /// A clone that is ready for one call.
    async fn readied(&self) -> Result<S, ExecutorError> {
        let mut service = self.service.lock().clone();
        poll_fn(|context| {
            // A panic here is a failed attempt, as one in a call is.
            match catch_unwind(AssertUnwindSafe(|| service.poll_ready(context))) {
                Ok(readiness) => readiness.map_err(failure),
                Err(payload) => Poll::Ready(Err(ExecutorError::panicked(payload))),
            }
        })
        .await?;
        Ok(service)
    }
}

async fn call<S>(mut service: S, call: NodeCall) -> Result<Output, ExecutorError>
where
    S: Service<NodeCall, Response: IntoOutput, Error: Into<BoxError>>,
{
    let response = service.call(call).await.map_err(failure)?;
    response.into_output()
}

fn failure(error: impl Into<BoxError>) -> ExecutorError {
    let error: BoxError = error.into();
    ExecutorError::of(&*error)
}

#[async_trait]
impl<S> Executor for ServiceExecutor<S>
where
    S: Service<NodeCall, Response: IntoOutput, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
{
    async fn execute(&self, node: NodeCall) -> Result<Output, ExecutorError> {
        call(self.readied().await?, node).await
    }

    fn effect(&self, _node: &Node) -> Effect {
        self.effect
    }

    fn validate(&self, _config: &Map<String, Value>) -> Vec<Issue> {
        Vec::new()
    }

    fn assets(&self, _node: &Node) -> Vec<Asset> {
        Vec::new()
    }
}

#[async_trait]
impl<S> Turns for ServiceExecutor<S>
where
    S: Service<NodeCall, Response: IntoOutput, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
{
    async fn turn(&self) -> Result<Arc<dyn Executor>, ExecutorError> {
        Ok(Arc::new(Readied {
            service: Mutex::new(Some(self.readied().await?)),
            effect: self.effect,
        }))
    }
}

/// A service that is ready for one call.
struct Readied<S> {
    // None once it was called.
    service: Mutex<Option<S>>,
    effect: Effect,
}

#[async_trait]
impl<S> Executor for Readied<S>
where
    S: Service<NodeCall, Response: IntoOutput, Error: Into<BoxError>, Future: Send>,
    S: Send + 'static,
{
    async fn execute(&self, node: NodeCall) -> Result<Output, ExecutorError> {
        let service = self.service.lock().take();
        match service {
            Some(service) => call(service, node).await,
            None => Err(ExecutorError::permanent("a turn was used twice")),
        }
    }

    fn effect(&self, _node: &Node) -> Effect {
        self.effect
    }

    fn validate(&self, _config: &Map<String, Value>) -> Vec<Issue> {
        Vec::new()
    }

    fn assets(&self, _node: &Node) -> Vec<Asset> {
        Vec::new()
    }
}
