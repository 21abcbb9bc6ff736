//! The ring that all streams share: its listeners, and the one reader that fills it.
//!
//! Nothing is read without a listener, so a host without streams pays nothing for them.
//! `ring` stores the events; `feed` is one stream's view of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};

use super::Events;
use super::ring::{Ring, RingEntry, RingPosition};
use crate::clock::Clock;
use crate::error::{ErrorKind, Result, log};
use crate::limits::Limits;
use crate::loops;
use crate::metrics;
use crate::model::Event;
use crate::storage::{EventFilter, EventPage};

/// The delay after a failed read.
const READ_RETRY_DELAY: Duration = Duration::from_millis(200);

/// The state that all streams share.
#[derive(Debug)]
pub(super) struct Live {
    // A read-write lock: many streams read, one task writes.
    state: RwLock<State>,
    // A notify: the filling task only has to check for listeners.
    wanted: Notify,
    // Watches: only the newest state counts.
    /// Signals that the ring changed.
    moved: watch::Sender<()>,
    /// Signals that blocked streams should check for an overrun.
    overrun_checks: watch::Sender<()>,
    listeners_max: usize,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    listeners: usize,
    is_filled: bool,
    is_closed: bool,
}

/// One listener of the ring. Dropping it removes the listener.
#[derive(Debug)]
pub(super) struct Listener(Arc<Live>);

/// The position of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListenerPosition {
    /// The ring is not filled yet.
    NotFilled,
    /// A position relative to the ring.
    InRing(RingPosition),
    /// The listener has read all events, and no more follow.
    Closed,
}

impl Live {
    pub(super) fn new(limits: &Limits) -> Self {
        let state = State {
            ring: Ring::new(limits),
            listeners: 0,
            is_filled: false,
            is_closed: false,
        };
        Self {
            state: RwLock::new(state),
            wanted: Notify::new(),
            moved: watch::Sender::new(()),
            overrun_checks: watch::Sender::new(()),
            listeners_max: limits.streams_max,
        }
    }

    /// Adds a listener. Returns `None` at the maximum of listeners.
    pub(super) fn join(self: &Arc<Self>) -> Option<Listener> {
        let mut state = self.state.write();
        if state.listeners >= self.listeners_max {
            return None;
        }
        state.listeners += 1;
        drop(state);
        metrics::stream_opened();
        self.wanted.notify_one();
        Some(Listener(Arc::clone(self)))
    }

    /// Begins to fill the ring after `newest`, or continues at its head. Returns the number after
    /// which to read, or `None` if there is no listener.
    fn start_filling(&self, newest: u64) -> Option<u64> {
        let mut state = self.state.write();
        if state.listeners == 0 {
            return None;
        }
        if !state.is_filled {
            state.ring.reset(newest);
            state.is_filled = true;
            self.moved.send_replace(());
        }
        Some(state.ring.head())
    }

    fn is_filled(&self) -> bool {
        self.state.read().is_filled
    }

    /// Appends a page that covers events up to `head`. Returns whether there still is a listener.
    fn push(&self, page: &[Event], head: u64) -> bool {
        let entries = page.iter().map(RingEntry::new).collect();
        let mut state = self.state.write();
        if !state.is_filled {
            return false;
        }
        let is_check_due = state.ring.push(entries, head);
        drop(state);
        self.moved.send_replace(());
        if is_check_due {
            self.overrun_checks.send_replace(());
        }
        true
    }

    fn close(&self) {
        self.state.write().is_closed = true;
        self.moved.send_replace(());
    }
}

impl Listener {
    pub(super) fn moved(&self) -> watch::Receiver<()> {
        self.0.moved.subscribe()
    }

    pub(super) fn overrun_checks(&self) -> watch::Receiver<()> {
        self.0.overrun_checks.subscribe()
    }

