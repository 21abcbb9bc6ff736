//! The events of one stream: pages of stored events until it reaches the ring, then the ring.
//!
//! It never waits for its client: events that a slow client misses are counted. `api/stream` sends
//! them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Events;
use super::live::{Listener, ListenerPosition};
use super::ring::{RingPosition, to_json};
use crate::error::{Error, Problem, Result};
use crate::metrics;
use crate::model::{Event, Scope};
use crate::storage::EventFilter;

/// The events of one stream that match its filter.
#[derive(Debug)]
pub(crate) struct Feed {
    events: Events,
    listener: Listener,
    filter: EventFilter,
    // Every event up to this number was taken, is in `page`, was counted as missed, or does not
    // match.
    after: u64,
    mode: Mode,
    page: VecDeque<(u64, Bytes)>,
    missed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Reads stored events until it reaches the ring.
    Stored,
    /// Takes events from the ring.
    Live,
    /// Was overrun: counts the events that it missed up to this number.
    Overrun(u64),
}

/// What a stream sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FeedItem {
    /// An event.
    Event {
        /// Its number.
        seq: u64,
        /// The event as JSON.
        json: Bytes,
    },
    /// Matching events were skipped since the last item.
    Lagged {
        /// How many.
        missed: u64,
        /// The smallest number that may follow.
        next_seq: u64,
    },
}

/// What to wait for after [`Feed::take`] returned `None`.
pub(crate) enum FeedWait {
    /// Nothing: an item may be taken at once.
    Nothing,
    /// [`FeedSignals::moved`].
    Moved,
    /// This page, which [`Feed::accept_page`] takes.
    Page(PageRead),
    /// No more events follow.
    End,
}

/// A read of a page.
pub(crate) type PageRead = Pin<Box<dyn Future<Output = Result<FeedPage>> + Send>>;

/// A page that was read.
#[derive(Debug)]
pub(crate) struct FeedPage {
    events: Vec<Event>,
    /// The page covers all events up to this number.
    up_to: u64,
    /// The greatest number that a purge may have removed.
    purged_to: u64,
}

/// The signals that a stream waits for.
#[derive(Debug)]
pub(crate) struct FeedSignals {
    moved: watch::Receiver<()>,
    overrun_checks: watch::Receiver<()>,
}

impl FeedSignals {
    /// Waits until there may be more events.
    pub(crate) async fn moved(&mut self) {
        // The sender lives as long as the feed's listener.
        let _ = self.moved.changed().await;
    }

    /// Waits until a blocked stream should call [`Feed::skip`].
    pub(crate) async fn overrun_check(&mut self) {
        let _ = self.overrun_checks.changed().await;
    }
}

impl Events {
    /// Opens a feed of the events after `after`, or of new events. Returns `None` at the maximum of
    /// streams.
    pub(crate) fn feed(
        &self,
        filter: EventFilter,
        after: Option<u64>,
    ) -> Option<(Feed, FeedSignals)> {
        let listener = self.live.join()?;
        let signals = FeedSignals {
            moved: listener.moved(),
            overrun_checks: listener.overrun_checks(),
        };
        let feed = Feed {
            events: self.clone(),
            filter,
            after: after.unwrap_or_else(|| self.newest()),
            mode: Mode::Stored,
            page: VecDeque::new(),
            missed: 0,
            listener,
        };
        Some((feed, signals))
    }
}

