//! How much executes and waits at once. A host can change it while Floret runs.
//!
//! All other limits are fixed at the start, because queues and caches are built from them.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::Shared;
use crate::error::{Error, Issue, Problem, Result};
use crate::limits::Limits;

/// The limits as they are now, and the slots of executing nodes.
#[derive(Debug)]
pub(super) struct Capacity {
    current: Mutex<Arc<Limits>>,
    // A permit is a node that executes in any run.
    node_slots: Arc<Semaphore>,
}

/// Copies the limits that can change.
const fn copy_changeable(from: &Limits, to: &mut Limits) {
    to.runs_max = from.runs_max;
    to.nodes_engine_max = from.nodes_engine_max;
    to.nodes_run_max = from.nodes_run_max;
    to.queued_pipeline_max = from.queued_pipeline_max;
    to.queued_max = from.queued_max;
}

/// Returns a number of slots with which nodes can execute at all.
fn slots(nodes_max: u32) -> usize {
    let slots = usize::try_from(nodes_max).unwrap_or(usize::MAX);
    slots.clamp(1, Semaphore::MAX_PERMITS)
}

impl Capacity {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            node_slots: Arc::new(Semaphore::new(slots(limits.nodes_engine_max))),
            current: Mutex::new(Arc::new(limits.clone())),
        }
    }

    /// Returns the limits as they are now.
    pub(super) fn current(&self) -> Arc<Limits> {
        Arc::clone(&self.current.lock())
    }

    pub(super) const fn node_slots(&self) -> &Arc<Semaphore> {
        &self.node_slots
    }

    /// Returns the slots of a run that starts now.
    pub(super) fn new_run_slots(&self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(slots(self.current().nodes_run_max)))
    }
}

impl Shared {
    /// Changes how much executes and waits at once.
    ///
    /// # Errors
    /// `Invalid` if another limit differs from the one at the start. Nothing is changed then.
    pub(super) fn set_limits(self: &Arc<Self>, limits: &Limits) -> Result<()> {
        let mut allowed = self.limits.clone();
        copy_changeable(limits, &mut allowed);
        if allowed != *limits {
            return Err(fixed_at_the_start());
        }
        let mut current = self.capacity.current.lock();
        let (old, new) = (current.nodes_engine_max, limits.nodes_engine_max);
        self.resize_node_slots(slots(old), slots(new));
        *current = Arc::new(allowed);
        drop(current);
        self.wake.notify_one();
        Ok(())
    }

    /// Adds slots at once. Takes free slots away at once, and the others as they become free.
    fn resize_node_slots(self: &Arc<Self>, old: usize, new: usize) {
        let slots = self.capacity.node_slots();
        if let Some(more) = new.checked_sub(old) {
            slots.add_permits(more);
            return;
        }
        let surplus = old.saturating_sub(new);
        let occupied = surplus.saturating_sub(slots.forget_permits(surplus));
        let occupied = u32::try_from(occupied).unwrap_or(u32::MAX);
        let mut taking = Box::pin(Arc::clone(slots).acquire_many_owned(occupied));
        // Polled here, so that it is in line before every node that asks for a slot from now on.
        match taking
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(taken) => forget(taken),
            Poll::Pending => {
                let drain = self.drain.clone();
                self.tasks.spawn(async move {
                    tokio::select! {
                        taken = taking => forget(taken),
                        () = drain.cancelled() => {}
                    }
                });
            }
        }
    }
}

/// Takes slots away. An error would mean that they are closed, which never happens.
fn forget(taken: std::result::Result<OwnedSemaphorePermit, AcquireError>) {
    if let Ok(taken) = taken {
        taken.forget();
    }
}

fn fixed_at_the_start() -> Error {
    let detail = "only runs_max, nodes_engine_max, nodes_run_max, queued_pipeline_max and \
                  queued_max can change while Floret runs; another limit differs";
    Error::invalid(Problem::InvalidField, vec![Issue::pointer("", detail)])
}