    pub(super) fn position(&self, after: u64) -> ListenerPosition {
        let state = self.0.state.read();
        match state.ring.position(after) {
            RingPosition::AtHead if state.is_closed => ListenerPosition::Closed,
            _ if !state.is_filled && state.is_closed => ListenerPosition::Closed,
            _ if !state.is_filled => ListenerPosition::NotFilled,
            position @ (RingPosition::Behind(_) | RingPosition::Within | RingPosition::AtHead) => {
                ListenerPosition::InRing(position)
            }
        }
    }

    /// Returns the next matching event, or the number up to which none matches.
    ///
    /// Returns `None` if the listener is behind the ring or has read all events.
    pub(super) fn next(&self, after: u64, filter: &EventFilter) -> Option<(u64, Option<Bytes>)> {
        let ring = &self.0.state.read().ring;
        if ring.position(after) != RingPosition::Within {
            return None;
        }
        match ring.next(after, filter) {
            Some((seq, json)) => Some((seq, Some(json))),
            None => Some((ring.head(), None)),
        }
    }

    /// Skips the ring if the listener is about to be overrun.
    ///
    /// Returns the newest number and how many matching events were skipped.
    pub(super) fn skip(&self, after: u64, filter: &EventFilter) -> Option<(u64, u64)> {
        let ring = &self.0.state.read().ring;
        let must_skip = ring.position(after) == RingPosition::Within && ring.is_near_overrun(after);
        must_skip.then(|| (ring.head(), ring.count(after, filter)))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        metrics::stream_closed();
        let mut state = self.0.state.write();
        state.listeners -= 1;
        if state.listeners == 0 {
            state.is_filled = false;
            state.ring.reset(0);
        }
    }
}

/// Why filling the ring stopped.
enum FillExit {
    /// There is no listener.
    NoListener,
    /// There was no listener for a moment: the ring lacks the events of that time.
    Gap,
    /// No more events follow.
    Closed,
}

impl Events {
    /// Fills the ring while there are listeners, until the events are closed.
    pub(crate) async fn fill_ring(self, clock: Clock) {
        let filling = || self.fill_while_wanted(&clock);
        loops::run(clock.clone(), self.closed.clone(), filling).await;
        self.live.close();
    }

    async fn fill_while_wanted(&self, clock: &Clock) {
        loop {
            match self.fill_until_exit(clock).await {
                FillExit::NoListener => {}
                FillExit::Gap => continue,
                FillExit::Closed => return,
            }
            tokio::select! {
                biased;
                () = self.closed.cancelled() => return,
                () = self.live.wanted.notified() => {}
            }
        }
    }

    async fn fill_until_exit(&self, clock: &Clock) -> FillExit {
        let mut newest = self.newest.subscribe();
        let start = *newest.borrow_and_update();
        let Some(mut after) = self.live.start_filling(start) else {
            return FillExit::NoListener;
        };
        loop {
            let is_last = tokio::select! {
                biased;
                () = self.closed.cancelled() => true,
                more = newest.wait_for(|newest| *newest > after) => more.is_err(),
                () = self.live.wanted.notified() => match self.live.is_filled() {
                    true => continue,
                    false => return FillExit::Gap,
                },
            };
            let up_to = *newest.borrow_and_update();
            match self.page(after).await {
                Ok(page) => {
                    after = after.max(page.up_to);
                    if !self.live.push(&page.events, after) {
                        return FillExit::NoListener;
                    }
                }
                Err(error) if is_last || error.kind() == ErrorKind::ShuttingDown => {
                    return FillExit::Closed;
                }
                Err(error) => {
                    log::warn!(%error, "could not read events for streams; will retry");
                    clock.sleep(READ_RETRY_DELAY).await;
                }
            }
            if is_last && after >= up_to {
                return FillExit::Closed;
            }
        }
    }

    async fn page(&self, after: u64) -> Result<EventPage> {
        let all = EventFilter::default();
        self.storage.events(all, after, self.page_max).await
    }
}
