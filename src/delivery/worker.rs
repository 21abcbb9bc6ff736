//! Delivers the events of one notifier: reads stored pages, starts attempts and stores the cursor.
//!
//! `ledger` decides which event is delivered next. `attempt` executes one attempt.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::task::AbortOnDropHandle;

use super::attempt::{Admission, DeliveryOutcome, FinishedAttempt, execute_attempt};
use super::exclusive::Exclusive;
use super::ledger::Ledger;
use super::served::ServedNotifier;
use super::sifting::{SiftedPage, sift};
use super::stopwatch::Stopwatch;
use super::{Moment, Shared};
use crate::error::{Error, catch_panic, log, trace_causes, trace_panic};
use crate::metrics::{self, Try};
use crate::model::Event;
use crate::notifier::Notifier;
use crate::storage::{EventFilter, NotifierCursor, PutDeliveries};

/// The delay after a failed call of storage.
const STORAGE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Delivers events to one notifier.
pub(super) struct DeliveryWorker {
    shared: Arc<Shared>,
    name: String,
    notifier: Arc<dyn Notifier>,
    newest: watch::Receiver<u64>,
    /// Changes when a caller retries a dead letter.
    requested: watch::Receiver<()>,
    ledger: Ledger,
    // A set, so that the attempts are dropped with the worker.
    attempts: JoinSet<FinishedAttempt>,
    // One permit per event that may be in flight.
    permits: Arc<Semaphore>,
    exclusive: Exclusive,
    /// The page whose events the notifier is asked about.
    sifting: Option<AbortOnDropHandle<SiftedPage>>,
    /// Storage is not called before this time; set after it failed.
    storage_retry_at: Duration,
    /// Since when there is progress to store.
    unsaved_since: Option<Duration>,
    /// Whether pages of one event are read, to pass over an event that cannot be read.
    is_reading_singly: bool,
    /// When the loop last checked for work. Times after it wake the worker, even if they pass
    /// before it sleeps.
    checked_at: Moment,
    is_closed: bool,
}

