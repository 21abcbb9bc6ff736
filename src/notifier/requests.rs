//! Dead letters that callers retry, on their way to the workers of their notifiers.
//!
//! Storage has their rows already, so that none is lost in a crash. This wakes the workers at once.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::model::{DeliveryId, RunId};

/// The requested retries of all notifiers that have a worker.
///
/// Each is a dead letter that was stored, so there are never more than that.
#[derive(Debug, Default)]
pub(crate) struct RetryRequests {
    waiting: Mutex<BTreeMap<String, BTreeSet<(RunId, u64)>>>,
    // A watch, since several requests before a worker looks count as one, and none is missed.
    requested: watch::Sender<()>,
}

impl RetryRequests {
    /// Begins to keep the requests for a notifier. The receiver changes when there may be new ones.
    pub(crate) fn serve(&self, notifier: &str) -> watch::Receiver<()> {
        self.waiting.lock().entry(notifier.to_owned()).or_default();
        self.requested.subscribe()
    }

    /// Requests the retry of a dead letter. One of a notifier without a worker is retried after the
    /// next start that has it.
    pub(crate) fn request(&self, delivery: &DeliveryId, run: RunId) {
        if let Some(waiting) = self.waiting.lock().get_mut(&delivery.notifier) {
            waiting.insert((run, delivery.seq));
            self.requested.send_replace(());
        }
    }

    /// Returns the requests for a notifier, which are its worker's from then on.
    pub(crate) fn take(&self, notifier: &str) -> BTreeSet<(RunId, u64)> {
        let mut waiting = self.waiting.lock();
        waiting
            .get_mut(notifier)
            .map(std::mem::take)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::contract::fixtures::run_id;

    #[test]
    fn a_request_wakes_its_worker_and_is_taken_once() {
        let requests = RetryRequests::default();
        let mut woken = requests.serve("slack");
        requests.request(&DeliveryId::new("pager", 1), run_id(1));
        assert!(!woken.has_changed().unwrap());
        for _ in 0..2 {
            requests.request(&DeliveryId::new("slack", 7), run_id(1));
        }
        assert!(woken.has_changed().unwrap());
        woken.mark_unchanged();
        assert_eq!(requests.take("slack"), BTreeSet::from([(run_id(1), 7)]));
        assert_eq!(requests.take("slack"), BTreeSet::new());
        assert_eq!(requests.take("pager"), BTreeSet::new());
    }
}
