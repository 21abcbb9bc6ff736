//! Describes a Floret: storage, node types, notifiers and settings.
//!
//! `pipelines` adds the pipelines of the code. `start` puts the parts together, and `inspect` looks
//! at a storage without a start.

mod inspect;
mod pipelines;
mod start;

use std::error::Error as StdError;
#[cfg(feature = "sqlite")]
use std::path::Path;
use std::sync::Arc;

use tower_service::Service;

use crate::clock::Clock;
use crate::engine::CodePolicy;
#[cfg(feature = "sqlite")]
use crate::error::Result;
use crate::executor::{
    Effect, Executor, FunctionExecutor, IntoOutput, NodeArguments, NodeCall, NodeFunction,
    NodeResult, Readiness, Registry, ServiceExecutor, States,
};
use crate::floret::Floret;
use crate::limits::Limits;
use crate::model::{Pipeline, Retention, ScheduledPipelines, TenantId};
#[cfg(feature = "webhook")]
use crate::notifier::HookPolicy;
use crate::notifier::{Awakening, Notifier, Notifiers};
use crate::secret::Keyring;
#[cfg(feature = "secrets")]
use crate::secret::SecretKey;
use crate::storage::Storage;

/// Configures a Floret. [`Floret::open`] and [`Floret::builder`] return one.
///
/// Nothing is stored or executed before [`Builder::start`], which also reports every problem of the
/// configuration.
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use floret::{Floret, Limits, Pipeline, Retention, executor::Ctx, storage::MemoryStorage};
/// use floret::notifier::LogNotifier;
///
/// async fn load(_: Ctx) -> Result<Vec<serde_json::Value>, std::io::Error> {
///     Ok(vec![serde_json::json!({"id": 7})])
/// }
/// async fn save(_: Ctx, rows: Vec<serde_json::Value>) -> Result<(), std::io::Error> {
///     assert_eq!(rows.len(), 1);
///     Ok(())
/// }
/// let mut limits = Limits::default();
/// limits.runs_max = 2;
/// let floret = Floret::builder(MemoryStorage::default())
///     .node("load", load)
///     .sink("save", save)
///     .pipeline(Pipeline::new("daily").node("load", "load").node("save", "save").after("load"))
///     .notifier("log", LogNotifier::new())
///     .limits(limits)
///     .retention(Retention::keep_days(30).keep_last(10))
///     .start()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    storage: Arc<dyn Storage>,
    registry: Registry,
    keyring: Keyring,
    pipelines: Vec<Pipeline>,
    scheduled: ScheduledPipelines,
    code_policy: CodePolicy,
    limits: Limits,
    clock: Clock,
    notifiers: Notifiers,
    retention: Retention,
    twice: Vec<String>,
    notifiers_twice: Vec<String>,
    states: States,
    #[cfg(feature = "webhook")]
    hook_policy: HookPolicy,
}

