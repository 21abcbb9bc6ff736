//! Tower services as executors, with their layers and their back-pressure.
//!
//! Counting the wait for readiness as time in the queue is left to `engine/node`.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tower_service::Service;

use super::conversion::Conversion;
use super::output::convert_output;
use super::{Asset, Effect, Executor, ExecutorError, IntoOutput, NodeCall, Output, Readiness};
use crate::error::{Issue, catch_panic_in, trace_panic};
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
    async fn ready_clone(&self) -> Result<ReadyClone<S>, ExecutorError> {
        // Like a panic in a call, a panic here fails the attempt.
        let panicked = |message: String| ExecutorError::panicked(&message);
        let clone = catch_panic_in(|| self.service.lock().clone()).map_err(panicked)?;
        let mut clone = ReadyClone(Some(clone));
        poll_fn(|context| {
            let Some(service) = &mut clone.0 else {
                return Poll::Ready(Err(called_twice()));
            };
            match catch_panic_in(|| service.poll_ready(context)) {
                Ok(readiness) => readiness.map_err(failure),
                Err(message) => Poll::Ready(Err(panicked(message))),
            }
        })
        .await?;
        Ok(clone)
    }
}

/// A clone of the service for one call. `None` after the call.
///
/// Where the clone is dropped without a call, no attempt would report a panic of its drop.
struct ReadyClone<S>(Option<S>);

impl<S> Drop for ReadyClone<S> {
    fn drop(&mut self) {
        let service = self.0.take();
        if let Err(message) = catch_panic_in(|| drop(service)) {
            trace_panic("a service panicked when it was dropped", &message);
        }
    }
}

async fn call<S>(service: Option<S>, call: NodeCall) -> Result<Output, ExecutorError>
where
    S: Service<NodeCall, Response: IntoOutput, Error: Into<BoxError>>,
{
    let conversion = Conversion::of(&call.ctx);
    let mut service = service.ok_or_else(called_twice)?;
    let response = service.call(call).await.map_err(failure)?;
    drop(service);
    convert_output(&conversion, response).await
}

fn called_twice() -> ExecutorError {
    ExecutorError::permanent("a ready service was called twice")
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
        let service = self.ready_clone().await?.0.take();
        call(service, node).await
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
            clone: Mutex::new(self.ready_clone().await?),
            effect: self.effect,
        }))
    }
}

/// A service that is ready for one call.
struct ReadyService<S> {
    clone: Mutex<ReadyClone<S>>,
    effect: Effect,
}

#[async_trait]
impl<S> Executor for ReadyService<S>
where
    S: Service<NodeCall, Response: IntoOutput, Error: Into<BoxError>, Future: Send>,
    S: Send + 'static,
{
    async fn execute(&self, node: NodeCall) -> Result<Output, ExecutorError> {
        let service = self.clone.lock().0.take();
        call(service, node).await
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
