//! The deliveries of one notifier: queued per run, retried, parked, dead, and still to be stored.
//!
//! It does no I/O and reads no clock; `worker` carries out what it decides. `outcome` records how
//! an attempt ended, `disabled` has what follows when the receiver wants no more events,
//! `requested` the retries that a caller requests, and `unsaved` decides when to save.

mod disabled;
mod outcome;
mod requested;
mod unsaved;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Moment;
use super::attempt::DeliveryAttempt;
use super::run_queue::{DeliveryState, QueueKey, QueuedDelivery, RunQueue};
use super::served::Backlog;
use crate::limits::Limits;
use crate::model::{Event, RunId};
use crate::notifier::RetrySchedule;
use crate::storage::{NotifierCursor, ParkedEvent};

/// The deliveries of one notifier.
#[derive(Debug)]
pub(super) struct Ledger {
    limits: Limits,
    schedule: RetrySchedule,
    backlog: Backlog,
    queues: HashMap<QueueKey, RunQueue>,
    /// Queues whose first delivery is in memory and not in flight, in the order in which they
    /// proceed.
    sendable: VecDeque<QueueKey>,
    /// Queues whose first delivery is parked and not in flight, by the time of its retry.
    retries: BTreeSet<(Duration, QueueKey)>,
    /// The numbers of all deliveries in memory. The cursor is before the smallest.
    in_memory: BTreeSet<u64>,
    parked_count: usize,
    /// How many parked deliveries are in flight.
    retries_in_flight: usize,
    /// Every event up to this number was read.
    read_to: u64,
    /// The greatest number of a restored row. Events up to it may be read again.
    restored_to: u64,
    /// Dead letters whose events may be read again.
    dead_letters: HashSet<u64>,
    /// Rows to write (`Some`) or to remove (`None`), by number.
    changes: BTreeMap<u64, Option<ParkedEvent>>,
    has_unsaved_delivery: bool,
    /// Whether the receiver wants no more events: all but those that a caller retries become dead
    /// letters.
    is_disabled: bool,
    /// Whether there is a new dead letter. It is saved before later events of its run are
    /// delivered: after a crash it could otherwise follow them.
    has_unsaved_dead_letter: bool,
    /// The cursor as it is stored.
    saved_cursor: u64,
}

impl Ledger {
    /// Restores the ledger of a notifier from its stored cursor.
    pub(super) fn new(
        cursor: &NotifierCursor,
        (schedule, backlog): (RetrySchedule, Backlog),
        limits: Limits,
        now: Moment,
    ) -> Self {
        let mut ledger = Self {
            limits,
            schedule,
            backlog,
            queues: HashMap::new(),
            sendable: VecDeque::new(),
            retries: BTreeSet::new(),
            in_memory: BTreeSet::new(),
            parked_count: 0,
            retries_in_flight: 0,
            read_to: cursor.seq,
            restored_to: cursor.parked.last().map_or(0, |parked| parked.seq),
            dead_letters: HashSet::new(),
            changes: BTreeMap::new(),
            has_unsaved_delivery: false,
            is_disabled: false,
            has_unsaved_dead_letter: false,
            saved_cursor: cursor.seq,
        };
        for parked in &cursor.parked {
            ledger.restore(parked, now);
        }
        ledger
    }

    /// Returns the queue in which a delivery waits for its retry.
    ///
    /// With many receivers it waits alone: the next event of its run may be for another one.
    const fn queue_of_retry(&self, run: RunId, seq: u64) -> QueueKey {
        match self.backlog {
            Backlog::Waits => QueueKey::of_run(run),
            Backlog::IsBuried => QueueKey::of_one(run, seq),
        }
    }

    /// Returns whether a delivery waits in a queue.
    fn is_queued(&self, run: RunId, seq: u64) -> bool {
        [QueueKey::of_run(run), QueueKey::of_one(run, seq)]
            .iter()
            .any(|key| {
                let queue = self.queues.get(key);
                queue.is_some_and(|queue| queue.contains(seq))
            })
    }

