//! Brings one notifier its events: reads stored pages, sends letters out, stores how far it got.
//!
//! What goes out next is decided by `book`, one try is `flight`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::book::{Book, Failure};
use super::flight::{Landing, Leave, fly};
use super::turn::Turn;
use super::{Moment, Shared};
use crate::error::{Error, trace_causes};
use crate::model::Event;
use crate::notifier::Notifier;
use crate::storage::{EventFilter, NotifierCursor, PutDeliveries};

/// The pause after storage was unavailable. Not `outage::retry_while_unavailable`: deliveries that have
/// begun go on meanwhile, and the next call is chosen anew.
const REST: Duration = Duration::from_secs(1);

/// Brings one notifier its events.
pub(super) struct Courier {
    shared: Arc<Shared>,
    name: String,
    notifier: Arc<dyn Notifier>,
    newest: watch::Receiver<u64>,
    book: Book,
    // A set, so that what is watched ends with the courier.
    flights: JoinSet<Landing>,
    // Permits are events whose notifier is at work.
    ways: Arc<Semaphore>,
    turn: Turn,
    /// Storage is not asked before; set after it failed.
    rest_until: Duration,
    /// Since when there is something to store.
    unsaved_since: Option<Duration>,
    /// Reads event by event past one that cannot be read.
    is_careful: bool,
    /// When it last looked what there is to do. Whatever falls due after that wakes it, though it be over when it goes to sleep.
    looked_at: Moment,
    has_ended: bool,
}

impl Courier {
    pub(super) fn new(
        shared: &Arc<Shared>,
        notifier: Arc<dyn Notifier>,
        place: NotifierCursor,
        newest: watch::Receiver<u64>,
    ) -> Self {
        let ways = shared.limits.notifier_in_flight_max;
        Self {
            book: Book::new(&place, shared.limits.clone(), shared.now()),
            shared: Arc::clone(shared),
            name: place.name,
            notifier,
            newest,
            flights: JoinSet::new(),
            ways: Arc::new(Semaphore::new(ways.clamp(1, Semaphore::MAX_PERMITS))),
            turn: Turn::new(),
            rest_until: Duration::ZERO,
            unsaved_since: None,
            is_careful: false,
            looked_at: shared.now(),
            has_ended: false,
        }
    }

    /// Delivers until the delivery ends, or drains and all that is stored was brought.
    pub(super) async fn run(mut self) {
        while !self.has_ended && !self.shared.stop.is_cancelled() {
            self.looked_at = self.shared.now();
            if self.must_save() {
                self.save().await;
            }
            // It could not be stored: what goes out now could overtake a death of its run, or pile up what is to be stored.
            if !self.book.is_urgent() {
                self.launch();
            }
            if self.ways.available_permits() > 0 && self.is_behind_newest() {
                self.book.make_room(self.shared.now());
            }
            if self.can_read() {
                self.read().await;
            } else if self.shared.drain.is_cancelled() && self.has_brought_all() {
                break;
            } else {
                self.wait().await;
            }
            while let Some(landing) = self.flights.try_join_next() {
                self.land(landing);
            }
        }
        self.flights.abort_all();
        while let Some(landing) = self.flights.join_next().await {
            self.land(landing);
        }
        if self.book.is_behind() {
            self.save().await;
        }
    }

    fn is_resting(&self) -> bool {
        self.shared.clock.elapsed() < self.rest_until
    }

    fn is_behind_newest(&self) -> bool {
        self.book.read_to() < *self.newest.borrow()
    }

    fn can_read(&self) -> bool {
        self.is_behind_newest() && self.book.has_room() && !self.is_resting()
    }

    fn has_brought_all(&self) -> bool {
        let waits_for_more = self.is_behind_newest() && self.book.has_room();
        self.flights.is_empty() && self.book.is_clear() && !waits_for_more
    }

    /// Reads a page; what is wanted of it goes into the book.
    async fn read(&mut self) {
        // The number is taken before the page: what the page leaves out up to it was purged.
        let newest = *self.newest.borrow_and_update();
        let after = self.book.read_to();
        let limit = if self.is_careful {
            1
        } else {
            u32::try_from(self.shared.limits.events_page_max).unwrap_or(u32::MAX)
        };
        let filter = EventFilter::default();
        match self.shared.storage.events(filter, after, limit).await {
            Ok(events) => {
                let is_full = u32::try_from(events.len()).is_ok_and(|length| length >= limit);
                let last = events.last().map_or(after, |event| event.seq);
                self.add(events);
                self.book
                    .passed(if is_full { last } else { last.max(newest) });
                self.is_careful = false;
            }
            Err(error) if error.kind().is_transient() => self.rest(&error),
            Err(error) if self.is_careful => {
                tracing::error!(%error, notifier = %self.name, seq = after.saturating_add(1), "a stored event cannot be read and is passed over");
                trace_causes(&error);
                self.book.passed(after.saturating_add(1));
            }
            Err(_) => self.is_careful = true,
        }
    }

