//! The write side: every command that changes something, and the loops that execute runs.
//!
//! Questions are answered by `views`; what is remembered is `storage`'s.

mod active;
mod attempt;
mod backfill;
mod cancel;
mod checkpoint;
mod connections;
mod context;
mod driver;
mod dry_run;
mod halt;
mod hiding;
mod journal;
mod names;
mod node;
mod pipelines;
mod purge;
mod queue;
mod recovery;
mod resume;
mod retention;
mod retry;
mod secrets;
mod shutdown;
mod ticks;
mod trigger;
mod turn;
mod variables;
mod vault;

pub(crate) use crate::storage::PurgeMode;
pub(crate) use backfill::{Backfilled, StartBackfill};
pub(crate) use connections::CONNECTION_FIELDS;
pub(crate) use dry_run::AskDryRun;
pub(crate) use pipelines::{Expected, Revision};
pub(crate) use purge::PurgeRuns;
pub(crate) use resume::{Resume, ResumeOn};
pub(crate) use ticks::{Due, Ticks};
pub(crate) use trigger::{Key, Start, Started, hash_of};
pub(crate) use variables::VARIABLE_FIELDS;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::events::Events;
use crate::executor::Registry;
use crate::limits::Limits;
use crate::model::Retention;
use crate::secret::Keyring;
use crate::storage::Storage;

/// Carries out commands and executes runs. Clones are the same engine; dropping the last one ends its tasks.
#[derive(Debug, Clone)]
pub(crate) struct Engine(
    Arc<Shared>,
    // Held for its drop.
    Arc<shutdown::EndOnDrop>,
);

/// What every command and every loop of an engine uses.
#[derive(Debug)]
pub(crate) struct Shared {
    storage: Arc<dyn Storage>,
    registry: Registry,
    keyring: Keyring,
    limits: Limits,
    clock: Clock,
    events: Events,
    active: active::Active,
    // Permits are nodes that execute, in all runs together.
    node_slots: Arc<Semaphore>,
    // Permits are dry runs under way.
    dry_runs: Semaphore,
    // A notify, since many wishes to look at the queue are one.
    wake: Notify,
    // As above: a definition was saved or deleted, and with it its schedule.
    schedules_changed: Notify,
    // Tripped first: no claims, no starts of nodes.
    drain: CancellationToken,
    // Tripped when the grace is over: what executes is dropped.
    stop: CancellationToken,
    // A lock that is fair, so that purges take their turns; held while one pauses, which a lock of threads must not be.
    purging: Arc<Mutex<()>>,
    // What the engine purges by itself.
    retention: Option<Retention>,
    // When the engine was made, on the monotonic clock.
    made_at: Duration,
    // Owns every task of the engine, so that `shutdown` can wait for them.
    tasks: TaskTracker,
    // Attempts that could not be dropped since their code does not yield.
    abandoned: AtomicU64,
}

/// The parts of an engine.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) registry: Registry,
    pub(crate) keyring: Keyring,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) events: Events,
    pub(crate) retention: Option<Retention>,
}

impl Engine {
    /// An engine that does nothing yet.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            storage,
            registry,
            keyring,
            limits,
            clock,
            events,
            retention,
        } = parts;
        let node_slots = usize::try_from(limits.nodes_engine_max)
            .unwrap_or(usize::MAX)
            .clamp(1, Semaphore::MAX_PERMITS);
        let dry_runs = usize::try_from(limits.dry_runs_max)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let end = shutdown::EndOnDrop {
            drain: drain.clone(),
            stop: stop.clone(),
            events: events.clone(),
            dropped: CancellationToken::new(),
        };
        let shared = Shared {
            made_at: clock.elapsed(),
            purging: Arc::default(),
            retention,
            storage,
            registry,
            keyring,
            limits,
            clock,
            events,
            active: active::Active::default(),
            node_slots: Arc::new(Semaphore::new(node_slots)),
            dry_runs: Semaphore::new(dry_runs),
            wake: Notify::new(),
            schedules_changed: Notify::new(),
            drain,
            stop,
            tasks: TaskTracker::new(),
            abandoned: AtomicU64::new(0),
        };
        Self(Arc::new(shared), Arc::new(end))
    }

    /// Begins to execute runs.
    pub(crate) fn start(&self) {
        self.0.tasks.spawn(queue::run(Arc::clone(&self.0)));
        self.0.tasks.spawn(queue::renew(Arc::clone(&self.0)));
        #[cfg(feature = "websocket")]
        {
            let live = self.0.events.clone().fill_ring(self.0.clock.clone());
            self.0.tasks.spawn(live);
        }
        if let Some(retention) = self.0.retention {
            let purging = retention::run(Arc::clone(&self.0), retention);
            self.0.tasks.spawn(purging);
        }
        self.0.wake.notify_one();
    }

    /// Carries a stream of events: a task that ends by itself once the events do, and that a shutdown waits for.
    #[cfg(feature = "websocket")]
    pub(crate) fn carry(&self, stream: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(stream);
    }

    /// Tripped once nobody holds the engine any more; a shutdown does not trip it.
    pub(crate) fn dropped(&self) -> CancellationToken {
        self.1.dropped.clone()
    }

    /// How long the engine has been there.
    pub(crate) fn uptime(&self) -> Duration {
        self.0.clock.elapsed().saturating_sub(self.0.made_at)
    }

    /// Whether a shutdown has begun.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.0.drain.is_cancelled()
    }

    /// The node types that can be executed, in alphabetical order.
    pub(crate) fn node_types(&self) -> impl Iterator<Item = &str> {
        self.0.registry.kinds()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn events(&self) -> &Events {
        &self.0.events
    }

    /// Refuses a command once a shutdown has begun.
    pub(crate) fn refuse_in_shutdown(&self) -> Result<()> {
        if self.is_shutting_down() {
            return Err(shutting_down());
        }
        Ok(())
    }
}

fn shutting_down() -> Error {
    Error::new(
        ErrorKind::ShuttingDown,
        "shutting-down",
        "Floret is shutting down; nothing is accepted any more",
    )
}
