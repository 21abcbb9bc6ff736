//! The handle of a running Floret: start, watch, cancel and resume runs from the host's own code.
//!
//! `engine` carries the commands out and `views` reads; `api` offers the same over HTTP.

mod backfill;
mod dry_run;
mod resume;

pub use backfill::{BackfillBuilder, BackfillHandle};
pub use dry_run::DryRunBuilder;
pub use resume::ResumeBuilder;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::{Access, RunsService};
use crate::delivery::Delivery;
use crate::engine::{Engine, RequestKey, RunRequest, hash_body};
use crate::error::{Error, Problem, Result};
use crate::events::Subscription;
use crate::model::{Cancel, DATE_PARAM, Dataset, RunId, RunStatus, Scope};
use crate::storage::{EventFilter, RunDetail, Storage};
use crate::views::Views;

/// A handle to a running Floret. Clones refer to the same one.
///
/// [`Floret::open`] and [`Floret::builder`] configure it, and
/// [`Builder::start`](crate::Builder::start) starts it.
///
/// Dropping the last clone without [`Floret::shutdown`] stops Floret at once. Run handles and
/// services count as clones. Nothing is lost: executing runs continue at the next start.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use floret::{Floret, Pipeline, RunStatus, executor::Ctx, storage::MemoryStorage};
///
/// async fn load(_: Ctx) -> Result<(), std::io::Error> {
///     Ok(())
/// }
/// let floret = Floret::builder(MemoryStorage::default())
///     .node("load", load)
///     .pipeline(Pipeline::new("daily").node("load", "load"))
///     .start()
///     .await?;
/// let run = floret.run("daily").start().await?;
/// assert_eq!(run.finished().await?.run.status, RunStatus::Success);
/// floret.shutdown(Duration::from_secs(10)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Floret {
    engine: Engine,
    views: Views,
    storage: Arc<dyn Storage>,
    delivery: Delivery,
}

impl Floret {
    pub(crate) const fn new(
        engine: Engine,
        views: Views,
        storage: Arc<dyn Storage>,
        delivery: Delivery,
    ) -> Self {
        Self {
            engine,
            views,
            storage,
            delivery,
        }
    }

