//! Delivers stored events to notifiers: at least once, in order per run, from a stored cursor. Of
//! a notifier with many receivers, an event that is retried may come after later ones of its run.
//!
//! Each notifier has its own worker (`worker`), so no notifier waits for another.
//! `ledger` holds the worker's deliveries. The notifier decides what it does with an event.

mod attempt;
mod exclusive;
mod failed_try;
mod ledger;
mod renewal;
mod run_queue;
mod served;
mod sifting;
mod sleeper;
mod stopwatch;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::served::ServedNotifier;
pub(crate) use self::sleeper::Sleeper;
use self::worker::DeliveryWorker;
use crate::clock::Clock;
use crate::error::{Result, log};
use crate::limits::Limits;
use crate::loops;
use crate::notifier::{Awakening, Notifiers, RetryRequests};
use crate::storage::{ClaimCursors, ExpiredCursor, Storage};

/// A handle to the running delivery of events. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Delivery(Arc<Shared>);

/// What all workers use.
#[derive(Debug)]
struct Shared {
    storage: Arc<dyn Storage>,
    clock: Clock,
    limits: Limits,
    requests: Arc<RetryRequests>,
    // The names of notifiers that sleep until they are first needed, or have begun since.
    dormant: Vec<String>,
    // Owns the workers and their attempts, so that `shutdown` can wait for them.
    tasks: TaskTracker,
    // Cancelled first: a worker returns once it has delivered what is stored.
    drain: CancellationToken,
    // Cancelled when the grace period is over: attempts in flight are dropped.
    stop: CancellationToken,
}

/// The parts of a delivery.
#[derive(Debug)]
pub(crate) struct DeliveryParts {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) notifiers: Notifiers,
    /// The notifier of hooks, if the host can call any.
    pub(crate) sleeper: Option<Sleeper>,
    /// The number of the newest event.
    pub(crate) newest: watch::Receiver<u64>,
    /// The dead letters that callers retry.
    pub(crate) requests: Arc<RetryRequests>,
    /// Cancelled when the last `Floret` handle is dropped. Undelivered events follow after the next
    /// start.
    pub(crate) dropped: CancellationToken,
}

/// A delivery whose notifiers have their cursors. It delivers nothing yet.
pub(crate) struct PreparedDelivery {
    shared: Arc<Shared>,
    names: Vec<String>,
    workers: Vec<DeliveryWorker>,
    /// The notifier that still sleeps.
    sleeper: Option<(Sleeper, watch::Receiver<u64>)>,
}

/// One moment on both clocks: waits use the monotonic clock, rows the wall clock.
#[derive(Debug, Clone, Copy)]
struct Moment {
    elapsed: Duration,
    wall: DateTime<Utc>,
}

impl Shared {
    fn now(&self) -> Moment {
        Moment {
            elapsed: self.clock.elapsed(),
            wall: self.clock.now(),
        }
    }

    fn claim(&self, names: Vec<String>) -> ClaimCursors {
        let now = self.clock.now();
        let absent = TimeDelta::from_std(self.limits.notifier_absent_max).ok();
        let before = absent.and_then(|absent| now.checked_sub_signed(absent));
        let before = before.unwrap_or(DateTime::<Utc>::MIN_UTC);
        let mut claim = ClaimCursors::new(names, before, now);
        claim.dormant.clone_from(&self.dormant);
        claim
    }
}

impl Delivery {
    /// Claims the cursor of each notifier. A notifier without a cursor starts after the newest
    /// event.
    ///
    /// # Errors
    /// Returns the error of storage.
    pub(crate) async fn open(parts: DeliveryParts) -> Result<PreparedDelivery> {
        let DeliveryParts {
            storage,
            clock,
            limits,
            mut notifiers,
            mut sleeper,
            newest,
            requests,
            dropped,
        } = parts;
        let shared = Arc::new(Shared {
            storage,
            clock,
            limits,
            requests,
            dormant: sleeper
                .iter()
                .map(|_| Awakening::HOOKS.to_owned())
                .collect(),
            tasks: TaskTracker::new(),
            drain: CancellationToken::new(),
            stop: dropped.child_token(),
        });
        let names = notifiers.names();
        let claim = shared.claim(names.clone());
        let mut claimed = shared.storage.claim_cursors(claim).await?;
        claimed.expired.iter().for_each(log_expired_cursor);
        let mut workers = Vec::new();
        if let Some(hooks) = &sleeper
            && let Some(cursor) = hooks.take_cursor(&shared, &mut claimed).await?
        {
            workers.push(hooks.worker(&shared, cursor, newest.clone()));
            sleeper = None;
        }
        for cursor in claimed.cursors {
            if let Some(notifier) = notifiers.take(&cursor.name) {
                let served = ServedNotifier::of_one_receiver(notifier, &shared.limits);
                let worker = DeliveryWorker::new(&shared, served, cursor, newest.clone());
                workers.push(worker);
            }
        }
        Ok(PreparedDelivery {
            shared,
            names,
            workers,
            sleeper: sleeper.map(|sleeper| (sleeper, newest)),
        })
    }

    /// Creates a delivery without notifiers, which reads and writes nothing.
    pub(crate) fn idle(storage: Arc<dyn Storage>, clock: Clock, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            storage,
            clock,
            limits,
            requests: Arc::default(),
            dormant: Vec::new(),
            tasks: TaskTracker::new(),
            drain: CancellationToken::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Shuts down in order: delivers what is stored for up to `grace`, then stops.
    ///
    /// Undelivered events follow after the next start. Repeating it is harmless.
    pub(crate) async fn shutdown(&self, grace: Duration) {
        let Shared {
            clock,
            limits,
            tasks,
            drain,
            stop,
            ..
        } = &*self.0;
        drain.cancel();
        tasks.close();
        if clock.timeout(grace, tasks.wait()).await.is_some() {
            return;
        }
        stop.cancel();
        let stopped = clock.timeout(limits.stop_grace, tasks.wait()).await;
        if stopped.is_none() {
            log::warn!("a notifier did not return in time and was abandoned");
        }
    }
}

impl PreparedDelivery {
    /// Starts the workers.
    pub(crate) fn start(self) -> Delivery {
        let Self {
            shared,
            names,
            workers,
            sleeper,
        } = self;
        for worker in workers {
            shared.tasks.spawn(worker.run());
        }
        if let Some((sleeper, newest)) = sleeper {
            let serving = sleeper.serve(Arc::clone(&shared), newest);
            shared.tasks.spawn(serving);
        }
        let own = Arc::clone(&shared);
        let renewing = move || renewal::renew_cursors(Arc::clone(&own), names.clone());
        let (clock, stop) = (shared.clock.clone(), shared.stop.clone());
        shared.tasks.spawn(loops::run(clock, stop, renewing));
        Delivery(shared)
    }
}

fn log_expired_cursor(expired: &ExpiredCursor) {
    log::warn!(
        notifier = %expired.name,
        seq = expired.seq,
        parked = expired.parked_count,
        seen_at = %expired.seen_at,
        "the notifier was absent too long, so its cursor expired; if it returns, it starts after the newest event"
    );
}
