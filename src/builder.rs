//! Composes a Floret: storage, node types, pipelines, limits.
//!
//! Nothing is spawned before [`Builder::start`].

use std::error::Error as StdError;
#[cfg(feature = "sqlite")]
use std::path::Path;
use std::sync::Arc;

use tower_service::Service;

use crate::clock::Clock;
use crate::delivery::{self, Delivery};
use crate::engine::{Engine, Parts};
use crate::error::{Error, ErrorKind, Issue, Result};
use crate::events::Events;
use crate::executor::{
    Effect, Executor, FunctionExecutor, IntoOutput, NodeCall, NodeFunction, Registry,
    ServiceExecutor, Turns,
};
use crate::floret::Floret;
use crate::limits::Limits;
use crate::model::{Pipeline, Retention};
use crate::notifier::{Notifier, Notifiers};
use crate::scheduler;
use crate::secret::Keyring;
#[cfg(feature = "secrets")]
use crate::secret::SecretKey;
use crate::storage::Storage;
use crate::views::Views;

/// Collects what a Floret is made of.
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    storage: Arc<dyn Storage>,
    registry: Registry,
    keyring: Keyring,
    pipelines: Vec<Pipeline>,
    limits: Limits,
    clock: Clock,
    notifiers: Notifiers,
    retention: Option<Retention>,
    twice: Vec<String>,
    notifiers_twice: Vec<String>,
}

impl Builder {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            registry: Registry::default(),
            keyring: Keyring::default(),
            pipelines: Vec::new(),
            limits: Limits::default(),
            clock: Clock::system(),
            notifiers: Notifiers::default(),
            retention: None,
            twice: Vec::new(),
            notifiers_twice: Vec::new(),
        }
    }

    /// Registers an async function as the node type `kind`; it counts as a transform, or as a source where it has no upstream.
    ///
    /// See [`NodeFunction`] for what it may take and return.
    pub fn node<A: 'static>(self, kind: impl Into<String>, function: impl NodeFunction<A>) -> Self {
        self.executor(kind, FunctionExecutor::new(function, Effect::Transform))
    }

    /// Registers an async function that writes to the world outside: a dry run leaves it out, a resume never repeats it once it succeeded.
    pub fn sink<A: 'static>(self, kind: impl Into<String>, function: impl NodeFunction<A>) -> Self {
        self.executor(kind, FunctionExecutor::new(function, Effect::Sink))
    }

    /// Registers a tower service as the node type `kind`, with whatever layers are around it; it counts as a transform, or as a source
    /// where it has no upstream.
    ///
    /// A clone of the service is called for each attempt. A node waits until it is ready, which counts as time in the queue (`queue_ms`) and
    /// takes no slot from other nodes. An error is tried again, unless it is or holds a permanent
    /// [`ExecutorError`](crate::executor::ExecutorError).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// use floret::executor::{ExecutorError, NodeCall, Output};
    /// use floret::{Floret, Pipeline, storage::MemoryStorage};
    /// use tower::{ServiceBuilder, service_fn};
    ///
    /// async fn ask(call: NodeCall) -> Result<Output, ExecutorError> {
    ///     call.ctx.log.info("one at a time, in all runs together").await;
    ///     Ok(Output::Nothing)
    /// }
    /// let service = ServiceBuilder::new().concurrency_limit(1).service(service_fn(ask));
    /// let floret = Floret::builder(MemoryStorage::default())
    ///     .node_service("ask", service)
    ///     .pipeline(Pipeline::new("daily").node("a", "ask").node("b", "ask"))
    ///     .start()
    ///     .await?;
    /// # floret.run("daily").start().await?.finished().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn node_service<S>(self, kind: impl Into<String>, service: S) -> Self
    where
        S: Service<NodeCall, Response: IntoOutput, Future: Send> + Clone + Send + 'static,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.service(kind, ServiceExecutor::new(service, Effect::Transform))
    }

    /// Registers a tower service that writes to the world outside: a dry run leaves it out, a resume never repeats it once it succeeded.
    /// Otherwise as [`Builder::node_service`].
    pub fn sink_service<S>(self, kind: impl Into<String>, service: S) -> Self
    where
        S: Service<NodeCall, Response: IntoOutput, Future: Send> + Clone + Send + 'static,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.service(kind, ServiceExecutor::new(service, Effect::Sink))
    }

    fn service(mut self, kind: impl Into<String>, executor: impl Turns) -> Self {
        let kind = kind.into();
        if !self.registry.insert_with_turns(kind.clone(), executor) {
            self.twice.push(kind);
        }
        self
    }

    /// Registers an executor as the node type `kind`.
    pub fn executor(mut self, kind: impl Into<String>, executor: impl Executor) -> Self {
        let kind = kind.into();
        if !self.registry.insert(kind.clone(), Arc::new(executor)) {
            self.twice.push(kind);
        }
        self
    }

    /// Registers a notifier under a name, which keeps its place over restarts; a new name begins with what happens from then on.
    ///
    /// A name that is absent for 7 days ([`Limits::notifier_absent_max`]) loses its place, with a warning in the log.
    pub fn notifier(mut self, name: impl Into<String>, notifier: impl Notifier) -> Self {
        let name = name.into();
        if !self.notifiers.insert(name.clone(), Arc::new(notifier)) {
            self.notifiers_twice.push(name);
        }
        self
    }

    /// Adds a pipeline; it is saved at the start, over what is stored under its id.
    pub fn pipeline(mut self, pipeline: Pipeline) -> Self {
        self.pipelines.push(pipeline);
        self
    }

    /// Sets the key that seals the secrets of connections and variables; without one none can be stored.
    ///
    /// ```
    /// # use floret::{Floret, SecretKey, storage::MemoryStorage};
    /// # fn build() -> floret::Result<()> {
    /// let mut builder = Floret::builder(MemoryStorage::default());
    /// if let Some(key) = SecretKey::from_env("FLORET_SECRET_KEY")? {
    ///     builder = builder.secret_key(key);
    /// }
    /// # drop(builder); Ok(()) }
    /// ```
    #[cfg(feature = "secrets")]
    pub fn secret_key(mut self, key: SecretKey) -> Self {
        self.keyring.set_current(key);
        self
    }

    /// Adds a key that opens what it sealed when it was the current one, and seals nothing any more.
    ///
    /// A secret that is saved again is sealed under the current key.
    #[cfg(feature = "secrets")]
    pub fn old_secret_key(mut self, key: SecretKey) -> Self {
        self.keyring.add_old(key);
        self
    }

    /// Sets the bounds.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the clock, for tests that turn the time.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets which finished runs are kept: the engine purges the others at its start and every hour ([`Limits::retention_pause`]).
    /// Without it all are kept until somebody purges them.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Saves the pipelines and begins to execute runs, those first that a crash left behind.
    ///
    /// # Errors
    /// `Invalid` when a node type or a notifier is registered twice or pipelines are not acceptable (every problem is told, and none is saved);
    /// `Conflict` when a pipeline's id or slug is taken; and what storage answers.
    pub async fn start(self) -> Result<Floret> {
        self.refuse_twice()?;
        let Self {
            storage,
            registry,
            keyring,
            pipelines,
            limits,
            clock,
            notifiers,
            twice: _,
            notifiers_twice: _,
            retention,
            ..
        } = self;
        if let Some(newest) = storage.newest_run().await? {
            clock.seed(newest);
        }
        let events = Events::open(Arc::clone(&storage), &limits).await?;
        let views = Views::new(Arc::clone(&storage), registry.clone());
        let engine = Engine::new(Parts {
            storage: Arc::clone(&storage),
            registry,
            keyring,
            limits,
            clock,
            events,
            retention,
        });
        refuse_unfit(&engine, &pipelines)?;
        // Before anything can happen that a notifier would have to be told.
        let delivery = Delivery::open(delivery::DeliveryParts {
            storage: Arc::clone(&storage),
            clock: engine.clock().clone(),
            limits: engine.limits().clone(),
            notifiers,
            newest: engine.events().watch_newest(),
            dropped: engine.dropped(),
        })
        .await?;
        for pipeline in pipelines {
            let id = pipeline.id.clone();
            let saved = engine.put_pipeline(pipeline).await;
            saved.map_err(|error| of_pipeline(&id, error))?;
        }
        engine.start();
        scheduler::start(&engine);
        let delivery = delivery.start();
        Ok(Floret::new(engine, views, storage, delivery))
    }

    fn refuse_twice(&self) -> Result<()> {
        refuse(&self.twice, "node-type-twice", "node type")?;
        refuse(&self.notifiers_twice, "notifier-twice", "notifier")
    }
}

