//! Who waits for the end of which run.
//!
//! Kept apart from the stream of events so that a thousand waiters cost an event nothing.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::model::RunId;

/// The waiters for the ends of runs.
#[derive(Debug, Default)]
pub(super) struct Ends {
    // A mutex, since it is held for a map operation only and never over an await.
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    of_runs: HashMap<RunId, Vec<oneshot::Sender<()>>>,
    is_closed: bool,
}

impl Ends {
    pub(super) fn wait(&self, run: RunId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = self.waiters.lock();
        if !waiters.is_closed {
            let of_run = waiters.of_runs.entry(run).or_default();
            of_run.retain(|waiter| !waiter.is_closed());
            of_run.push(sender);
        }
        receiver
    }

    /// Lets everybody go whose run has not ended, now and later.
    pub(super) fn close(&self) {
        let mut waiters = self.waiters.lock();
        waiters.is_closed = true;
        waiters.of_runs.clear();
    }

    pub(super) fn ended(&self, run: RunId) {
        let waiters = self.waiters.lock().of_runs.remove(&run).unwrap_or_default();
        for waiter in waiters {
            // A waiter that has gone needs no answer.
            let _ = waiter.send(());
        }
    }
}
