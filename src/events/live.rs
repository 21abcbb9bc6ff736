//! The ring as streams share it: who listens, and the one reader that fills it.
//!
//! While nobody listens nothing is read: a host without streams pays nothing for them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};

use super::Events;
use super::ring::{Entry, Ring, Stand};
use crate::clock::Clock;
use crate::error::{ErrorKind, Result};
use crate::limits::Limits;
use crate::model::Event;
use crate::storage::EventFilter;

/// A pause after a failed read.
const RETRY: Duration = Duration::from_millis(200);

/// What all streams share.
#[derive(Debug)]
pub(super) struct Live {
    // Many streams look at once, one reader writes.
    state: RwLock<State>,
    // A notify, since the filling task has only to look whether anybody listens.
    wanted: Notify,
    // Watches, since only the newest state counts: the ring got longer, or somebody may be about to fall out of it.
    moved: watch::Sender<()>,
    laps: watch::Sender<()>,
    listeners_max: usize,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    listeners: usize,
    is_filled: bool,
    has_ended: bool,
}

/// A place among the listeners, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<Live>);

/// Where a listener stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// The ring is not filled yet.
    NotYet,
    /// As in the ring.
    At(Stand),
    /// All was seen and nothing will follow.
    Ended,
}

impl Live {
    pub(super) fn new(limits: &Limits) -> Self {
        let state = State {
            ring: Ring::new(limits),
            listeners: 0,
            is_filled: false,
            has_ended: false,
        };
        Self {
            state: RwLock::new(state),
            wanted: Notify::new(),
            moved: watch::Sender::new(()),
            laps: watch::Sender::new(()),
            listeners_max: limits.streams_max,
        }
    }

    /// A place, unless all are taken.
    pub(super) fn join(self: &Arc<Self>) -> Option<Seat> {
        let mut state = self.state.write();
        if state.listeners >= self.listeners_max {
            return None;
        }
        state.listeners += 1;
        drop(state);
        self.wanted.notify_one();
        Some(Seat(Arc::clone(self)))
    }

    fn begin(&self, at: u64) -> bool {
        let mut state = self.state.write();
        if state.listeners == 0 {
            return false;
        }
        if !state.is_filled {
            state.ring.begin(at);
            state.is_filled = true;
            self.moved.send_replace(());
        }
        true
    }

    fn is_filled(&self) -> bool {
        self.state.read().is_filled
    }

    /// Adds a page that reaches up to `head`. Answers whether anybody still listens.
    fn push(&self, page: &[Event], head: u64) -> bool {
        let entries = page.iter().map(Entry::new).collect();
        let mut state = self.state.write();
        if !state.is_filled {
            return false;
        }
        let is_lap = state.ring.push(entries, head);
        drop(state);
        self.moved.send_replace(());
        if is_lap {
            self.laps.send_replace(());
        }
        true
    }

    fn end(&self) {
        self.state.write().has_ended = true;
        self.moved.send_replace(());
    }
}

impl Seat {
    pub(super) fn moved(&self) -> watch::Receiver<()> {
        self.0.moved.subscribe()
    }

    pub(super) fn laps(&self) -> watch::Receiver<()> {
        self.0.laps.subscribe()
    }

    pub(super) fn look(&self, after: u64) -> Look {
        let state = self.0.state.read();
        match state.ring.stand(after) {
            Stand::AtHead if state.has_ended => Look::Ended,
            _ if !state.is_filled && state.has_ended => Look::Ended,
            _ if !state.is_filled => Look::NotYet,
            stand @ (Stand::Behind(_) | Stand::Within | Stand::AtHead) => Look::At(stand),
        }
    }

    /// The next event that fits, or the number up to which there is none. Nothing for whoever is behind or has seen all.
    pub(super) fn next(&self, after: u64, filter: &EventFilter) -> Option<(u64, Option<Bytes>)> {
        let ring = &self.0.state.read().ring;
        if ring.stand(after) != Stand::Within {
            return None;
        }
        match ring.next(after, filter) {
            Some((seq, text)) => Some((seq, Some(text))),
            None => Some((ring.head(), None)),
        }
    }

    /// Where the listener is about to fall out of the ring: the newest number, and how many events up to it fit.
    pub(super) fn skip(&self, after: u64, filter: &EventFilter) -> Option<(u64, u64)> {
        let ring = &self.0.state.read().ring;
        let is_due = ring.stand(after) == Stand::Within && ring.is_far(after);
        is_due.then(|| (ring.head(), ring.count(after, filter)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.0.state.write();
        state.listeners -= 1;
        if state.listeners == 0 {
            state.is_filled = false;
            state.ring.begin(0);
        }
    }
}

/// Why a filling stopped.
enum Stop {
    /// Nobody listens.
    Deserted,
    /// Nobody listened for a moment: what came meanwhile is not in the ring.
    Broken,
    /// Nothing will follow.
    Ended,
}

impl Events {
    /// Fills the ring while anybody listens, until the end.
    pub(crate) async fn keep_live(self, clock: Clock) {
        loop {
            match self.follow(&clock).await {
                Stop::Deserted => {}
                Stop::Broken => continue,
                Stop::Ended => break,
            }
            tokio::select! {
                biased;
                () = self.closed.cancelled() => break,
                () = self.live.wanted.notified() => {}
            }
        }
        self.live.end();
    }

    async fn follow(&self, clock: &Clock) -> Stop {
        let mut newest = self.newest.subscribe();
        let mut after = *newest.borrow_and_update();
        if !self.live.begin(after) {
            return Stop::Deserted;
        }
        loop {
            let is_last = tokio::select! {
                biased;
                () = self.closed.cancelled() => true,
                told = newest.wait_for(|newest| *newest > after) => told.is_err(),
                () = self.live.wanted.notified() => match self.live.is_filled() {
                    true => continue,
                    false => return Stop::Broken,
                },
            };
            // The number is taken before the page, so that the page has all up to it.
            let up_to = *newest.borrow_and_update();
            match self.page(after).await {
                Ok(page) => {
                    after = reach(&page, after.max(up_to), self.page_max);
                    if !self.live.push(&page, after) {
                        return Stop::Deserted;
                    }
                }
                Err(error) if is_last || error.kind() == ErrorKind::ShuttingDown => {
                    return Stop::Ended;
                }
                Err(error) => {
                    tracing::warn!(%error, "events could not be read for streams; they are read again");
                    clock.sleep(RETRY).await;
                }
            }
            if is_last && after >= up_to {
                return Stop::Ended;
            }
        }
    }

    async fn page(&self, after: u64) -> Result<Vec<Event>> {
        let all = EventFilter::default();
        self.storage.events(all, after, self.page_max).await
    }
}

/// How far a page brings a reader: to the end of a full one, else to the number that was the newest when it was read.
pub(super) fn reach(page: &[Event], newest: u64, page_max: u32) -> u64 {
    let last = page.last().map_or(0, |event| event.seq);
    match u32::try_from(page.len()) {
        Ok(length) if length < page_max => last.max(newest),
        Ok(_) | Err(_) => last,
    }
}