    /// Prepares a run of the pipeline with this id or slug.
    ///
    /// [`RunBuilder::start`] creates the run.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let floret = Floret::builder(MemoryStorage::default())
    /// #     .node("load", load)
    /// #     .pipeline(Pipeline::new("daily").node("load", "load"))
    /// #     .start()
    /// #     .await?;
    /// let run = floret.run("daily").param("region", "eu").key("2024-01-15").start().await?;
    /// let detail = run.finished().await?;
    /// assert_eq!(detail.run.params["region"], "eu");
    ///
    /// // A repeated key creates nothing.
    /// let repeated = floret.run("daily").param("region", "eu").key("2024-01-15").start().await?;
    /// assert_eq!(repeated.id(), run.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn run(&self, pipeline: impl Into<String>) -> RunBuilder {
        RunBuilder {
            floret: self.clone(),
            pipeline: pipeline.into(),
            params: BTreeMap::new(),
            key: None,
            scope: Scope::All,
        }
    }

    /// Returns the handle of an existing run.
    ///
    /// The run is not looked up: the methods of the handle return `NotFound` if it does not exist.
    #[must_use]
    pub fn handle(&self, run: RunId) -> RunHandle {
        RunHandle {
            floret: self.clone(),
            id: run,
        }
    }

    /// Requests the cancellation of a run: executing nodes finish and no other node starts.
    ///
    /// Returns the current status of the run. A waiting run is cancelled at once; an executing run
    /// is cancelled when its executing nodes have finished.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run.
    /// - `RunFinished` if the run has succeeded or failed.
    /// - `ShuttingDown` or `Unavailable`.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use floret::{Floret, Pipeline, RunStatus, executor::Ctx, storage::MemoryStorage};
    /// use tokio::sync::Notify;
    ///
    /// let gate = Arc::new(Notify::new());
    /// let opened = Arc::clone(&gate);
    /// let load = move |_: Ctx| {
    ///     let opened = Arc::clone(&opened);
    ///     async move {
    ///         opened.notified().await;
    ///         Ok::<_, std::io::Error>(())
    ///     }
    /// };
    /// let floret = Floret::builder(MemoryStorage::default())
    ///     .node("load", load)
    ///     .pipeline(Pipeline::new("daily").node("a", "load").node("b", "load").after("a"))
    ///     .start()
    ///     .await?;
    /// let run = floret.run("daily").start().await?;
    /// floret.cancel(run.id()).await?;
    /// gate.notify_one();
    /// assert_eq!(run.finished().await?.run.status, RunStatus::Cancelled);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel(&self, run: RunId) -> Result<RunStatus> {
        Ok(self
            .engine
            .cancel(run, Cancel::Plain, &Scope::All)
            .await?
            .status)
    }

    /// Requests the cancellation of a run and of its executing nodes.
    ///
    /// It cancels [`Ctx::cancel`](crate::executor::Ctx::cancel) of each executing node. Nodes that
    /// have not returned after 30 s ([`Limits::force_grace`](crate::Limits::force_grace)) are
    /// abandoned. Returns the current status of the run.
    ///
    /// # Errors
    /// The same as [`Floret::cancel`].
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use floret::{Floret, Pipeline, RunStatus, executor::Ctx, storage::MemoryStorage};
    ///
    /// async fn listen(ctx: Ctx) -> Result<(), std::io::Error> {
    ///     ctx.cancel.cancelled().await;
    ///     Ok(())
    /// }
    /// let floret = Floret::builder(MemoryStorage::default())
    ///     .node("listen", listen)
    ///     .pipeline(Pipeline::new("forever").node("listen", "listen"))
    ///     .start()
    ///     .await?;
    /// let run = floret.run("forever").start().await?;
    /// floret.force_cancel(run.id()).await?;
    /// assert_eq!(run.finished().await?.run.status, RunStatus::Cancelled);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn force_cancel(&self, run: RunId) -> Result<RunStatus> {
        Ok(self
            .engine
            .cancel(run, Cancel::Forced, &Scope::All)
            .await?
            .status)
    }

    /// Returns the Runs API over HTTP, as a tower service that any server can mount.
    ///
    /// `access` decides which requests are allowed.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let floret = Floret::builder(MemoryStorage::default())
    /// #     .node("load", load)
    /// #     .pipeline(Pipeline::new("daily").node("load", "load"))
    /// #     .start()
    /// #     .await?;
    /// use floret::Access;
    /// use tower::ServiceExt as _;
    ///
    /// let api = floret.service(Access::read_only());
    /// let request = http::Request::get("/api/pipelines").body(String::new())?;
    /// assert_eq!(api.oneshot(request).await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn service(&self, access: Access) -> RunsService {
        RunsService::new(self.engine.clone(), self.views.clone(), access)
    }

    /// Returns the read side.
    #[must_use]
    pub const fn views(&self) -> &Views {
        &self.views
    }

    /// Subscribes to the events from now on.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let floret = Floret::builder(MemoryStorage::default())
    /// #     .node("load", load)
    /// #     .pipeline(Pipeline::new("daily").node("load", "load"))
    /// #     .start()
    /// #     .await?;
    /// use floret::EventKind;
    ///
    /// let mut events = floret.events();
    /// let run = floret.run("daily").start().await?;
    /// let first = events.next().await.expect("Floret is running")?;
    /// assert_eq!((first.kind, first.run_id), (EventKind::RunCreated, run.id()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn events(&self) -> Subscription {
        self.events_after(self.engine.events().newest())
    }

    /// Subscribes to the events after a sequence number: stored events first, then live ones,
    /// without a gap. 0 starts at the oldest event.
    #[must_use]
    pub fn events_after(&self, seq: u64) -> Subscription {
        self.engine.events().subscribe(EventFilter::default(), seq)
    }

    /// Subscribes to the events that match a filter, after a sequence number.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let floret = Floret::builder(MemoryStorage::default())
    /// #     .node("load", load)
    /// #     .pipeline(Pipeline::new("daily").node("load", "load"))
    /// #     .start()
    /// #     .await?;
    /// use floret::{EventKind, storage::EventFilter};
    ///
    /// let run = floret.run("daily").start().await?;
    /// let mut filter = EventFilter::default();
    /// filter.run = Some(run.id());
    /// filter.kinds = vec![EventKind::RunCompleted];
    /// let event = floret.events_of(filter, 0).next().await.expect("Floret is running")?;
    /// assert_eq!(event.run_id, run.id());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn events_of(&self, filter: EventFilter, seq: u64) -> Subscription {
        self.engine.events().subscribe(filter, seq)
    }

    /// Returns the number of attempts that ignored their cancellation and could not be dropped.
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.engine.abandoned()
    }

    /// Shuts Floret down: it accepts no command and starts no node.
    ///
    /// Within `grace`, executing nodes may finish and notifiers receive the stored events.
    /// Everything else continues at the next start. Calling it again is harmless.
    ///
    /// # Errors
    /// `Internal` if storage could not be closed properly. Nothing that was acknowledged is lost.
    pub async fn shutdown(&self, grace: Duration) -> Result<()> {
        let clock = self.engine.clock();
        let deadline = clock.elapsed().saturating_add(grace);
        self.engine.events().close();
        self.engine.shutdown(grace).await;
        // After the engine, because the last runs still write events to deliver.
        let rest = deadline.saturating_sub(clock.elapsed());
        self.delivery.shutdown(rest).await;
        self.engine.events().release_waiters();
        self.storage.close().await
    }
}

