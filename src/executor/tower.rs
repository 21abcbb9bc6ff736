//! Tower services as executors, with their layers and their back-pressure.
//!
//! Counting the wait for readiness as time in the queue is left to `engine/node`.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tower_service::Service;

use super::{Asset, Effect, Executor, ExecutorError, IntoOutput, NodeCall, Output, Readiness};
use crate::error::Issue;
use crate::model::Node;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A service registered as a node type.
pub(crate) struct ServiceExecutor<S> {
    // A lock, since a service need not be `Sync`. It is held only while the service is cloned.
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
    /// Returns a clone that is ready for one call.
    async fn ready_clone(&self) -> Result<S, ExecutorError> {
        let mut service = self.service.lock().clone();
        poll_fn(|context| {
            // Like a panic in a call, a panic here fails the attempt.
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
    let limits = call.ctx.dataset_limits;
    let response = service.call(call).await.map_err(failure)?;
    response.into_output(limits)
}

fn failure(error: impl Into<BoxError>) -> ExecutorError {
    let error: BoxError = error.into();
    ExecutorError::from_causes(&*error)
}

#[async_trait]
impl<S> Executor for ServiceExecutor<S>
where
    S: Service<NodeCall, Response: IntoOutput, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
{
    async fn execute(&self, node: NodeCall) -> Result<Output, ExecutorError> {
        call(self.ready_clone().await?, node).await
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
impl<S> Readiness for ServiceExecutor<S>
where
    S: Service<NodeCall, Response: IntoOutput, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
{
    async fn ready_executor(&self) -> Result<Arc<dyn Executor>, ExecutorError> {
        Ok(Arc::new(ReadyService {
            service: Mutex::new(Some(self.ready_clone().await?)),
            effect: self.effect,
        }))
    }
}

/// A service that is ready for one call.
struct ReadyService<S> {
    // `None` after the call.
    service: Mutex<Option<S>>,
    effect: Effect,
}

#[async_trait]
impl<S> Executor for ReadyService<S>
where
    S: Service<NodeCall, Response: IntoOutput, Error: Into<BoxError>, Future: Send>,
    S: Send + 'static,
{
    async fn execute(&self, node: NodeCall) -> Result<Output, ExecutorError> {
        let service = self.service.lock().take();
        match service {
            Some(service) => call(service, node).await,
            None => Err(ExecutorError::permanent("a ready service was called twice")),
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
