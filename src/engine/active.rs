//! The runs that this engine executes right now, and how to reach their drivers.
//!
//! Which runs it may execute is decided by `queue`.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::halt::Halt;
use crate::model::{Cancel, OwnerId, RunId};
use crate::storage::HeldRun;

/// The handles of a run's driver.
#[derive(Debug)]
pub(super) struct Handle {
    owner: OwnerId,
    epoch: u64,
    // A watch, since a driver that is busy needs only the strongest wish.
    cancel: watch::Sender<Option<Cancel>>,
    halt: watch::Sender<Halt>,
}

impl Handle {
    pub(super) const fn new(
        owner: OwnerId,
        epoch: u64,
        cancel: watch::Sender<Option<Cancel>>,
        halt: watch::Sender<Halt>,
    ) -> Self {
        Self {
            owner,
            epoch,
            cancel,
            halt,
        }
    }
}

impl Handle {
    /// Tells the driver of a wish. Nodes are stopped here already: once the wish was acknowledged none starts, however late the driver hears of it.
    ///
    /// The wish goes first, so that the driver knows it before it hears of a node that was stopped by it.
    fn wish(&self, cancel: Cancel) {
        self.cancel
            .send_modify(|wish| *wish = (*wish).max(Some(cancel)));
        self.halt
            .send_modify(|halt| *halt = (*halt).max(cancel.into()));
    }
}

/// The runs under way.
#[derive(Debug, Default)]
pub(super) struct Active {
    // A mutex, since it is held for map operations only and never over an await.
    state: Mutex<State>,
    // Told of every run that leaves; a notify, since whoever waits looks at the state.
    left: Notify,
}

#[derive(Debug, Default)]
struct State {
    runs: HashMap<RunId, Handle>,
    // Wishes for runs that were not here. One whose claim is under way may not have seen its wish; any later claim has.
    early: HashMap<RunId, Cancel>,
}

impl Active {
    /// A claim begins: whatever was wished before, its answer tells.
    pub(super) fn claim_begins(&self) {
        self.state.lock().early.clear();
    }

    pub(super) fn insert(&self, run: RunId, handle: Handle) {
        let mut state = self.state.lock();
        if let Some(early) = state.early.remove(&run) {
            handle.wish(early);
        }
        state.runs.insert(run, handle);
    }

    /// Removes the run unless another claim of it has come since.
    pub(super) fn remove(&self, held: HeldRun) {
        let mut state = self.state.lock();
        if state
            .runs
            .get(&held.run)
            .is_some_and(|handle| handle.epoch == held.epoch)
        {
            state.runs.remove(&held.run);
        }
        drop(state);
        self.left.notify_waiters();
    }

    /// Resolves once no run is under way.
    pub(super) async fn none_left(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            // Registered before the look, so that a run that leaves in between is not missed.
            left.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            left.await;
        }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.state.lock().runs.len()).unwrap_or(u32::MAX)
    }

    /// The claims of every run under way, by owner.
    pub(super) fn held(&self) -> BTreeMap<OwnerId, Vec<HeldRun>> {
        let mut held: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (run, handle) in &self.state.lock().runs {
            let of_owner = held.entry(handle.owner).or_default();
            of_owner.push(HeldRun::new(*run, handle.epoch));
        }
        held
    }

    /// Tells a run's driver of a wish to cancel.
    pub(super) fn cancel(&self, run: RunId, cancel: Cancel) {
        let mut state = self.state.lock();
        match state.runs.get(&run) {
            Some(handle) => handle.wish(cancel),
            None => {
                let wish = state.early.entry(run).or_insert(cancel);
                *wish = (*wish).max(cancel);
            }
        }
    }

    /// Stops the driver of a claim that is lost.
    pub(super) fn lose(&self, held: HeldRun) {
        if let Some(handle) = self
            .state
            .lock()
            .runs
            .get(&held.run)
            .filter(|handle| handle.epoch == held.epoch)
        {
            handle.halt.send_modify(|halt| *halt = Halt::Lost);
        }
    }
}