    fn restore(&mut self, parked: &ParkedEvent, now: Moment) {
        let &ParkedEvent {
            run,
            seq,
            tries,
            next_at,
            is_dead,
            error: _,
        } = parked;
        if is_dead {
            self.dead_letters.insert(seq);
            return;
        }
        // One that was not tried yet has waited for an earlier event of its run.
        let key = match tries {
            0 => QueueKey::of_run(run),
            _ => self.queue_of_retry(run, seq),
        };
        let queue = self.queues.entry(key).or_default();
        if queue.deliveries.is_empty() {
            // The wall clock may have stepped since the row was written.
            let delay = next_at.signed_duration_since(now.wall).to_std();
            let delay = delay
                .unwrap_or_default()
                .min(self.schedule.delay_max(&self.limits));
            queue.retry_at = now.elapsed.saturating_add(delay);
            self.retries.insert((queue.retry_at, key));
        }
        let state = DeliveryState::Parked { tries };
        queue.deliveries.push_back(QueuedDelivery { seq, state });
        self.parked_count += 1;
    }

    pub(super) const fn read_to(&self) -> u64 {
        self.read_to
    }

    /// Returns the greatest number up to which every event is delivered, unwanted or parked.
    pub(super) fn cursor(&self) -> u64 {
        let before = self.in_memory.first().map(|seq| seq.saturating_sub(1));
        before.unwrap_or(self.read_to)
    }

    /// Returns whether another page may be read.
    pub(super) fn has_room(&self) -> bool {
        let may_park = match self.backlog {
            Backlog::Waits => self.may_park() || self.read_to < self.restored_to,
            Backlog::IsBuried => true,
        };
        may_park
            && self.in_memory.len() < self.limits.events_page_max
            && self.changes.len() < self.limits.events_page_max.saturating_mul(4)
    }

    /// Returns whether fewer events are parked than may be.
    pub(super) const fn may_park(&self) -> bool {
        self.parked_count < self.limits.notifier_parked_max
    }

    /// Returns whether no delivery is in memory.
    pub(super) fn is_memory_empty(&self) -> bool {
        self.in_memory.is_empty()
    }

    /// Records that all events up to `seq` were read and the wanted ones added.
    pub(super) fn mark_read(&mut self, seq: u64) {
        self.read_to = self.read_to.max(seq);
        if self.read_to >= self.restored_to {
            self.dead_letters.clear();
        }
    }

    /// Adds a wanted event. Events MUST be added in the order of their numbers.
    pub(super) fn add(&mut self, event: Event, now: Moment) {
        let (run, seq) = (event.run_id, event.seq);
        if self.dead_letters.contains(&seq) || self.is_queued(run, seq) {
            return;
        }
        if self.is_disabled {
            self.bury_new(run, seq, now);
            return;
        }
        let key = QueueKey::of_run(run);
        let queue = self.queues.entry(key).or_default();
        let Some(index) = queue.insertion_index(seq) else {
            return;
        };
        let before = index
            .checked_sub(1)
            .and_then(|last| queue.deliveries.get(last));
        if before.is_some_and(QueuedDelivery::is_parked) {
            let state = DeliveryState::Parked { tries: 0 };
            queue
                .deliveries
                .insert(index, QueuedDelivery { seq, state });
            self.parked_count += 1;
            self.changes
                .insert(seq, Some(ParkedEvent::new(run, seq, now.wall)));
            return;
        }
        if index == 0 {
            // Deliveries behind it were parked before a crash and are not in flight: this one is
            // first.
            self.retries.remove(&(queue.retry_at, key));
            self.sendable.push_back(key);
        }
        let state = DeliveryState::InMemory(Arc::new(event));
        queue
            .deliveries
            .insert(index, QueuedDelivery { seq, state });
        self.in_memory.insert(seq);
    }