    fn add(&mut self, events: Vec<Event>) {
        let now = self.shared.now();
        for event in events {
            // A notifier that panics here panics again where it counts as a failed try.
            let wants = catch_unwind(AssertUnwindSafe(|| self.notifier.wants(&event)));
            if wants.unwrap_or(true) {
                self.book.add(event, now);
            }
        }
    }

    fn rest(&mut self, error: &Error) {
        tracing::warn!(%error, notifier = %self.name, "the delivery waits for storage");
        let elapsed = self.shared.clock.elapsed();
        self.rest_until = elapsed.saturating_add(REST);
    }

    /// Sends out what may go while there are ways.
    fn launch(&mut self) {
        while let Ok(way) = Arc::clone(&self.ways).try_acquire_owned() {
            let Some(flight) = self.book.take(self.looked_at) else {
                return;
            };
            let (shared, notifier) = (Arc::clone(&self.shared), Arc::clone(&self.notifier));
            let turn = self.turn.clone();
            let leave = Leave { way, turn };
            self.flights.spawn(fly(shared, notifier, flight, leave));
        }
    }

    fn land(&mut self, landing: Result<Landing, tokio::task::JoinError>) {
        match landing {
            Ok(Landing { run, outcome }) => {
                let failure = self.book.landed(run, outcome, self.shared.now());
                if let Some(failure) = failure {
                    self.tell(&failure);
                }
            }
            // It was stopped with the courier, and comes again after the next start.
            Err(error) if error.is_cancelled() => {}
            Err(error) => {
                tracing::error!(%error, notifier = %self.name, "a delivery ended early; its run waits for the next start");
            }
        }
    }

    fn tell(&self, failure: &Failure) {
        let Failure {
            run,
            seq,
            tries,
            error,
            is_dead,
        } = failure;
        // The text may come from far away: escaped, it forges no line.
        let error = error.message();
        if *is_dead {
            tracing::error!(notifier = %self.name, run_id = %run, seq, tries, ?error, "an event was given up; it is a dead letter");
        } else {
            tracing::warn!(notifier = %self.name, run_id = %run, seq, tries, ?error, "an event could not be delivered; it is tried again");
        }
    }

    fn must_save(&mut self) -> bool {
        if !self.book.is_unsaved() {
            self.unsaved_since = None;
            return false;
        }
        let elapsed = self.shared.clock.elapsed();
        let since = *self.unsaved_since.get_or_insert(elapsed);
        let is_due = elapsed >= since.saturating_add(self.shared.limits.notifier_linger);
        (is_due || self.book.is_urgent()) && !self.is_resting()
    }

    /// Stores the place and all changes; what could not be stored is with the next.
    async fn save(&mut self) {
        let now = self.shared.clock.now();
        let mut put = PutDeliveries::new(self.name.clone(), self.book.position(), now);
        for (seq, row) in self.book.changes() {
            match row {
                Some(row) => put.parked.push(*row),
                None => put.delivered.push(*seq),
            }
        }
        match self.shared.storage.put_deliveries(put).await {
            Ok(()) => {
                self.book.mark_saved();
                self.unsaved_since = None;
            }
            Err(error) => self.rest(&error),
        }
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self) {
        let wake = self.next_wake();
        let lacks_way = !self.book.is_urgent() && self.book.has_next(self.looked_at);
        let is_draining = self.shared.drain.is_cancelled();
        let sleep = async {
            match wake {
                Some(wake) => self.shared.clock.sleep_until(wake).await,
                None => std::future::pending().await,
            }
        };
        let landing = tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => None,
            Some(landing) = self.flights.join_next() => Some(landing),
            // The permit is given back at once; whoever waits for a way gets one then.
            _ = self.ways.acquire(), if lacks_way => None,
            more = self.newest.changed() => {
                self.has_ended = more.is_err();
                None
            }
            () = self.shared.drain.cancelled(), if !is_draining => None,
            () = sleep => None,
        };
        if let Some(landing) = landing {
            self.land(landing);
        }
    }

    /// When there is something to do though nothing happens before.
    fn next_wake(&self) -> Option<Duration> {
        let looked_at = self.looked_at;
        let linger = self.shared.limits.notifier_linger;
        let save = self
            .unsaved_since
            .map(|since| since.saturating_add(linger).max(self.rest_until));
        let rest = (self.rest_until > looked_at.elapsed).then_some(self.rest_until);
        [save, rest, self.book.next_due(looked_at)]
            .into_iter()
            .flatten()
            .min()
    }
}
