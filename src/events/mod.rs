//! Stored events from any sequence number: first stored ones, then newly committed ones, without a
//! gap.
//!
//! Storage writes an event together with the change that it reports; the signal here carries only
//! the newest number. A `Subscription` reads its own pages. Streams share the events that one
//! reader keeps in memory (`live`), so that a thousand streams cost one serialization.

mod feed;
mod live;
mod ring;
mod subscription;
mod waiters;

pub(crate) use feed::{Feed, FeedItem, FeedPage, FeedSignals, FeedWait, PageRead};

pub use subscription::Subscription;

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::limits::Limits;
use crate::model::RunId;
use crate::storage::{EventFilter, Storage};

/// A handle to the events. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    storage: Arc<dyn Storage>,
    // A watch: a reader that falls behind needs only the newest number, since the events are
    // stored.
    newest: watch::Sender<u64>,
    waiters: Arc<waiters::RunWaiters>,
    closed: CancellationToken,
    page_max: u32,
    live: Arc<live::Live>,
}

impl Events {
    pub(crate) async fn open(storage: Arc<dyn Storage>, limits: &Limits) -> Result<Self> {
        let newest = storage.newest_seq().await?;
        let page_max = u32::try_from(limits.events_page_max).unwrap_or(u32::MAX);
        Ok(Self {
            storage,
            newest: watch::Sender::new(newest),
            waiters: Arc::default(),
            closed: CancellationToken::new(),
            page_max,
            live: Arc::new(live::Live::new(limits)),
        })
    }

    /// Notifies readers that events up to `seq` are committed.
    pub(crate) fn committed(&self, seq: u64) {
        self.newest.send_if_modified(|newest| {
            let grows = seq > *newest;
            *newest = seq.max(*newest);
            grows
        });
    }

    /// Notifies waiters that a run has finished and its last event is committed.
    pub(crate) fn run_finished(&self, run: RunId) {
        self.waiters.notify(run);
    }

    /// Notifies every waiter, so that each reads its run again.
    pub(crate) fn recheck_waiters(&self) {
        self.waiters.notify_all();
    }

    /// Calls `find` until it returns something about a run that has finished. Returns `None` if
    /// Floret stops first.
    ///
    /// # Errors
    /// Those of `find`.
    pub(crate) async fn until_finished<T, F>(
        &self,
        run: RunId,
        find: impl Fn() -> F,
    ) -> Result<Option<T>>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        loop {
            // Registered before the query, so that a finish between the two is not missed.
            let mut end = self.waiters.add(run);
            if let Some(found) = find().await? {
                return Ok(Some(found));
            }
            if !end.wait().await {
                return Ok(None);
            }
        }
    }

    /// Returns the number of the newest event.
    pub(crate) fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Returns a receiver of the newest number, for readers that read their own pages.
    pub(crate) fn watch_newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Subscribes to the events after `after`: stored ones first, then live ones.
    pub(crate) fn subscribe(&self, filter: EventFilter, after: u64) -> Subscription {
        Subscription::new(
            Arc::clone(&self.storage),
            filter,
            after,
            self.page_max,
            self.newest.subscribe(),
            self.closed.clone(),
        )
    }

    /// Closes every subscription after the events that are stored by then.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    /// Releases all callers that wait for a run that does not finish here.
    pub(crate) fn release_waiters(&self) {
        self.waiters.close();
    }
}
