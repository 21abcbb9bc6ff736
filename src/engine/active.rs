//! The runs that this engine executes now, and the channels that reach their drivers.
//!
//! `queue` decides which runs the engine claims. What a driver does with a signal is in
//! `driver/stopping`.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::stop_signal::StopSignal;
use crate::model::{Cancel, RunId};
use crate::storage::HeldRun;

/// The claim of a run and the channels to its driver.
#[derive(Debug)]
pub(super) struct DriverHandle {
    epoch: u64,
    /// Whether the end of the run was handed to storage.
    is_ending: bool,
    // A watch, since a busy driver needs only the strongest request.
    cancel_request: watch::Sender<Option<Cancel>>,
    stop_signal: watch::Sender<StopSignal>,
}

impl DriverHandle {
    pub(super) const fn new(
        epoch: u64,
        cancel_request: watch::Sender<Option<Cancel>>,
        stop_signal: watch::Sender<StopSignal>,
    ) -> Self {
        Self {
            epoch,
            is_ending: false,
            cancel_request,
            stop_signal,
        }
    }

    /// Sends a cancel request to the driver and raises the stop signal of its nodes.
    ///
    /// No node starts after this call, even if the driver is too busy to read the request.
    fn request_cancel(&self, cancel: Cancel) {
        // The request goes first: the driver must know it before it sees a node that it stopped.
        self.cancel_request
            .send_modify(|request| *request = (*request).max(Some(cancel)));
        self.stop_signal
            .send_modify(|signal| *signal = (*signal).max(cancel.into()));
    }
}

/// The runs that this engine executes now.
#[derive(Debug, Default)]
pub(super) struct ActiveRuns {
    // A mutex, since it is held for map operations only and never over an await.
    state: Mutex<State>,
    // Notified when a run is removed. A notify, since waiters look at the state themselves.
    removed: Notify,
}

#[derive(Debug, Default)]
struct State {
    runs: HashMap<RunId, DriverHandle>,
    // Cancel requests for runs that were not here. A claim in progress may have missed its
    // request; every later claim reads it from storage.
    early_cancels: HashMap<RunId, Cancel>,
    // Claims whose execution broke off. The next claim frees their runs.
    broken_off: Vec<HeldRun>,
}

/// The claims of this engine at one moment.
#[derive(Debug)]
pub(super) struct OwnClaims {
    pub(super) held: Vec<HeldRun>,
    /// How many of the held runs will have ended when storage sees the next claim.
    pub(super) ending_count: usize,
    pub(super) broken_off: Vec<HeldRun>,
}

/// Why a run is no longer active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// It finished, was released, or belongs to another claim.
    Settled,
    /// Nothing executes it, but storage may still hold its claim.
    BrokenOff,
}

impl ActiveRuns {
    /// Forgets earlier cancel requests, since the claim that now begins reads them from storage.
    pub(super) fn clear_early_cancels(&self) {
        self.state.lock().early_cancels.clear();
    }

    /// Adds a claimed run, and forwards a cancel request that arrived during its claim.
    pub(super) fn insert(&self, run: RunId, handle: DriverHandle) {
        let mut state = self.state.lock();
        if let Some(cancel) = state.early_cancels.remove(&run) {
            handle.request_cancel(cancel);
        }
        state.runs.insert(run, handle);
    }

    /// Removes the run unless a newer claim has replaced it.
    pub(super) fn remove(&self, held: HeldRun, removal: Removal) {
        let mut state = self.state.lock();
        if removal == Removal::BrokenOff {
            state.broken_off.push(held);
        }
        if state
            .runs
            .get(&held.run)
            .is_some_and(|handle| handle.epoch == held.epoch)
        {
            state.runs.remove(&held.run);
        }
        drop(state);
        self.removed.notify_waiters();
    }

    /// Waits until no run is active.
    pub(super) async fn wait_until_empty(&self) {
        loop {
            let removed = self.removed.notified();
            tokio::pin!(removed);
            // Registered before the count, so that a removal in between is not missed.
            removed.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            removed.await;
        }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.state.lock().runs.len()).unwrap_or(u32::MAX)
    }

    /// Returns the claims of all active runs, and those that broke off.
    pub(super) fn own_claims(&self) -> OwnClaims {
        let state = self.state.lock();
        let held = state.runs.iter();
        let is_ending = |handle: &&DriverHandle| handle.is_ending;
        OwnClaims {
            held: held
                .map(|(run, handle)| HeldRun::new(*run, handle.epoch))
                .collect(),
            ending_count: state.runs.values().filter(is_ending).count(),
            broken_off: state.broken_off.clone(),
        }
    }

    /// Notes that the end of a run is handed to storage now.
    pub(super) fn note_end(&self, held: HeldRun) {
        if let Some(handle) = self.state.lock().runs.get_mut(&held.run)
            && handle.epoch == held.epoch
        {
            handle.is_ending = true;
        }
    }

    /// Forgets claims that broke off, since storage has freed their runs.
    pub(super) fn forget_broken_off(&self, freed: &[HeldRun]) {
        let mut state = self.state.lock();
        state.broken_off.retain(|held| !freed.contains(held));
    }

    /// Sends a cancel request to the run's driver, or keeps it for a claim in progress.
    pub(super) fn request_cancel(&self, run: RunId, cancel: Cancel) {
        let mut state = self.state.lock();
        match state.runs.get(&run) {
            Some(handle) => handle.request_cancel(cancel),
            None => {
                let request = state.early_cancels.entry(run).or_insert(cancel);
                *request = (*request).max(cancel);
            }
        }
    }

    /// Stops the driver of a run whose lease is lost.
    pub(super) fn stop_after_lease_loss(&self, held: HeldRun) {
        if let Some(handle) = self
            .state
            .lock()
            .runs
            .get(&held.run)
            .filter(|handle| handle.epoch == held.epoch)
        {
            handle
                .stop_signal
                .send_modify(|signal| *signal = StopSignal::LeaseLost);
        }
    }
}
