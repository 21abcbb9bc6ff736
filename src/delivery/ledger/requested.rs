//! Dead letters that a caller retries: they are delivered again, before later events of their run
//! that are not in flight.
//!
//! `mod.rs` decides about all other deliveries.

use super::Ledger;
use crate::delivery::Moment;
use crate::delivery::run_queue::{DeliveryState, QueueKey, QueuedDelivery};
use crate::model::RunId;
use crate::storage::ParkedEvent;

impl Ledger {
    /// Queues a dead letter again, at once. Storage has its row already.
    pub(in crate::delivery) fn retry(&mut self, run: RunId, seq: u64, now: Moment) {
        if self.is_queued(run, seq) {
            return;
        }
        let key = self.queue_of_retry(run, seq);
        let queue = self.queues.entry(key).or_default();
        queue.requested.insert(seq);
        // An attempt in flight is the first of its queue until it has finished.
        if !queue.is_in_flight {
            self.retries.remove(&(queue.retry_at, key));
            self.sendable.retain(|own| *own != key);
            self.insert_requested(key, now);
            self.requeue(key);
        }
    }

    /// Inserts the requested retries into their queue, which is not in flight.
    pub(super) fn insert_requested(&mut self, key: QueueKey, now: Moment) {
        let Some(queue) = self.queues.get_mut(&key) else {
            return;
        };
        let requested = std::mem::take(&mut queue.requested);
        for seq in &requested {
            let Some(index) = queue.insertion_index(*seq) else {
                continue;
            };
            if index == 0 {
                queue.retry_at = now.elapsed;
            }
            let state = DeliveryState::Parked { tries: 0 };
            let delivery = QueuedDelivery { seq: *seq, state };
            queue.deliveries.insert(index, delivery);
            self.parked_count += 1;
            // An earlier change of the row may not be stored yet.
            let row = ParkedEvent::new(key.run, *seq, now.wall);
            self.changes.insert(*seq, Some(row));
        }
        if !requested.is_empty() {
            self.park_behind_first(key, now.wall);
        }
    }
}
