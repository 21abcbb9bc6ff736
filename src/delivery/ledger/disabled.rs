//! What follows when the receiver of a notifier wants no more events.
//!
//! Its events become dead letters, which a caller can list and retry: none is lost in silence. A
//! success ends it, in `mod.rs`.

use super::Ledger;
use super::outcome::dead_letter;
use crate::delivery::Moment;
use crate::delivery::run_queue::QueueKey;
use crate::model::RunId;

impl Ledger {
    /// Turns every delivery that is not in flight into a dead letter.
    pub(super) fn disable(&mut self, now: Moment) {
        self.is_disabled = true;
        self.has_unsaved_dead_letter = true;
        self.sendable.clear();
        self.retries.clear();
        let keys: Vec<_> = self.queues.keys().copied().collect();
        for key in keys {
            self.bury(key, now);
        }
        self.queues.retain(|_, queue| !queue.deliveries.is_empty());
    }

    fn bury(&mut self, key: QueueKey, now: Moment) {
        let Some(queue) = self.queues.get_mut(&key) else {
            return;
        };
        let first = usize::from(queue.is_in_flight);
        for delivery in queue.deliveries.split_off(first) {
            let row = dead_letter(key.run, delivery.seq, delivery.tries(), now);
            self.remove(&delivery, Some(row));
        }
    }

    /// Turns an event into a dead letter without a try, unless it is queued already.
    pub(super) fn bury_new(&mut self, run: RunId, seq: u64, now: Moment) {
        if !self.is_queued(run, seq) {
            let row = dead_letter(run, seq, 0, now);
            self.changes.insert(seq, Some(row));
        }
    }
}
