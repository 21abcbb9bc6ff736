//! The outcome of a delivery attempt: delivered, to be retried, or dead.
//!
//! The rest of `ledger` decides which delivery is attempted next.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Ledger;
use crate::delivery::Moment;
use crate::delivery::attempt::DeliveryOutcome;
use crate::delivery::failed_try::FailedTry;
use crate::delivery::run_queue::{DeliveryState, QueuedDelivery};
use crate::delivery::served::Backlog;
use crate::model::RunId;
use crate::notifier::NotifierError;
use crate::storage::ParkedEvent;

impl Ledger {
    /// Records the outcome of the attempt of a run. Returns the failed try, if it failed.
    pub(in crate::delivery) fn finish_attempt(
        &mut self,
        run: RunId,
        outcome: DeliveryOutcome,
        now: Moment,
    ) -> Option<FailedTry> {
        let queue = self.queues.get_mut(&run)?;
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
            DeliveryOutcome::Failed(error) => Some(self.fail(run, &delivery, error, now)),
        };
        self.insert_requested(run, now);
        self.requeue(run);
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
        run: RunId,
        delivery: &QueuedDelivery,
        error: NotifierError,
        now: Moment,
    ) -> FailedTry {
        let seq = delivery.seq;
        let tries = delivery.tries().saturating_add(1);
        let delay = self.schedule.delay(tries, seq, &self.limits);
        let has_place = match self.backlog {
            Backlog::Waits => true,
            Backlog::IsBuried => delivery.is_parked() || self.may_park(),
        };
        let may_retry = error.is_retryable() && !self.is_disabled && has_place;
        let delay = delay.filter(|_| may_retry);
        let delay = delay.map(|delay| delay.max(error.delay_min()));
        let row = match delay {
            Some(delay) => ParkedEvent {
                tries,
                ..ParkedEvent::new(run, seq, add_delay(now.wall, delay))
            },
            None => dead_letter(run, seq, tries, now),
        };
        self.remove(delivery, Some(row));
        self.has_unsaved_dead_letter |= row.is_dead;
        if let Some(delay) = delay
            && let Some(queue) = self.queues.get_mut(&run)
        {
            queue.retry_at = now.elapsed.saturating_add(delay);
            let state = DeliveryState::Parked { tries };
            queue.deliveries.push_front(QueuedDelivery { seq, state });
            self.parked_count += 1;
            self.park_behind_first(run, now.wall);
        }
        FailedTry {
            run,
            seq,
            tries,
            is_dead: row.is_dead,
            disables: error.is_gone() && !self.is_disabled,
            error,
        }
    }
}

/// Returns the row of a dead letter. Its time is that of its death.
pub(super) const fn dead_letter(run: RunId, seq: u64, tries: u32, now: Moment) -> ParkedEvent {
    let mut row = ParkedEvent::new(run, seq, now.wall);
    (row.tries, row.is_dead) = (tries, true);
    row
}

fn add_delay(wall: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    let delay = TimeDelta::from_std(delay).ok();
    delay
        .and_then(|delay| wall.checked_add_signed(delay))
        .unwrap_or(wall)
}
