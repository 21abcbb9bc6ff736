//! Stored events, handed on from any sequence number: first what is stored, then what is committed, without a gap.
//!
//! Events are written by storage beside the change that they tell; the signal here carries only the newest number.
//! A `Subscription` reads for itself; streams share what one reader keeps in memory (`live`), so that a thousand of them cost one serialisation.

mod ends;
#[cfg(feature = "websocket")]
mod feed;
#[cfg(feature = "websocket")]
mod live;
#[cfg(feature = "websocket")]
mod ring;
mod subscription;

#[cfg(feature = "websocket")]
pub(crate) use feed::{Arrival, Feed, Reading, Sent, Signals, Wait};

pub use subscription::Subscription;

use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::limits::Limits;
use crate::model::RunId;
use crate::storage::{EventFilter, Storage};

/// Hands on events. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    storage: Arc<dyn Storage>,
    // A watch, since a reader that falls behind needs only the newest number: the events themselves are stored.
    newest: watch::Sender<u64>,
    ends: Arc<ends::Ends>,
    closed: CancellationToken,
    page_max: u32,
    #[cfg(feature = "websocket")]
    live: Arc<live::Live>,
}

impl Events {
    pub(crate) async fn open(storage: Arc<dyn Storage>, limits: &Limits) -> Result<Self> {
        let newest = storage.newest_seq().await?;
        let page_max = u32::try_from(limits.events_page_max).unwrap_or(u32::MAX);
        Ok(Self {
            storage,
            newest: watch::Sender::new(newest),
            ends: Arc::default(),
            closed: CancellationToken::new(),
            page_max,
            #[cfg(feature = "websocket")]
            live: Arc::new(live::Live::new(limits)),
        })
    }

    /// Tells that events up to `seq` are committed.
    pub(crate) fn committed(&self, seq: u64) {
        self.newest.send_if_modified(|newest| {
            let grows = seq > *newest;
            *newest = seq.max(*newest);
            grows
        });
    }

    /// Tells that a run has ended and its last event is committed.
    pub(crate) fn ended(&self, run: RunId) {
        self.ends.ended(run);
    }

    /// Resolves once [`Events::ended`] is told of the run, and fails when Floret stops first. Whoever waits asks storage after this call, since the end may have been before.
    pub(crate) fn end_of(&self, run: RunId) -> oneshot::Receiver<()> {
        self.ends.wait(run)
    }

    /// The number of the newest event.
    pub(crate) fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Tells of the newest number as it grows, to readers that read pages of their own.
    pub(crate) fn signal(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Events after `after`, stored ones first, then live ones.
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

    /// Ends every subscription after what is stored by then.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    /// Lets everybody go who waits for the end of a run that does not end here.
    pub(crate) fn let_waiters_go(&self) {
        self.ends.close();
    }
}