impl Builder {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            registry: Registry::default(),
            keyring: Keyring::default(),
            pipelines: Vec::new(),
            scheduled: ScheduledPipelines::All,
            code_policy: CodePolicy::default(),
            limits: Limits::default(),
            clock: Clock::system(),
            notifiers: Notifiers::default(),
            retention: Retention::keep_all(),
            twice: Vec::new(),
            notifiers_twice: Vec::new(),
            states: States::default(),
            #[cfg(feature = "webhook")]
            hook_policy: HookPolicy::default(),
        }
    }

    /// Registers an async function as the node type `kind`. [`Pipeline::node`] adds a node of it.
    ///
    /// A node of this type is a source if it has no upstream, and a transform otherwise.
    /// [`NodeFunction`] lists what the function may take and return.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    /// use serde_json::{Value, json};
    ///
    /// async fn load(_: Ctx) -> Result<Vec<Value>, std::io::Error> {
    ///     Ok(vec![json!({"amount": 19}), json!({"amount": 23})])
    /// }
    /// async fn big(ctx: Ctx, rows: Vec<Value>) -> Result<Vec<Value>, std::io::Error> {
    ///     let is_big = |row: &Value| row["amount"].as_i64() > Some(20);
    ///     ctx.log.info(format!("filters {} rows", rows.len())).await;
    ///     Ok(rows.into_iter().filter(is_big).collect())
    /// }
    /// let floret = Floret::builder(MemoryStorage::default())
    ///     .node("load", load)
    ///     .node("big", big)
    ///     .pipeline(Pipeline::new("daily").node("load", "load").node("big", "big").after("load"))
    ///     .start()
    ///     .await?;
    /// let run = floret.run("daily").start().await?;
    /// run.finished().await?;
    /// let rows: Vec<Value> = run.output("big").await?;
    /// assert_eq!(rows, [json!({"amount": 23})]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn node<Args, F>(self, kind: impl Into<String>, function: F) -> Self
    where
        F: NodeFunction<Args> + Send + Sync + 'static,
        F::Future: Future<Output: NodeResult> + Send,
        Args: NodeArguments,
    {
        let kind = kind.into();
        let executor = FunctionExecutor::new(&kind, function, Effect::Transform, &self.states);
        self.executor(kind, executor)
    }

    /// Registers an async function that writes to an external system as the node type `kind`.
    ///
    /// A dry run skips it. A resume does not repeat it once it has succeeded, unless its own
    /// definition has changed or the resume names it or a node upstream of it.
    pub fn sink<Args, F>(self, kind: impl Into<String>, function: F) -> Self
    where
        F: NodeFunction<Args> + Send + Sync + 'static,
        F::Future: Future<Output: NodeResult> + Send,
        Args: NodeArguments,
    {
        let kind = kind.into();
        let executor = FunctionExecutor::new(&kind, function, Effect::Sink, &self.states);
        self.executor(kind, executor)
    }

    /// Gives a value to the node functions that take a [`State<T>`](crate::executor::State) of its
    /// type.
    ///
    /// Each attempt gets a clone. Functions may be registered before or after. [`Builder::start`]
    /// reports a state that a function takes and that was not given, and two states of one type.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// use floret::executor::{Ctx, ExecutorError, State};
    /// use floret::{Pipeline, Problem, testing::memory};
    ///
    /// #[derive(Clone)]
    /// struct Pool;
    ///
    /// async fn load(_: Ctx, State(pool): State<Pool>) -> Result<(), ExecutorError> {
    ///     drop(pool);
    ///     Ok(())
    /// }
    /// let floret = memory().node("load", load).state(Pool).start().await?;
    ///
    /// let refused = memory().node("load", load).start().await;
    /// assert_eq!(refused.unwrap_err().problem(), Problem::StateMissing);
    /// # Ok(())
    /// # }
    /// ```
    pub fn state<T: Clone + Send + Sync + 'static>(self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Registers a tower service, with its layers, as the node type `kind`.
    ///
    /// A node of this type is a source if it has no upstream, and a transform otherwise.
    ///
    /// Each attempt calls a clone of the service. A node first waits until the clone is ready. The
    /// wait counts as queue time (`queue_ms`) and occupies no slot of other nodes. An error is
    /// retryable unless it is, or has as a source, a permanent
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
    ///     call.ctx.log.info("one at a time, across all runs").await;
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

    /// Registers a tower service that writes to an external system as the node type `kind`.
    ///
    /// It is called like a [`Builder::node_service`]. Dry runs and resumes treat it like a
    /// [`Builder::sink`].
    pub fn sink_service<S>(self, kind: impl Into<String>, service: S) -> Self
    where
        S: Service<NodeCall, Response: IntoOutput, Future: Send> + Clone + Send + 'static,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.service(kind, ServiceExecutor::new(service, Effect::Sink))
    }

    fn service(mut self, kind: impl Into<String>, executor: impl Readiness) -> Self {
        let kind = kind.into();
        if !self.registry.insert_service(kind.clone(), executor) {
            self.twice.push(kind);
        }
        self
    }

    /// Registers an [`Executor`] as the node type `kind`.
    ///
    /// An executor can do what a function cannot: validate configs and declare assets.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use floret::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
    /// use floret::{Floret, Issue, Node, Pipeline, storage::MemoryStorage};
    /// use serde_json::{Map, Value};
    ///
    /// #[derive(Debug)]
    /// struct Touch;
    ///
    /// #[async_trait::async_trait]
    /// impl Executor for Touch {
    ///     async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError> {
    ///         call.ctx.log.info("touches a file").await;
    ///         Ok(Output::Nothing)
    ///     }
    ///     fn effect(&self, _: &Node) -> Effect {
    ///         Effect::Sink
    ///     }
    ///     fn validate(&self, config: &Map<String, Value>) -> Vec<Issue> {
    ///         let is_missing = !config.contains_key("path");
    ///         let issue = || Issue::pointer("/path", "path is required".to_owned());
    ///         is_missing.then(issue).into_iter().collect()
    ///     }
    ///     fn assets(&self, _: &Node) -> Vec<Asset> {
    ///         Vec::new()
    ///     }
    /// }
    /// let refused = Floret::builder(MemoryStorage::default())
    ///     .executor("touch", Touch)
    ///     .pipeline(Pipeline::new("daily").node("touch", "touch"))
    ///     .start()
    ///     .await;
    /// assert!(refused.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn executor(mut self, kind: impl Into<String>, executor: impl Executor) -> Self {
        let kind = kind.into();
        if !self.registry.insert(kind.clone(), Arc::new(executor)) {
            self.twice.push(kind);
        }
        self
    }

    /// Replaces the executor of a registered node type by what `replace` makes of it.
    #[cfg(feature = "testing")]
    pub(crate) fn replace_executor(
        mut self,
        kind: String,
        replace: impl FnOnce(Arc<dyn Executor>) -> Arc<dyn Executor>,
    ) -> Self {
        self.registry.replace(kind, replace);
        self
    }

    /// Opens the node type `kind` to pipelines of these tenants only. Pipelines without a tenant
    /// can always use it.
    ///
    /// For any other tenant, a save of a pipeline with such a node is refused, and so is each way
    /// to run it (`node-type-closed`). A run that exists or that a schedule creates fails at the
    /// node. A type without this call is open to every tenant.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// use floret::executor::{Ctx, ExecutorError};
    /// use floret::{Pipeline, Problem, TenantId, testing::memory};
    ///
    /// async fn read_ledger(_: Ctx) -> Result<(), ExecutorError> {
    ///     Ok(())
    /// }
    /// let acme = TenantId::new("acme").expect("a valid id");
    /// let refused = memory()
    ///     .node("read_ledger", read_ledger)
    ///     .for_tenants("read_ledger", [])
    ///     .pipeline(Pipeline::new("spy").node("read", "read_ledger").tenant(acme))
    ///     .start()
    ///     .await;
    /// assert_eq!(refused.unwrap_err().problem(), Problem::NodeTypeClosed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn for_tenants(
        mut self,
        kind: impl Into<String>,
        tenants: impl IntoIterator<Item = TenantId>,
    ) -> Self {
        self.registry.restrict(kind, tenants);
        self
    }

    /// Registers a notifier under a name.
    ///
    /// The name identifies the notifier's cursor, which is stored: after a restart, delivery
    /// continues where it stopped. A new name starts with the events from then on. The cursor of a
    /// name that is absent for 7 days ([`Limits::notifier_absent_max`]) is deleted, with a warning
    /// in the log. The name `pipeline-hooks` is that of the notifier that calls the hooks of
    /// pipelines.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use floret::{EventKind, Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    /// use floret::notifier::ChannelNotifier;
    ///
    /// async fn load(_: Ctx) -> Result<(), std::io::Error> {
    ///     Ok(())
    /// }
    /// let (notifier, mut completed) = ChannelNotifier::of([EventKind::RunCompleted]);
    /// let floret = Floret::builder(MemoryStorage::default())
    ///     .node("load", load)
    ///     .pipeline(Pipeline::new("daily").node("load", "load"))
    ///     .notifier("completed", notifier)
    ///     .start()
    ///     .await?;
    /// let run = floret.run("daily").start().await?;
    /// let event = completed.next().await.expect("Floret is running");
    /// assert_eq!(event.run_id, run.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn notifier(mut self, name: impl Into<String>, notifier: impl Notifier) -> Self {
        let name = name.into();
        let is_free = name != Awakening::HOOKS;
        if !self.notifiers.insert(name.clone(), Arc::new(notifier)) || !is_free {
            self.notifiers_twice.push(name);
        }
        self
    }

    /// Sets which receivers the hooks of pipelines may name. By default, these are public addresses
    /// over HTTPS alone.
    #[cfg(feature = "webhook")]
    pub fn hooks(mut self, policy: HookPolicy) -> Self {
        self.hook_policy = policy;
        self
    }

    /// Sets the key that seals the secrets of connections, variables and hooks. Without a key, no
    /// secret can be stored.
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

    /// Adds an old key, which opens the secrets that it has sealed but seals no new ones.
    ///
    /// A secret that is saved again is sealed with the current key.
    #[cfg(feature = "secrets")]
    pub fn old_secret_key(mut self, key: SecretKey) -> Self {
        self.keyring.add_old(key);
        self
    }

    /// Sets the limits. The default is [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the clock, for tests that control the time. The default is the system clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets which finished runs are kept, and for how long the audit is.
    ///
    /// The engine deletes the rest at its start and every hour ([`Limits::retention_pause`]).
    /// The default is [`Retention::keep_all`]: runs are kept until they are purged by request, and
    /// the audit for 90 days.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }
}

impl Floret {
    /// Opens a SQLite file, creates it if it is absent, and returns a builder of a Floret on it.
    ///
    /// # Errors
    /// - `StoreInUse` if another process has the file open.
    /// - `SchemaTooNew` if a newer version of Floret has written it.
    /// - `SqliteTooOld` if the linked SQLite is too old.
    /// - `NotADatabase` if the file is not a SQLite database.
    /// - `Internal` if the file cannot be opened.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::Floret;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("runs.db");
    /// let floret = Floret::open(path).await?.start().await?;
    /// # floret.shutdown(std::time::Duration::from_secs(10)).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sqlite")]
    pub async fn open(path: impl AsRef<Path>) -> Result<Builder> {
        let storage = crate::storage::SqliteStorage::open(path).await?;
        Ok(Builder::new(Arc::new(storage)))
    }

    /// Returns a builder of a Floret on any storage.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use floret::{Floret, storage::MemoryStorage};
    ///
    /// let floret = Floret::builder(MemoryStorage::default()).start().await?;
    /// assert!(floret.run("daily").start().await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(storage: impl Storage + 'static) -> Builder {
        Builder::new(Arc::new(storage))
    }
}