impl Feed {
    /// Takes the next item, or returns `None` if there is none yet.
    pub(crate) fn take(&mut self) -> Option<FeedItem> {
        if let Some((seq, json)) = self.page.pop_front() {
            return Some(FeedItem::Event { seq, json });
        }
        if self.mode != Mode::Live {
            return None;
        }
        if self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            metrics::stream_missed(missed);
            let next_seq = self.after.saturating_add(1);
            return Some(FeedItem::Lagged { missed, next_seq });
        }
        let (after, json) = self.listener.next(self.after, &self.filter)?;
        self.after = after;
        json.map(|json| FeedItem::Event { seq: after, json })
    }

    /// Skips and counts the events in the ring if the feed is about to be overrun. For a client
    /// that reads nothing.
    pub(crate) fn skip(&mut self) {
        if self.mode != Mode::Live {
            return;
        }
        if let Some((head, missed)) = self.listener.skip(self.after, &self.filter) {
            self.missed = self.missed.saturating_add(missed);
            self.after = head;
        }
    }

    /// Returns the number up to which no event is left to take, if the feed knows it.
    ///
    /// A client that has every item so far continues after this number.
    pub(crate) fn taken_to(&self) -> Option<u64> {
        let is_whole = self.page.is_empty() && self.missed == 0;
        let is_counting = matches!(self.mode, Mode::Overrun(_));
        (is_whole && !is_counting).then_some(self.after)
    }

    /// Returns what to wait for. The caller MUST NOT call it again while a page is being read.
    pub(crate) fn wait(&mut self) -> FeedWait {
        if !self.page.is_empty() {
            return FeedWait::Nothing;
        }
        let position = self.listener.position(self.after);
        match (self.mode, position) {
            (_, ListenerPosition::Closed) => FeedWait::End,
            (
                Mode::Stored,
                ListenerPosition::InRing(RingPosition::Within | RingPosition::AtHead),
            ) => {
                self.mode = Mode::Live;
                FeedWait::Nothing
            }
            (Mode::Stored, ListenerPosition::InRing(RingPosition::Behind(_)))
            | (Mode::Overrun(_), _) => FeedWait::Page(self.read()),
            (Mode::Live, ListenerPosition::InRing(RingPosition::Within)) => FeedWait::Nothing,
            // The ring is filled soon, so waiting for it costs less than another page.
            (Mode::Stored | Mode::Live, ListenerPosition::NotFilled)
            | (Mode::Live, ListenerPosition::InRing(RingPosition::AtHead)) => FeedWait::Moved,
            (Mode::Live, ListenerPosition::InRing(RingPosition::Behind(floor))) => {
                self.mode = Mode::Overrun(floor);
                FeedWait::Page(self.read())
            }
        }
    }

    fn read(&self) -> PageRead {
        let (events, filter, after) = (self.events.clone(), self.filter.clone(), self.after);
        Box::pin(async move {
            let storage = Arc::clone(&events.storage);
            let page = storage.events(filter, after, events.page_max).await?;
            // Read after the page: the page still has what a later purge removes.
            let purged_to = storage.stats(&Scope::All).await?.purged_seq;
            Ok(FeedPage {
                up_to: page.up_to,
                events: page.events,
                purged_to,
            })
        })
    }

    /// Accepts the page that was read.
    ///
    /// # Errors
    /// Returns the error of the read, or `Gone` (`events-expired`) if a purge may have removed
    /// events of the page.
    pub(crate) fn accept_page(&mut self, page: Result<FeedPage>) -> Result<()> {
        let FeedPage {
            events,
            up_to,
            purged_to,
        } = page?;
        match self.mode {
            Mode::Stored | Mode::Live => {
                if self.filter.run.is_none() && purged_to > self.after {
                    return Err(expired());
                }
                let events = events.iter();
                self.page = events.map(|event| (event.seq, to_json(event))).collect();
                self.after = up_to;
            }
            Mode::Overrun(overrun_to) => {
                let missed = events.iter();
                let missed = missed.filter(|event| event.seq <= overrun_to).count();
                self.missed = self.missed.saturating_add(missed as u64);
                self.after = up_to.min(overrun_to);
                if self.after == overrun_to {
                    self.mode = Mode::Live;
                }
            }
        }
        Ok(())
    }

    /// Returns the token that is cancelled when Floret closes its streams.
    pub(crate) fn closed(&self) -> CancellationToken {
        self.events.closed.clone()
    }
}

fn expired() -> Error {
    Error::new(
        Problem::EventsExpired,
        "a purge removed events after the requested number",
    )
}
