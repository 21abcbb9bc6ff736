//! The handle of a running Floret, and the calls of its clients.
//!
//! `engine` carries the commands out and `views` reads; `api` offers the same over HTTP.

mod audit;
mod backfill;
mod backfill_pauses;
mod backfill_rerun;
mod backfills;
mod bulk;
mod calendar;
mod cancel;
mod client;
mod connections;
mod dashboard;
mod deliveries;
mod dry_run;
mod given_params;
mod grid;
mod labels;
mod lineage;
mod logs;
mod node_history;
mod paging;
mod param_serializer;
mod pauses;
mod pipelines;
mod rerun;
mod resume;
mod run;
mod run_handle;
mod runs;
mod schedules;
mod search;
mod system;
mod variables;
mod versions;

pub use audit::Audit;
pub use backfill::{BackfillBuilder, BackfillHandle};
pub use backfill_pauses::BackfillPauseBuilder;
pub use backfill_rerun::BackfillRerunBuilder;
pub use backfills::Backfills;
pub use bulk::{BulkCancelBuilder, BulkRerunBuilder};
pub use calendar::Calendar;
pub use cancel::{BackfillCancelBuilder, CancelBuilder};
pub use client::Client;
pub use connections::{Connections, NewConnection};
pub use deliveries::Deliveries;
pub use dry_run::DryRunBuilder;
#[cfg(feature = "testing")]
pub(crate) use given_params::GivenParams;
pub use grid::GridQuery;
pub use labels::EditBuilder;
pub use logs::Logs;
pub use node_history::NodeHistoryQuery;
pub use pauses::{PauseBuilder, UnpauseBuilder};
pub use pipelines::{DeletePipelineBuilder, Pipelines, PutPipelineBuilder};
pub use rerun::RerunBuilder;
pub use resume::ResumeBuilder;
pub use run::RunBuilder;
pub use run_handle::RunHandle;
pub use runs::Runs;
pub use search::Search;
pub use system::{PurgeBuilder, System};
pub use variables::{NewVariable, Variables};
pub use versions::{RollbackBuilder, Versions};

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use self::client::Parts;
use crate::api::{Access, RunsService};
#[cfg(feature = "console")]
use crate::console::ConsoleService;
use crate::delivery::Delivery;
use crate::engine::Engine;
use crate::error::Result;
use crate::limits::Limits;
use crate::model::{Pipeline, Scope, StoredPipeline, TenantId};
use crate::storage::Storage;
use crate::views::Views;

/// A handle to a running Floret. Clones refer to the same one.
///
/// It is a [`Client`] that sees every object: the calls about pipelines, runs and everything else
/// are methods of the client, and this handle has them, too. What it adds belongs to the host
/// alone. A handler that acts for one tenant gets the client of that tenant ([`Floret::scoped`]).
///
/// [`Floret::open`] and [`Floret::builder`] configure it, and
/// [`Builder::start`](crate::Builder::start) starts it.
///
/// Dropping the last clone without [`Floret::shutdown`] stops Floret at once. Clients, run
/// handles and services count as clones. Nothing is lost: executing runs continue at the next
/// start.
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
pub struct Floret(Client);

impl Floret {
    pub(crate) fn new(
        engine: Engine,
        views: Views,
        storage: Arc<dyn Storage>,
        delivery: Delivery,
    ) -> Self {
        Self(Client::new(Parts {
            engine,
            views,
            storage,
            delivery,
        }))
    }

