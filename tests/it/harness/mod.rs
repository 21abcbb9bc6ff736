//! The world of a test: a store that outlives its hosts, a manual clock and a scripted executor.
//!
//! A running host is in `host`, pipelines and checks of runs in `runs`, captured traces in
//! `captured_trace`, dead letters in `parked`, a receiver of webhooks in `receiver`, definitions
//! that no save has checked in `unchecked`.

mod captured_trace;
mod host;
mod parked;
mod receiver;
mod runs;
mod unchecked;

pub(crate) use captured_trace::CapturedTrace;
pub(crate) use host::{Host, all_events};
pub(crate) use parked::park_dead_letter;
pub(crate) use receiver::{Received, Receiver};
pub(crate) use runs::{STEP, assert_statuses, chain, kinds, lines, node, statuses, step, until};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use floret::storage::{Durability, MemoryStorage, SqliteOptions, SqliteStorage};
use floret::testing::{
    FaultyStorage, Gate, ManualClock, Method, Scratch, ScriptedExecutor, scratch,
};
use floret::{Builder, ErrorKind, Floret, Limits, Pipeline, RunHandle, RunStatus};

/// Makes one test for each backend from each function that takes a [`Store`].
macro_rules! on_every_backend {
    ($($name:ident,)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                let test = super::$name($crate::harness::Store::memory());
                $crate::harness::with_timeout(stringify!($name), Box::pin(test)).await;
            })*
        }

        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let test = super::$name($crate::harness::Store::sqlite());
                $crate::harness::with_timeout(stringify!($name), Box::pin(test)).await;
            })*
        }
    };
}

/// Returns the output of a future.
///
/// # Panics
/// If the future takes longer than 60 s of real time.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that hangs must fail in real time, even if its clock stands still"
)]
pub(crate) async fn with_timeout<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .unwrap_or_else(|_| panic!("{what} hangs"))
}

/// The data of a test, which outlives each Floret that opens it.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(MemoryStorage),
    Sqlite(Scratch),
}

impl Store {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryStorage::default())
    }

    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(scratch())
    }

    /// Opens the store, which no other Floret may have open.
    pub(crate) async fn open(&self) -> FaultyStorage {
        match self {
            Self::Memory(storage) => {
                let storage = FaultyStorage::new(Arc::new(storage.clone()));
                storage.ignore_close();
                storage
            }
            Self::Sqlite(directory) => {
                let options = SqliteOptions::default().durability(Durability::Normal);
                let path = directory.path().join("floret.db");
                // A dropped store closes its file in the background.
                let storage = loop {
                    match SqliteStorage::open_with(&path, options.clone()).await {
                        Err(error) if matches!(error.kind(), ErrorKind::StoreInUse { .. }) => {}
                        opened => break opened.unwrap(),
                    }
                };
                FaultyStorage::new(Arc::new(storage))
            }
        }
    }
}

/// Longer than every sleep that a test waits for. A lease of this length is renewed every 80
/// minutes.
const LONG: Duration = Duration::from_secs(4 * 3_600);

/// The store, clock, script, limits and pipelines that the hosts of a test share.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) script: ScriptedExecutor,
    pub(crate) limits: Limits,
    pub(crate) pipelines: Vec<Pipeline>,
    /// The subscriber of the log on all threads of a host.
    pub(crate) log: Option<tracing::Dispatch>,
}

impl World {
    /// Returns a world in which neither log buffers nor the retention cause a sleep shorter than
    /// four hours.
    ///
    /// They wait at a moment that a test does not know. A test that advances to the next sleep
    /// would find this one instead of its own.
    pub(crate) fn new(store: Store) -> Self {
        let mut limits = Limits::default();
        (limits.log_linger, limits.retention_pause) = (LONG, LONG);
        Self {
            store,
            clock: ManualClock::new("2024-01-15T06:00:00Z".parse().unwrap()),
            script: ScriptedExecutor::new(),
            limits,
            pipelines: Vec::new(),
            log: None,
        }
    }

    /// Returns a world in which leases, too, cause no sleep shorter than an hour.
    pub(crate) fn quiet(store: Store) -> Self {
        let mut world = Self::new(store);
        world.limits.lease = LONG;
        world
    }

    pub(crate) fn pipeline(mut self, pipeline: Pipeline) -> Self {
        self.pipelines.push(pipeline);
        self
    }

    /// Starts a host.
    pub(crate) async fn start(&self) -> Host {
        self.start_with(|builder| builder).await
    }

    /// Starts a host with more node types.
    pub(crate) async fn start_with(&self, build: impl FnOnce(Builder) -> Builder) -> Host {
        let storage = self.store.open().await;
        self.start_on(storage, build).await
    }

    /// Starts a host on an open storage.
    pub(crate) async fn start_on(
        &self,
        storage: FaultyStorage,
        build: impl FnOnce(Builder) -> Builder,
    ) -> Host {
        self.try_start_on(storage, build).await.unwrap()
    }

    /// Starts a host on an open storage, unless its start fails.
    pub(crate) async fn try_start_on(
        &self,
        storage: FaultyStorage,
        build: impl FnOnce(Builder) -> Builder,
    ) -> floret::Result<Host> {
        let log = self.log.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .on_thread_start(move || {
                let guard = log.as_ref().map(tracing::dispatcher::set_default);
                // It belongs to its thread, and lasts as long.
                std::mem::forget(guard);
            })
            .build()
            .unwrap();
        let mut builder = Floret::builder(storage.clone())
            .clock(self.clock.clock())
            .limits(self.limits.clone())
            .executor(STEP, self.script.clone());
        for pipeline in &self.pipelines {
            builder = builder.pipeline(pipeline.clone());
        }
        match runtime.spawn(build(builder).start()).await.unwrap() {
            Ok(floret) => Ok(Host::new(floret, storage, runtime)),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Creates a pending run, and a host that claims it and then waits at the gate.
    pub(crate) async fn hold_claim(&mut self, pipeline: &str, gate: &Gate) -> (Host, RunHandle) {
        let runs_max = std::mem::take(&mut self.limits.runs_max);
        let host = self.start().await;
        let run = host.trigger(pipeline).await.id();
        host.stop().await;
        self.limits.runs_max = runs_max;
        let storage = self.store.open().await;
        storage.hold_after(Method::Claim, gate);
        let host = self.start_on(storage, |builder| builder).await;
        let run = host.floret.run_by_id(run);
        while host.stored(&run).await.run.status != RunStatus::Running {
            tokio::task::yield_now().await;
        }
        (host, run)
    }

    /// Makes the runs of a crashed host claimable again.
    ///
    /// Opening an SQLite file proves that the host is gone. In memory, its leases must expire.
    pub(crate) fn expire_leases(&self) {
        match self.store {
            Store::Memory(_) => self
                .clock
                .advance(self.limits.lease + Duration::from_secs(1)),
            Store::Sqlite(_) => {}
        }
    }

    /// Waits for a task that sleeps at most `bound`, and advances the clock to its deadline.
    ///
    /// Returns the step.
    pub(crate) async fn advance_within(&self, bound: Duration) -> Duration {
        self.clock.advance_within(bound).await
    }

    /// Advances the clock from one sleeper within `bound` to the next until the future finishes.
    pub(crate) async fn advance_until<T>(
        &self,
        bound: Duration,
        future: impl Future<Output = T>,
    ) -> T {
        self.clock.advance_until(bound, future).await
    }

    /// Returns how often each node was called.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for call in self.script.calls() {
            *calls.entry(call.node.id).or_default() += 1;
        }
        calls
    }
}
