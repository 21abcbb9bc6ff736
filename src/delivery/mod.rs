//! Brings stored events to notifiers: at least once, in order a run, from a stored place.
//!
//! One courier a notifier (`courier`), so that none waits for another; what a courier has in hand is kept in `book`. What is done with an event is
//! the notifier's own.

mod attendance;
mod book;
mod courier;
mod flight;
mod lane;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::courier::Courier;
use crate::clock::Clock;
use crate::error::Result;
use crate::limits::Limits;
use crate::notifier::Notifiers;
use crate::storage::{ClaimCursors, LostCursor, Storage};

/// Delivers events. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Delivery(Arc<Shared>);

/// What all couriers use.
#[derive(Debug)]
struct Shared {
    storage: Arc<dyn Storage>,
    clock: Clock,
    limits: Limits,
    // Owns the couriers and what they wait for, so that `shutdown` can wait for them.
    tasks: TaskTracker,
    // Tripped first: a courier ends once it has brought what is stored.
    drain: CancellationToken,
    // Tripped when the grace is over: what is on its way is dropped.
    stop: CancellationToken,
}

/// The parts of a delivery.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) notifiers: Notifiers,
    /// Tells of the newest event.
    pub(crate) newest: watch::Receiver<u64>,
    /// Tripped when nobody holds the Floret any more: what was not delivered is at the next start.
    pub(crate) dropped: CancellationToken,
}

/// A delivery whose notifiers have their places and are brought nothing yet.
pub(crate) struct Opened {
    shared: Arc<Shared>,
    names: Vec<String>,
    couriers: Vec<Courier>,
}

/// One moment on both clocks: waits go by the one that never steps back, rows tell the one on the wall.
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
        ClaimCursors::new(names, before.unwrap_or(DateTime::<Utc>::MIN_UTC), now)
    }
}

impl Delivery {
    /// Finds the place of each notifier; one that is known by no place begins with what happens from now on.
    ///
    /// # Errors
    /// What storage answers.
    pub(crate) async fn open(parts: Parts) -> Result<Opened> {
        let Parts {
            storage,
            clock,
            limits,
            mut notifiers,
            newest,
            dropped,
        } = parts;
        let shared = Arc::new(Shared {
            storage,
            clock,
            limits,
            tasks: TaskTracker::new(),
            drain: CancellationToken::new(),
            stop: dropped.child_token(),
        });
        let names = notifiers.names();
        let claim = shared.claim(names.clone());
        let places = shared.storage.claim_cursors(claim).await?;
        places.lost.iter().for_each(warn_of);
        let mut couriers = Vec::new();
        for place in places.cursors {
            if let Some(notifier) = notifiers.take(&place.name) {
                couriers.push(Courier::new(&shared, notifier, place, newest.clone()));
            }
        }
        Ok(Opened {
            shared,
            names,
            couriers,
        })
    }

    /// Stops in order: what is stored is brought within `grace`, the rest after the next start. Repeating it is harmless.
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
        let left = clock.timeout(limits.stop_grace, tasks.wait()).await;
        if left.is_none() {
            tracing::warn!("some code of notifiers does not yield and was left behind");
        }
    }
}

impl Opened {
    /// Begins to deliver.
    pub(crate) fn start(self) -> Delivery {
        let Self {
            shared,
            names,
            couriers,
        } = self;
        for courier in couriers {
            shared.tasks.spawn(courier.run());
        }
        let attendance = attendance::keep(Arc::clone(&shared), names);
        shared.tasks.spawn(attendance);
        Delivery(shared)
    }
}

/// Says that a name has lost its place.
fn warn_of(lost: &LostCursor) {
    tracing::warn!(
        notifier = %lost.name,
        seq = lost.seq,
        parked = lost.parked_count,
        seen_at = %lost.seen_at,
        "the notifier was absent too long and has lost its place; if it comes again it begins with what happens then"
    );
}