    /// Returns the client of a scope. It sees and changes only the objects of the scope, and what
    /// it creates belongs to its tenant.
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
    ///     .pipeline(daily.clone().tenant(acme.clone()))
    ///     .pipeline(daily.tenant(globex))
    ///     .start()
    ///     .await?;
    /// let client = floret.scoped(Scope::Tenant(acme.clone()));
    /// let run = client.run("daily").await?.finished().await?.run;
    /// assert_eq!(run.tenant, Some(acme));
    /// // The host must say which one it means.
    /// let error = floret.run("daily").await.unwrap_err();
    /// assert_eq!(error.slug(), "tenant-required");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn scoped(&self, scope: Scope) -> Client {
        self.0.within(scope)
    }

    /// Adds a pipeline to those of the code, as [`Builder::pipeline`](crate::Builder::pipeline)
    /// does before the start. It replaces the stored pipeline of the same tenant and id, also one
    /// that callers manage, and the code manages it from then on.
    ///
    /// The next start no longer has it, unless the host adds it again.
    ///
    /// # Errors
    /// - `Invalid` with every problem of the definition.
    /// - `Conflict` (`already-exists`) if another pipeline of the tenant has its slug.
    /// - `ShuttingDown` or `Unavailable`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// let floret = memory().node("load", load).start().await?;
    /// for customer in ["acme", "globex"] {
    ///     let load = Pipeline::new(format!("load-{customer}")).node("load", "load");
    ///     floret.add_pipeline(load.schedule("@daily")).await?;
    /// }
    /// let removed = floret.remove_pipeline("load-acme", None).await?;
    /// assert!(!removed.definition.enabled);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn add_pipeline(&self, pipeline: Pipeline) -> Result<StoredPipeline> {
        let added = self.0.engine().add_pipeline(pipeline).await;
        added.map(StoredPipeline::for_caller)
    }

    /// Removes a pipeline from those of the code: disables it and leaves it to callers.
    ///
    /// The pipeline and its runs stay stored, and its active runs go on.
    /// [`Pipelines::delete`] deletes it.
    ///
    /// # Errors
    /// - `NotFound` if the code has no pipeline with this id and tenant.
    /// - `Conflict` (`precondition-failed`) if somebody changes it at the same time.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn remove_pipeline(
        &self,
        id: &str,
        tenant: Option<&TenantId>,
    ) -> Result<StoredPipeline> {
        let removed = self.0.engine().remove_pipeline(id, tenant).await;
        removed.map(StoredPipeline::for_caller)
    }

    /// Returns the limits as they are now.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::clone(&self.0.engine().current_limits())
    }

    /// Changes how much executes and waits at once: `runs_max`, `nodes_engine_max`,
    /// `nodes_run_max`, `queued_pipeline_max` and `queued_max`. Nothing is stored: a start has the
    /// limits of its builder.
    ///
    /// A larger limit takes effect at once. A smaller one stops nothing: no run, node or trigger is
    /// admitted until there is room. `nodes_run_max` takes effect for runs that start afterwards.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let floret = floret::testing::memory().start().await?;
    /// let mut limits = floret.limits();
    /// limits.runs_max = 20;
    /// floret.set_limits(&limits)?;
    /// assert_eq!(floret.system().info().await?.max_concurrent_runs, 20);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` if another limit differs from the one at the start. Nothing is changed then.
    pub fn set_limits(&self, limits: &Limits) -> Result<()> {
        self.0.engine().set_limits(limits)
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
        RunsService::new(self.engine().clone(), self.views().clone(), access)
    }

    /// Returns the console: a page for people, and the Runs API below its `api/`, as one tower
    /// service that any server can mount anywhere.
    ///
    /// `access` decides about each request that the page sends to the API. The page itself holds no
    /// data, so every caller gets it that the host lets through.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # let floret = floret::testing::memory().start().await?;
    /// use floret::Access;
    ///
    /// let console = floret.console(Access::read_only()).prefix("/ops/flows");
    /// let app: axum::Router = axum::Router::new().nest_service("/ops/flows", console);
    /// # drop(app);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "console")]
    #[must_use]
    pub fn console(&self, access: Access) -> ConsoleService {
        ConsoleService::new(self.service(access))
    }

    /// Returns the number of attempts that ignored their cancellation and could not be dropped.
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.engine().abandoned()
    }

    /// Shuts Floret down: it accepts no command and starts no node.
    ///
    /// Within `grace`, executing nodes may finish and notifiers receive the stored events.
    /// Everything else continues at the next start. Calling it again is harmless.
    ///
    /// # Errors
    /// `Internal` if storage could not be closed properly. Nothing that was acknowledged is lost.
    pub async fn shutdown(&self, grace: Duration) -> Result<()> {
        let Parts {
            engine,
            views: _,
            storage,
            delivery,
        } = self.parts();
        let clock = engine.clock();
        let deadline = clock.elapsed().saturating_add(grace);
        engine.events().close();
        engine.shutdown(grace).await;
        // After the engine, because the last runs still write events to deliver.
        let rest = deadline.saturating_sub(clock.elapsed());
        delivery.shutdown(rest).await;
        engine.events().release_waiters();
        storage.close().await
    }
}

impl Deref for Floret {
    type Target = Client;

    /// Returns the client that sees every object.
    fn deref(&self) -> &Client {
        &self.0
    }
}
