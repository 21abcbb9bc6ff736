//! The callers that wait for runs to finish.
//!
//! They do not subscribe to events, so that a thousand waiters add no cost to an event.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::model::RunId;

/// A caller that waits for a run to finish. Dropping it leaves nothing behind.
#[derive(Debug)]
pub(super) struct FinishWaiter {
    run: RunId,
    receiver: oneshot::Receiver<()>,
    waiters: Arc<RunWaiters>,
}

impl FinishWaiter {
    /// Waits until the run may have finished. Returns false if Floret stops first.
    pub(super) async fn wait(&mut self) -> bool {
        (&mut self.receiver).await.is_ok()
    }
}

impl Drop for FinishWaiter {
    fn drop(&mut self) {
        self.receiver.close();
        self.waiters.forget_closed(self.run);
    }
}

/// The callers that wait for runs to finish.
#[derive(Debug, Default)]
pub(super) struct RunWaiters {
    // A mutex: it is held for one map operation, never over an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    senders: HashMap<RunId, Vec<oneshot::Sender<()>>>,
    is_closed: bool,
}

impl RunWaiters {
    /// Adds a waiter for a run.
    pub(super) fn add(self: &Arc<Self>, run: RunId) -> FinishWaiter {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        if !state.is_closed {
            state.senders.entry(run).or_default().push(sender);
        }
        FinishWaiter {
            run,
            receiver,
            waiters: Arc::clone(self),
        }
    }

    /// Forgets the waiters of a run that no longer wait.
    fn forget_closed(&self, run: RunId) {
        if let Entry::Occupied(mut senders) = self.state.lock().senders.entry(run) {
            senders.get_mut().retain(|sender| !sender.is_closed());
            if senders.get().is_empty() {
                senders.remove();
            }
        }
    }

    /// Releases all waiters, now and later.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.senders.clear();
    }

    /// Notifies the waiters of all runs. Those whose run has not finished wait again.
    pub(super) fn notify_all(&self) {
        let senders = std::mem::take(&mut self.state.lock().senders);
        for sender in senders.into_values().flatten() {
            // A dropped waiter needs no notification.
            let _ = sender.send(());
        }
    }

    /// Notifies the waiters of a finished run.
    pub(super) fn notify(&self, run: RunId) {
        let senders = self.state.lock().senders.remove(&run).unwrap_or_default();
        for sender in senders {
            // A dropped waiter needs no notification.
            let _ = sender.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    fn run(n: u64) -> RunId {
        RunId::from_uuid(Uuid::from_u64_pair(0, n))
    }

    fn count(waiters: &RunWaiters) -> usize {
        let state = waiters.state.lock();
        state
            .senders
            .values()
            .map(|senders| senders.len().max(1))
            .sum()
    }

    #[tokio::test]
    async fn a_waiter_that_leaves_is_forgotten() {
        let waiters = Arc::new(RunWaiters::default());
        let mut first = waiters.add(run(1));
        let second = waiters.add(run(1));
        drop(waiters.add(run(2)));
        assert_eq!(count(&waiters), 2);
        drop(second);
        assert_eq!(count(&waiters), 1);
        waiters.notify(run(1));
        assert_eq!(first.wait().now_or_never(), Some(true));
        drop(first);
        assert_eq!(count(&waiters), 0);
    }

    #[tokio::test]
    async fn every_waiter_is_notified_to_look_again() {
        let waiters = Arc::new(RunWaiters::default());
        let mut all = [1, 1, 2].map(|n| waiters.add(run(n)));
        waiters.notify_all();
        for waiter in &mut all {
            assert_eq!(waiter.wait().now_or_never(), Some(true));
        }
        assert_eq!(count(&waiters), 0);
    }

    #[tokio::test]
    async fn a_close_releases_the_waiters_of_before_and_after() {
        let waiters = Arc::new(RunWaiters::default());
        let mut before = waiters.add(run(1));
        waiters.close();
        let mut after = waiters.add(run(1));
        assert_eq!(before.wait().now_or_never(), Some(false));
        assert_eq!(after.wait().now_or_never(), Some(false));
    }
}
