//! The handle of a running Floret: start, watch, cancel and resume runs from the host's own code.
//!
//! The same over HTTP is [`Floret::service`].

mod backfill;
mod dry_run;
mod resume;

pub use backfill::{BackfillBuilder, BackfillHandle};
pub use dry_run::DryRunBuilder;
pub use resume::ResumeBuilder;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::{Access, RunsService};
use crate::delivery::Delivery;
use crate::engine::{Engine, Key, Start, hash_of};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Subscription;
use crate::model::{Cancel, Dataset, RunId, RunStatus, Scope};
use crate::storage::{EventFilter, RunDetail, Storage};
use crate::views::Views;

/// A running Floret. Clones are the same one.
///
/// Dropping the last clone (handles of runs and services are clones too) without [`Floret::shutdown`] stops it at once and loses nothing:
/// runs under way go on at the next start.
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
    pub fn run(&self, pipeline: impl Into<String>) -> RunBuilder {
        RunBuilder {
            floret: self.clone(),
            pipeline: pipeline.into(),
            params: BTreeMap::new(),
            key: None,
        }
    }

    /// The handle of a run that was made before.
    #[must_use]
    pub fn handle(&self, run: RunId) -> RunHandle {
        RunHandle {
            floret: self.clone(),
            id: run,
        }
    }

    /// Asks a run to stop: executing nodes finish, nothing new starts. The answer is where it stands.
    ///
    /// # Errors
    /// `NotFound`; `RunFinished` when it has ended otherwise.
    pub async fn cancel(&self, run: RunId) -> Result<RunStatus> {
        Ok(self
            .engine
            .cancel(run, Cancel::Plain, &Scope::All)
            .await?
            .status)
    }

    /// Asks a run to stop: executing nodes are told to, and are left behind after 30 s ([`Limits::force_grace`](crate::Limits)).
    ///
    /// # Errors
    /// `NotFound`; `RunFinished` when it has ended otherwise.
    pub async fn force_cancel(&self, run: RunId) -> Result<RunStatus> {
        Ok(self
            .engine
            .cancel(run, Cancel::Forced, &Scope::All)
            .await?
            .status)
    }

    /// The Runs API over HTTP, as a tower service that any server mounts. `access` decides who may do what.
    #[must_use]
    pub fn service(&self, access: Access) -> RunsService {
        RunsService::new(self.engine.clone(), self.views.clone(), access)
    }

    /// The read side.
    #[must_use]
    pub const fn views(&self) -> &Views {
        &self.views
    }

    /// Events from now on.
    #[must_use]
    pub fn events(&self) -> Subscription {
        self.events_after(self.engine.events().newest())
    }

    /// Events after a sequence number, stored ones first, then live ones without a gap; 0 begins at the oldest.
    #[must_use]
    pub fn events_after(&self, seq: u64) -> Subscription {
        self.engine.events().subscribe(EventFilter::default(), seq)
    }

    /// Events of one kind of interest, after a sequence number.
    #[must_use]
    pub fn events_of(&self, filter: EventFilter, seq: u64) -> Subscription {
        self.engine.events().subscribe(filter, seq)
    }

    /// Attempts that ignored their end and could not be dropped.
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.engine.abandoned()
    }

    /// Stops in order: nothing is accepted or started, executing nodes get `grace` to end and notifiers to be brought what is
    /// stored; the rest goes on at the next start.
    /// Repeating it is harmless.
    ///
    /// # Errors
    /// `Internal` when storage could not be closed in order; nothing acknowledged is lost then.
    pub async fn shutdown(&self, grace: Duration) -> Result<()> {
        let clock = self.engine.clock();
        let deadline = clock.elapsed().saturating_add(grace);
        self.engine.events().close();
        self.engine.shutdown(grace).await;
        // Once no run writes any more, so that the last events are brought too.
        let rest = deadline.saturating_sub(clock.elapsed());
        self.delivery.shutdown(rest).await;
        self.engine.events().release_waiters();
        self.storage.close().await
    }
}

/// A run about to be made.
#[derive(Debug, Clone)]
#[must_use = "no run is made before `start`"]
pub struct RunBuilder {
    floret: Floret,
    pipeline: String,
    params: BTreeMap<String, String>,
    key: Option<String>,
}

impl RunBuilder {
    /// Sets a parameter over the pipeline's own.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    /// Sets the idempotency key: with one that was used before for this pipeline nothing is made, and the first run is answered.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Makes the run. It is durable when this answers.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` when a node type has no executor or the key was used with other parameters; `QueueFull`; `Unavailable`.
    pub async fn start(self) -> Result<RunHandle> {
        let body_hash = || hash_of(&body(&self.params));
        let key = self.key.map(|key| Key {
            key,
            body_hash: body_hash(),
        });
        let start = Start {
            pipeline: self.pipeline,
            params: self.params,
            key,
            scope: Scope::All,
        };
        let started = self.floret.engine.trigger(start).await?;
        Ok(self.floret.handle(started.run_id))
    }
}

/// The body that a client would send for the same run.
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

/// A run that was made.
#[derive(Debug, Clone)]
pub struct RunHandle {
    floret: Floret,
    id: RunId,
}

impl RunHandle {
    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.id
    }

    /// Waits for the run's end and answers the whole run.
    ///
    /// # Errors
    /// `NotFound` when the run was purged meanwhile; `ShuttingDown` when Floret stops first; `Unavailable`.
    pub async fn finished(&self) -> Result<RunDetail> {
        let engine = &self.floret.engine;
        loop {
            // Registered before storage is asked, so that an end in between is not missed.
            let end = engine.events().wait_for_finish(self.id);
            let found = self.floret.storage.find_run(self.id, &Scope::All).await?;
            let detail = found.ok_or_else(|| Error::run_not_found(self.id))?;
            if detail.run.status.is_terminal() {
                return Ok(detail);
            }
            if end.await.is_err() {
                return Err(Error::new(
                    ErrorKind::ShuttingDown,
                    "shutting-down",
                    "Floret stopped before the run ended",
                ));
            }
        }
    }

    /// The rows that a node of the run handed on.
    ///
    /// # Errors
    /// `NotFound` when the run has no such node; `OutputDropped` when its output was not kept or no longer is (a succeeded run keeps those of its
    /// last nodes, up to 1 MiB each); `Invalid` when a row is no `T`.
    pub async fn output<T: DeserializeOwned>(&self, node: &str) -> Result<Vec<T>> {
        self.dataset(node).await?.deserialize()
    }

    /// The same as a dataset.
    ///
    /// # Errors
    /// As [`RunHandle::output`].
    pub async fn dataset(&self, node: &str) -> Result<Dataset> {
        self.floret.views.output(self.id, node, &Scope::All).await
    }
}