/// Refuses names that were registered more than once.
fn refuse(twice: &[String], slug: &'static str, what: &str) -> Result<()> {
    let issue = |name: &String| {
        let detail = format!("the {what} {name} is registered twice");
        Issue::parameter(name.clone(), detail)
    };
    let issues: Vec<_> = twice.iter().map(issue).collect();
    if issues.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(slug, issues))
}

/// Refuses pipelines that are not acceptable, all of them together; the slug is that of the first.
fn refuse_unfit(engine: &Engine, pipelines: &[Pipeline]) -> Result<()> {
    let refusal = |pipeline: &Pipeline| {
        let refused = engine.check_pipeline(pipeline).err()?;
        Some(of_pipeline(&pipeline.id, refused))
    };
    let refused: Vec<_> = pipelines.iter().filter_map(refusal).collect();
    let Some(first) = refused.first() else {
        return Ok(());
    };
    let told: Vec<_> = refused.iter().map(Error::to_string).collect();
    let issues = refused.iter().flat_map(|error| error.issues().to_vec());
    let issues = issues.collect();
    Err(Error::new(ErrorKind::Invalid, first.slug(), told.join("; ")).with_issues(issues))
}

/// Says which pipeline was refused.
fn of_pipeline(id: &str, error: Error) -> Error {
    if error.kind() != ErrorKind::Invalid {
        return error;
    }
    let details: Vec<_> = error
        .issues()
        .iter()
        .map(|issue| issue.detail.as_str())
        .collect();
    let told = if details.is_empty() {
        error.to_string()
    } else {
        details.join("; ")
    };
    let issues = error.issues().to_vec();
    Error::new(
        ErrorKind::Invalid,
        error.slug(),
        format!("pipeline {id}: {told}"),
    )
    .with_issues(issues)
    .with_source(error)
}

impl Floret {
    /// Begins a Floret on a SQLite file, made where it is absent.
    ///
    /// # Errors
    /// `StoreInUse`, `SchemaTooNew`, `SqliteTooOld`, `NotADatabase`, or `Internal` when the file cannot be opened.
    #[cfg(feature = "sqlite")]
    pub async fn open(path: impl AsRef<Path>) -> Result<Builder> {
        let storage = crate::storage::SqliteStorage::open(path).await?;
        Ok(Builder::new(Arc::new(storage)))
    }

    /// Begins a Floret on any storage.
    pub fn builder(storage: impl Storage + 'static) -> Builder {
        Builder::new(Arc::new(storage))
    }
}
