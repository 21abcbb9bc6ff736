//! The callers that wait for runs to finish.
//!
//! They do not subscribe to events, so that a thousand waiters add no cost to an event.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::model::RunId;

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
    /// Returns a receiver that resolves once the run finishes, and fails once this is closed.
    pub(super) fn add(&self, run: RunId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        if !state.is_closed {
            let senders = state.senders.entry(run).or_default();
            senders.retain(|sender| !sender.is_closed());
            senders.push(sender);
        }
        receiver
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
