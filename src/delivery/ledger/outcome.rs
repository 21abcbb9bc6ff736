//! The outcome of a delivery attempt: delivered, to be retried, or dead.
//!
//! The rest of `ledger` decides which delivery is attempted next.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Ledger;
use crate::delivery::Moment;
use crate::delivery::attempt::DeliveryOutcome;
use crate::delivery::failed_try::FailedTry;
use crate::delivery::run_queue::{DeliveryState, QueueKey, QueuedDelivery};
use crate::delivery::served::Backlog;
use crate::error::{mask_hook_secrets, truncate};
use crate::model::RunId;
use crate::notifier::NotifierError;
use crate::storage::ParkedEvent;

/// The most bytes of an error that is stored: a few sentences for each event that is parked.
const ERROR_BYTES_MAX: usize = 500;

impl Ledger {
    /// Records the outcome of the attempt of a queue. Returns the failed try, if it failed.
    pub(in crate::delivery) fn finish_attempt(
        &mut self,
        key: QueueKey,
        outcome: DeliveryOutcome,
        now: Moment,
    ) -> Option<FailedTry> {
        let queue = self.queues.get_mut(&key)?;
        queue.retry_at = now.elapsed;
        queue.is_in_flight = false;
        let delivery = queue.deliveries.pop_front()?;
        self.retries_in_flight -= usize::from(delivery.is_parked());
        let failed = match outcome {
            DeliveryOutcome::Delivered => {
                self.remove(&delivery, None);
                self.has_unsaved_delivery = true;
                self.is_disabled = false;
                None
            }
            DeliveryOutcome::EventPurged => {
                self.remove(&delivery, None);
                self.has_unsaved_delivery = true;
                None
            }
            DeliveryOutcome::StorageUnavailable => {
                queue.retry_at = now.elapsed.saturating_add(self.limits.notifier_delay);
                queue.deliveries.push_front(delivery);
                None
            }
            DeliveryOutcome::Failed(error) => Some(self.fail(key, &delivery, error, now)),
        };
        self.insert_requested(key, now);
        self.requeue(key);
        if failed.as_ref().is_some_and(|failed| failed.disables) {
            self.disable(now);
        }
        failed
    }

    /// Removes a delivery; `row` is what storage keeps of it.
    pub(super) fn remove(&mut self, delivery: &QueuedDelivery, row: Option<ParkedEvent>) {
        if delivery.is_parked() {
            self.parked_count -= 1;
        }
        self.in_memory.remove(&delivery.seq);
        if delivery.is_parked() || row.is_some() {
            self.changes.insert(delivery.seq, row);
        }
    }

    fn fail(
        &mut self,
        key: QueueKey,
        delivery: &QueuedDelivery,
        error: NotifierError,
        now: Moment,
    ) -> FailedTry {
        let (run, seq) = (key.run, delivery.seq);
        let tries = delivery.tries().saturating_add(1);
        let delay = self.schedule.delay(tries, seq, &self.limits);
        let has_place = match self.backlog {
            Backlog::Waits => true,
            Backlog::IsBuried => delivery.is_parked() || self.may_park(),
        };
        let may_retry = error.is_retryable() && !self.is_disabled && has_place;
        let delay = delay.filter(|_| may_retry);
        let delay = delay.map(|delay| delay.max(error.delay_min()));
        let mut row = match delay {
            Some(delay) => ParkedEvent {
                tries,
                ..ParkedEvent::new(run, seq, add_delay(now.wall, delay))
            },
            None => dead_letter(run, seq, tries, now),
        };
        row.error = Some(shown_error(&error));
        let is_dead = row.is_dead;
        self.remove(delivery, Some(row));
        self.has_unsaved_dead_letter |= is_dead;
        if let Some(delay) = delay {
            let retry_at = now.elapsed.saturating_add(delay);
            self.park_again(key, (seq, tries), (retry_at, now));
        }
        FailedTry {
            run,
            seq,
            tries,
            is_dead,
            disables: error.is_gone() && !self.is_disabled,
            error,
        }
    }

    /// Queues a delivery of the queue `key` that has failed, until its retry.
    fn park_again(
        &mut self,
        key: QueueKey,
        (seq, tries): (u64, u32),
        (retry_at, now): (Duration, Moment),
    ) {
        let own = self.queue_of_retry(key.run, seq);
        let queue = self.queues.entry(own).or_default();
        queue.retry_at = retry_at;
        let state = DeliveryState::Parked { tries };
        queue.deliveries.push_front(QueuedDelivery { seq, state });
        self.parked_count += 1;
        self.park_behind_first(own, now.wall);
        if own != key {
            self.requeue(own);
        }
    }
}

/// Returns the row of a dead letter. Its time is that of its death.
pub(super) const fn dead_letter(run: RunId, seq: u64, tries: u32, now: Moment) -> ParkedEvent {
    let mut row = ParkedEvent::new(run, seq, now.wall);
    (row.tries, row.is_dead) = (tries, true);
    row
}

/// Returns why a try has failed, as callers see it.
fn shown_error(error: &NotifierError) -> String {
    truncate(
        mask_hook_secrets(error.message().to_owned()),
        ERROR_BYTES_MAX,
    )
}

fn add_delay(wall: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    let delay = TimeDelta::from_std(delay).ok();
    delay
        .and_then(|delay| wall.checked_add_signed(delay))
        .unwrap_or(wall)
}