/// A run to create, from [`Floret::run`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let order = floret.run("daily").param("order", "17").key("order-17");
/// let run = order.clone().start().await?;
/// // The key makes a repeat safe: it returns the first run.
/// assert_eq!(order.start().await?.id(), run.id());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "no run is created before `start`"]
pub struct RunBuilder {
    floret: Floret,
    pipeline: String,
    params: BTreeMap<String, String>,
    key: Option<String>,
    scope: Scope,
}

impl RunBuilder {
    /// Sets a parameter, which overrides the pipeline's own.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    /// Sets the date of the run, which is also its parameter `date` and `${run.date}`.
    ///
    /// Without it, the date is the pipeline's parameter `date`, or else the day of the creation in
    /// the time zone of the pipeline's schedule.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let date = "2024-01-15".parse()?;
    /// let run = floret.run("daily").date(date).start().await?.finished().await?.run;
    /// assert_eq!((run.date, run.params["date"].as_str()), (date, "2024-01-15"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn date(self, date: NaiveDate) -> Self {
        self.param(DATE_PARAM, date.to_string())
    }

    /// Sets the idempotency key.
    ///
    /// A key that was used before for this pipeline creates nothing: the result is the first run.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Looks the pipeline up within this scope. Without it, the scope is [`Scope::All`].
    ///
    /// Pipelines of several tenants may have the same id. [`Scope::choose`] decides which one is
    /// meant.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// use floret::{Scope, TenantId};
    ///
    /// let (acme, globex) = (TenantId::new("acme")?, TenantId::new("globex")?);
    /// let daily = Pipeline::new("daily").node("load", "load");
    /// let floret = memory()
    ///     .node("load", load)
    ///     .tenant_pipeline(acme.clone(), daily.clone())
    ///     .tenant_pipeline(globex, daily)
    ///     .start()
    ///     .await?;
    /// let own = Scope::Tenant(acme.clone());
    /// let run = floret.run("daily").scope(own).start().await?.finished().await?.run;
    /// assert_eq!(run.tenant, Some(acme));
    /// let error = floret.run("daily").start().await.unwrap_err();
    /// assert_eq!(error.slug(), "tenant-required");
    /// # Ok(())
    /// # }
    /// ```
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Creates the run. The run is durable when this method returns.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline in scope.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Invalid` if a node type has no executor, or the key was used with other parameters.
    /// - `QueueFull` if too many runs are waiting.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn start(self) -> Result<RunHandle> {
        let body_hash = || hash_body(&body(&self.params));
        let key = self.key.map(|key| RequestKey {
            key,
            body_hash: body_hash(),
        });
        let start = RunRequest {
            pipeline: self.pipeline,
            params: self.params,
            key,
            scope: self.scope,
        };
        let started = self.floret.engine.trigger(start).await?;
        Ok(self.floret.handle(started.run_id))
    }
}

/// Returns the body that a client would send for the same run.
fn body(params: &BTreeMap<String, String>) -> Value {
    if params.is_empty() {
        return Value::Object(Map::new());
    }
    let params = params
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    Value::Object(Map::from_iter([(
        "params".to_owned(),
        Value::Object(params),
    )]))
}

/// A handle to a run, from [`RunBuilder::start`] or [`Floret::handle`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let run = floret.run("daily").start().await?;
/// println!("started {}", run.id());
/// let detail = run.finished().await?;
/// assert!(detail.run.status.is_terminal());
/// assert_eq!(detail.nodes.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RunHandle {
    floret: Floret,
    id: RunId,
}

impl RunHandle {
    /// Returns the run's id.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.id
    }

    /// Waits until the run has finished and returns the run with its nodes.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run, or it was purged meanwhile.
    /// - `ShuttingDown` if Floret stops first.
    /// - `Unavailable`.
    pub async fn finished(&self) -> Result<RunDetail> {
        let engine = &self.floret.engine;
        loop {
            // Registered before the query, so that a finish between the two is not missed.
            let mut end = engine.events().wait_for_finish(self.id);
            let found = self.floret.storage.find_run(self.id, &Scope::All).await?;
            let detail = found.ok_or_else(|| Error::run_not_found(self.id))?;
            if detail.run.status.is_terminal() {
                return Ok(detail);
            }
            if !end.wait().await {
                return Err(Error::new(
                    Problem::ShuttingDown,
                    "Floret stopped before the run finished",
                ));
            }
        }
    }

    /// Returns the output of a node as rows.
    ///
    /// A succeeded run keeps the outputs of its last nodes, up to 1 MiB each.
    ///
    /// # Errors
    /// - `NotFound` if the run does not exist or has no such node.
    /// - `OutputDropped` if the output was not stored or was dropped.
    /// - `Invalid` if a row cannot be deserialized as `T`.
    /// - `Unavailable`.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    ///
    /// async fn load(_: Ctx) -> Result<Vec<serde_json::Value>, std::io::Error> {
    ///     Ok(vec![serde_json::json!({"id": 7})])
    /// }
    /// let floret = Floret::builder(MemoryStorage::default())
    ///     .node("load", load)
    ///     .pipeline(Pipeline::new("daily").node("load", "load"))
    ///     .start()
    ///     .await?;
    /// let run = floret.run("daily").start().await?;
    /// run.finished().await?;
    /// let rows: Vec<serde_json::Value> = run.output("load").await?;
    /// assert_eq!(rows[0]["id"], 7);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn output<T: DeserializeOwned>(&self, node: &str) -> Result<Vec<T>> {
        self.dataset(node).await?.deserialize()
    }

    /// Returns the output of a node as a dataset.
    ///
    /// # Errors
    /// The same as [`RunHandle::output`], except for `Invalid`.
    pub async fn dataset(&self, node: &str) -> Result<Dataset> {
        self.floret.views.output(self.id, node, &Scope::All).await
    }
}