impl DeliveryWorker {
    pub(super) fn new(
        shared: &Arc<Shared>,
        served: ServedNotifier,
        cursor: NotifierCursor,
        newest: watch::Receiver<u64>,
    ) -> Self {
        let schedule = served.retries();
        let ServedNotifier {
            notifier,
            limits,
            backlog,
        } = served;
        let permits = limits.notifier_in_flight_max;
        let ledger = Ledger::new(&cursor, (schedule, backlog), limits, shared.now());
        Self {
            requested: shared.requests.serve(&cursor.name),
            ledger,
            shared: Arc::clone(shared),
            name: cursor.name,
            notifier,
            newest,
            attempts: JoinSet::new(),
            permits: Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS))),
            exclusive: Exclusive::new(),
            sifting: None,
            storage_retry_at: Duration::ZERO,
            unsaved_since: None,
            is_reading_singly: false,
            checked_at: shared.now(),
            is_closed: false,
        }
    }

    /// Delivers until it is stopped, or until it drains and all stored events are delivered.
    pub(super) async fn run(mut self) {
        while !self.is_closed && !self.shared.stop.is_cancelled() {
            // Storage and the subscriber of the log may be the host's code. A panic of theirs must
            // not end the deliveries.
            match catch_panic(self.step()).await {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(panic) => {
                    trace_panic("the delivery panicked and goes on", &panic);
                    self.pause();
                }
            }
        }
        self.attempts.abort_all();
        while let Some(finished) = self.attempts.join_next().await {
            self.finish_attempt(finished);
        }
        if self.ledger.has_unsaved_changes() {
            self.save().await;
        }
    }

    /// Does what is due. Breaks when it drains and all stored events are delivered.
    async fn step(&mut self) -> ControlFlow<()> {
        self.checked_at = self.shared.now();
        let lag = self.newest.borrow().saturating_sub(self.ledger.cursor());
        metrics::delivery_lags(&self.name, lag);
        self.take_requests();
        if self.should_save() {
            self.save().await;
        }
        // An urgent save has failed. Another attempt could overtake an unsaved dead letter of
        // its run, or add to what is unsaved.
        if !self.ledger.is_save_urgent() {
            self.start_attempts();
        }
        if self.permits.available_permits() > 0 && self.has_unread_events() {
            self.ledger.make_room(self.shared.now());
        }
        if self.can_read() {
            self.read().await;
        } else if self.shared.drain.is_cancelled() && self.is_drained() {
            return ControlFlow::Break(());
        } else {
            self.wait().await;
        }
        while let Some(finished) = self.attempts.try_join_next() {
            self.finish_attempt(finished);
        }
        ControlFlow::Continue(())
    }

    /// Queues the dead letters that callers retry.
    fn take_requests(&mut self) {
        // A request that comes in between wakes the worker once more.
        self.requested.mark_unchanged();
        for (run, seq) in self.shared.requests.take(&self.name) {
            self.ledger.retry(run, seq, self.checked_at);
        }
    }

    fn is_backing_off(&self) -> bool {
        self.shared.clock.elapsed() < self.storage_retry_at
    }

    fn has_unread_events(&self) -> bool {
        self.ledger.read_to() < *self.newest.borrow()
    }

    fn can_read(&self) -> bool {
        self.sifting.is_none()
            && self.has_unread_events()
            && self.ledger.has_room()
            && !self.is_backing_off()
    }

    fn is_drained(&self) -> bool {
        let is_reading =
            self.sifting.is_some() || (self.has_unread_events() && self.ledger.has_room());
        self.attempts.is_empty() && self.ledger.is_memory_empty() && !is_reading
    }

    /// Reads a page and asks the notifier which of its events it wants.
    async fn read(&mut self) {
        self.newest.mark_unchanged();
        let after = self.ledger.read_to();
        let limit = if self.is_reading_singly {
            1
        } else {
            u32::try_from(self.shared.limits.events_page_max).unwrap_or(u32::MAX)
        };
        let filter = EventFilter::default();
        match self.shared.storage.events(filter, after, limit).await {
            Ok(page) => {
                self.sift(page.events, after.max(page.up_to));
                self.is_reading_singly = false;
            }
            Err(error) if error.kind().is_transient() => self.back_off(&error),
            Err(error) if self.is_reading_singly => {
                log::error!(%error, notifier = %self.name, seq = after.saturating_add(1), "skipped a stored event that cannot be read");
                trace_causes(&error);
                self.ledger.mark_read(after.saturating_add(1));
            }
            Err(_) => self.is_reading_singly = true,
        }
    }

    /// Asks the notifier which events it wants, in a task that has exclusive access to its code.
    ///
    /// The worker goes on meanwhile: it also stops while the notifier blocks its thread.
    fn sift(&mut self, events: Vec<Event>, read_to: u64) {
        let stopwatch = Stopwatch::new(&self.shared.clock);
        let (notifier, exclusive) = (Arc::clone(&self.notifier), self.exclusive.clone());
        let sifting = sift(notifier, exclusive, stopwatch, (events, read_to));
        let task = self.shared.tasks.spawn(sifting);
        self.sifting = Some(AbortOnDropHandle::new(task));
    }

    /// Adds the wanted events of a page to the ledger.
    ///
    /// A page that was not sifted to its end is read again.
    fn add_wanted(&mut self, sifted: Result<SiftedPage, JoinError>) {
        self.sifting = None;
        let Ok(SiftedPage { wanted, read_to }) = sifted else {
            return;
        };
        let now = self.shared.now();
        for event in wanted {
            self.ledger.add(event, now);
        }
        self.ledger.mark_read(read_to);
    }

    fn back_off(&mut self, error: &Error) {
        self.pause();
        log::warn!(%error, notifier = %self.name, "the delivery waits for storage");
    }

    /// Leaves storage alone for a while.
    fn pause(&mut self) {
        let elapsed = self.shared.clock.elapsed();
        self.storage_retry_at = elapsed.saturating_add(STORAGE_RETRY_DELAY);
    }

    /// Starts attempts while there are permits and deliveries.
    fn start_attempts(&mut self) {
        while let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            let Some(attempt) = self.ledger.start_attempt(self.checked_at) else {
                return;
            };
            let (shared, notifier) = (Arc::clone(&self.shared), Arc::clone(&self.notifier));
            let exclusive = self.exclusive.clone();
            let admission = Admission { permit, exclusive };
            self.attempts
                .spawn(execute_attempt(shared, notifier, attempt, admission));
        }
    }

    fn finish_attempt(&mut self, finished: Result<FinishedAttempt, JoinError>) {
        match finished {
            Ok(FinishedAttempt { queue, outcome }) => {
                if matches!(outcome, DeliveryOutcome::Delivered) {
                    metrics::delivery_tried(&self.name, Try::Delivered);
                }
                let now = self.shared.now();
                let failed = self.ledger.finish_attempt(queue, outcome, now);
                if let Some(failed) = failed {
                    failed.report(&self.name);
                }
            }
            // It was aborted with the worker. Its event is delivered after the next start.
            Err(error) if error.is_cancelled() => {}
            Err(error) => {
                log::error!(%error, notifier = %self.name, "a delivery attempt died; its run waits for the next start");
            }
        }
    }

    fn should_save(&mut self) -> bool {
        if !self.ledger.has_progress_to_save() {
            self.unsaved_since = None;
            return false;
        }
        let elapsed = self.shared.clock.elapsed();
        let since = *self.unsaved_since.get_or_insert(elapsed);
        let is_due = elapsed >= since.saturating_add(self.shared.limits.notifier_linger);
        (is_due || self.ledger.is_save_urgent()) && !self.is_backing_off()
    }

    /// Stores the cursor and all changes. After a failure the next save contains them.
    async fn save(&mut self) {
        let now = self.shared.clock.now();
        let mut put = PutDeliveries::new(self.name.clone(), self.ledger.cursor(), now);
        for (seq, row) in self.ledger.changes() {
            match row {
                Some(row) => put.parked.push(row.clone()),
                None => put.delivered.push(*seq),
            }
        }
        match self.shared.storage.put_deliveries(put).await {
            Ok(()) => {
                self.ledger.mark_saved();
                self.unsaved_since = None;
            }
            Err(error) => self.back_off(&error),
        }
    }

    /// Waits until there may be work.
    async fn wait(&mut self) {
        let wake_at = self.next_wake_at();
        let lacks_permit =
            !self.ledger.is_save_urgent() && self.ledger.has_next_attempt(self.checked_at);
        let is_draining = self.shared.drain.is_cancelled();
        let sleep = async {
            match wake_at {
                Some(wake_at) => self.shared.clock.sleep_until(wake_at).await,
                None => std::future::pending().await,
            }
        };
        let sifted = async {
            match &mut self.sifting {
                Some(sifting) => sifting.await,
                None => std::future::pending().await,
            }
        };
        let mut sifted_page = None;
        let finished = tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => None,
            sifted = sifted => {
                sifted_page = Some(sifted);
                None
            }
            Some(finished) = self.attempts.join_next() => Some(finished),
            // The permit is released at once; `start_attempts` acquires it.
            _ = self.permits.acquire(), if lacks_permit => None,
            more = self.newest.changed() => {
                self.is_closed = more.is_err();
                None
            }
            Ok(()) = self.requested.changed() => None,
            () = self.shared.drain.cancelled(), if !is_draining => None,
            () = sleep => None,
        };
        if let Some(sifted) = sifted_page {
            self.add_wanted(sifted);
        }
        if let Some(finished) = finished {
            self.finish_attempt(finished);
        }
    }

    /// Returns when there is work even if nothing happens before.
    fn next_wake_at(&self) -> Option<Duration> {
        let checked_at = self.checked_at;
        let linger = self.shared.limits.notifier_linger;
        let save_at = self
            .unsaved_since
            .map(|since| since.saturating_add(linger).max(self.storage_retry_at));
        let is_backing_off = self.storage_retry_at > checked_at.elapsed;
        let storage_retry_at = is_backing_off.then_some(self.storage_retry_at);
        let delivery_retry_at = self.ledger.next_retry_at(checked_at);
        [save_at, storage_retry_at, delivery_retry_at]
            .into_iter()
            .flatten()
            .min()
    }
}