    /// Starts the next attempt, or returns `None` if no delivery may be attempted.
    ///
    /// At most half of the attempts in flight are retries, so that retries never block new events.
    pub(super) fn start_attempt(&mut self, now: Moment) -> Option<DeliveryAttempt> {
        let key = match self.due_retry(now) {
            Some((retry_at, key)) => {
                self.retries.remove(&(retry_at, key));
                self.retries_in_flight += 1;
                key
            }
            None => self.sendable.pop_front()?,
        };
        let queue = self.queues.get_mut(&key)?;
        let first = queue.deliveries.front()?;
        let event = match &first.state {
            DeliveryState::InMemory(event) => Some(Arc::clone(event)),
            DeliveryState::Parked { tries: _ } => None,
        };
        let seq = first.seq;
        queue.is_in_flight = true;
        let queue = key;
        Some(DeliveryAttempt { queue, seq, event })
    }

    fn due_retry(&self, now: Moment) -> Option<(Duration, QueueKey)> {
        if self.retries_in_flight >= (self.limits.notifier_in_flight_max / 2).max(1) {
            return None;
        }
        let mut due = self
            .retries
            .iter()
            .take_while(|(retry_at, _)| *retry_at <= now.elapsed);
        // Earlier events of its run may still be unread if a delivery was parked ahead of the
        // cursor.
        let is_read = |key: &QueueKey| {
            let queue = self.queues.get(key);
            let first = queue.and_then(|queue| queue.deliveries.front());
            first.is_some_and(|delivery| delivery.seq <= self.read_to)
        };
        due.find(|(_, key)| is_read(key)).copied()
    }

    /// Returns whether a delivery could be attempted if there were a permit.
    pub(super) fn has_next_attempt(&self, now: Moment) -> bool {
        !self.sendable.is_empty() || self.due_retry(now).is_some()
    }

    /// Returns the earliest retry time after `now`.
    pub(super) fn next_retry_at(&self, now: Moment) -> Option<Duration> {
        let mut times = self.retries.iter().map(|(retry_at, _)| *retry_at);
        times.find(|retry_at| *retry_at > now.elapsed)
    }

    /// Parks deliveries in memory behind attempts that take long, so that events of other runs can
    /// be read.
    pub(super) fn make_room(&mut self, now: Moment) {
        while self.sendable.is_empty()
            && self.in_memory.len() >= self.limits.events_page_max
            && self.parked_count < self.limits.notifier_parked_max
        {
            let longest = self
                .queues
                .iter()
                .max_by_key(|(_, queue)| queue.in_memory_behind_first());
            let Some((key, _)) = longest.filter(|(_, queue)| queue.in_memory_behind_first() > 0)
            else {
                return;
            };
            self.park_behind_first(*key, now.wall);
        }
    }

    /// Parks all deliveries of a queue but the first.
    fn park_behind_first(&mut self, key: QueueKey, next_at: DateTime<Utc>) {
        let Some(queue) = self.queues.get_mut(&key) else {
            return;
        };
        for delivery in queue.deliveries.iter_mut().skip(1) {
            if delivery.is_parked() {
                continue;
            }
            delivery.state = DeliveryState::Parked { tries: 0 };
            self.in_memory.remove(&delivery.seq);
            self.parked_count += 1;
            let row = ParkedEvent::new(key.run, delivery.seq, next_at);
            self.changes.insert(delivery.seq, Some(row));
        }
    }

    /// Queues a queue again, by the state of its first delivery.
    fn requeue(&mut self, key: QueueKey) {
        let Some(queue) = self.queues.get(&key) else {
            return;
        };
        match queue.deliveries.front() {
            None => drop(self.queues.remove(&key)),
            Some(first) if first.is_parked() => drop(self.retries.insert((queue.retry_at, key))),
            Some(_) => self.sendable.push_back(key),
        }
    }
}

#[cfg(test)]
mod tests;
