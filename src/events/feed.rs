//! One stream's place in the events: stored ones page by page up to the ring, then from the ring, and what it had to leave out.
//!
//! It never waits for its reader: what is too much for one is counted. Sending is left to whoever holds it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Events;
use super::live::{Look, Seat, reach};
use super::ring::{Stand, text};
use crate::error::{Error, Problem, Result};
use crate::model::{Event, Scope};
use crate::storage::EventFilter;

/// Events of one filter for one stream.
#[derive(Debug)]
pub(crate) struct Feed {
    events: Events,
    seat: Seat,
    filter: EventFilter,
    // All events up to this number were taken, are in `page`, were counted as missed, or do not fit.
    after: u64,
    way: Way,
    page: VecDeque<Bytes>,
    missed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Reads what is stored, until it reaches the ring.
    Stored,
    /// Takes from the ring.
    Live,
    /// Fell out of the ring: counts what it missed up to this number.
    Lost(u64),
}

/// What a stream sends next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// An event as JSON.
    Event(Bytes),
    /// So many events were left out since the last one; what follows has this number or a greater one.
    Lagged {
        /// How many of those that fit.
        missed: u64,
        /// The smallest number that may follow.
        next_seq: u64,
    },
}

/// What there is to wait for once nothing can be taken.
pub(crate) enum Wait {
    /// Something may be taken at once.
    Nothing,
    /// [`Signals::moved`].
    Moved,
    /// This page, which is then given to [`Feed::arrived`].
    Page(Reading),
    /// Nothing will follow.
    End,
}

/// A page on its way.
pub(crate) type Reading = Pin<Box<dyn Future<Output = Result<Arrival>> + Send>>;

/// A page that was read.
#[derive(Debug)]
pub(crate) struct Arrival {
    page: Vec<Event>,
    reach: u64,
    purged: u64,
}

/// Tells a stream when to look again.
#[derive(Debug)]
pub(crate) struct Signals {
    moved: watch::Receiver<()>,
    laps: watch::Receiver<()>,
}

impl Signals {
    /// Ends when there may be more.
    pub(crate) async fn moved(&mut self) {
        // The sender lives as long as the feed's seat.
        let _ = self.moved.changed().await;
    }

    /// Ends when whoever cannot take anything should [`Feed::skip`].
    pub(crate) async fn lapped(&mut self) {
        let _ = self.laps.changed().await;
    }
}

impl Events {
    /// A place for one more stream: events after `after`, or from now on. `None` when all places are taken.
    pub(crate) fn feed(&self, filter: EventFilter, after: Option<u64>) -> Option<(Feed, Signals)> {
        let seat = self.live.join()?;
        let signals = Signals {
            moved: seat.moved(),
            laps: seat.laps(),
        };
        let feed = Feed {
            events: self.clone(),
            filter,
            after: after.unwrap_or_else(|| self.newest()),
            way: Way::Stored,
            page: VecDeque::new(),
            missed: 0,
            seat,
        };
        Some((feed, signals))
    }
}

impl Feed {
    /// What to send next, if it is at hand.
    pub(crate) fn take(&mut self) -> Option<Sent> {
        if let Some(text) = self.page.pop_front() {
            return Some(Sent::Event(text));
        }
        if self.way != Way::Live {
            return None;
        }
        if self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            let next_seq = self.after.saturating_add(1);
            return Some(Sent::Lagged { missed, next_seq });
        }
        let (after, text) = self.seat.next(self.after, &self.filter)?;
        self.after = after;
        text.map(Sent::Event)
    }

    /// Leaves out what is in the ring if that is most of it, and counts it: for a reader that takes nothing.
    pub(crate) fn skip(&mut self) {
        if self.way != Way::Live {
            return;
        }
        if let Some((head, missed)) = self.seat.skip(self.after, &self.filter) {
            self.missed = self.missed.saturating_add(missed);
            self.after = head;
        }
    }

    /// What to wait for. A page that is on its way is not asked for again.
    pub(crate) fn wait(&mut self) -> Wait {
        if !self.page.is_empty() {
            return Wait::Nothing;
        }
        let look = self.seat.look(self.after);
        match (self.way, look) {
            (_, Look::Ended) => Wait::End,
            (Way::Stored, Look::At(Stand::Within | Stand::AtHead)) => {
                self.way = Way::Live;
                Wait::Nothing
            }
            (Way::Stored, Look::At(Stand::Behind(_))) | (Way::Lost(_), _) => {
                Wait::Page(self.read())
            }
            (Way::Live, Look::At(Stand::Within)) => Wait::Nothing,
            // The ring begins at once, and no stream has to look twice for what came before.
            (Way::Stored | Way::Live, Look::NotYet) | (Way::Live, Look::At(Stand::AtHead)) => {
                Wait::Moved
            }
            (Way::Live, Look::At(Stand::Behind(floor))) => {
                self.way = Way::Lost(floor);
                Wait::Page(self.read())
            }
        }
    }

    fn read(&self) -> Reading {
        let (events, filter, after) = (self.events.clone(), self.filter.clone(), self.after);
        Box::pin(async move {
            // The number is taken before the page, so that the page has all up to it.
            let newest = events.newest();
            let storage = Arc::clone(&events.storage);
            let page = storage.events(filter, after, events.page_max).await?;
            // After the page: what a purge takes later was still in it.
            let purged = storage.stats(&Scope::All).await?.purged_seq;
            Ok(Arrival {
                reach: reach(&page, after.max(newest), events.page_max),
                page,
                purged,
            })
        })
    }

    /// Takes the page that was waited for.
    ///
    /// # Errors
    /// What reading it met; `Gone` (`events-expired`) when a purge may have taken some of what the page should have.
    pub(crate) fn arrived(&mut self, arrival: Result<Arrival>) -> Result<()> {
        let Arrival {
            page,
            reach,
            purged,
        } = arrival?;
        match self.way {
            Way::Stored | Way::Live => {
                if self.filter.run.is_none() && purged > self.after {
                    return Err(expired());
                }
                self.page = page.iter().map(text).collect();
                self.after = reach;
            }
            Way::Lost(up_to) => {
                let missed = page.iter().filter(|event| event.seq <= up_to).count();
                self.missed = self.missed.saturating_add(missed as u64);
                self.after = reach.min(up_to);
                if self.after == up_to {
                    self.way = Way::Live;
                }
            }
        }
        Ok(())
    }

    /// Tripped when Floret ends its streams.
    pub(crate) fn closed(&self) -> CancellationToken {
        self.events.closed.clone()
    }
}

fn expired() -> Error {
    Error::new(
        Problem::EventsExpired,
        "a purge took events that were to follow",
    )
}
