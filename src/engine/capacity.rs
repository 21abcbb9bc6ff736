//! How much executes and waits at once. A host can change it while Floret runs.
//!
//! All other limits are fixed at the start, because queues and caches are built from them.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::Shared;
use crate::error::{Error, Issue, Problem};
use crate::limits::Limits;

/// The limits that can change, and the slots of executing nodes.
#[derive(Debug)]
pub(super) struct Capacity {
    current: Mutex<CapacityLimits>,
    // A permit is a node that executes in any run.
    node_slots: Arc<Semaphore>,
}

/// The fields of [`Limits`] that can change.
#[derive(Debug, Clone, Copy)]
pub(super) struct CapacityLimits {
    pub(super) runs_max: u32,
    pub(super) nodes_engine_max: u32,
    pub(super) nodes_run_max: u32,
    pub(super) queued_pipeline_max: u64,
    pub(super) queued_max: u64,
}

impl CapacityLimits {
    const fn of(limits: &Limits) -> Self {
        Self {
            runs_max: limits.runs_max,
            nodes_engine_max: limits.nodes_engine_max,
            nodes_run_max: limits.nodes_run_max,
            queued_pipeline_max: limits.queued_pipeline_max,
            queued_max: limits.queued_max,
        }
    }

    const fn write_to(self, limits: &mut Limits) {
        limits.runs_max = self.runs_max;
        limits.nodes_engine_max = self.nodes_engine_max;
        limits.nodes_run_max = self.nodes_run_max;
        limits.queued_pipeline_max = self.queued_pipeline_max;
        limits.queued_max = self.queued_max;
    }

    fn engine_slots(&self) -> usize {
        slots(self.nodes_engine_max)
    }

    /// Returns the slots of a run that starts now.
    pub(super) fn run_slots(&self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(slots(self.nodes_run_max)))
    }
}

/// Returns a number of slots with which nodes can execute at all.
fn slots(nodes_max: u32) -> usize {
    let slots = usize::try_from(nodes_max).unwrap_or(usize::MAX);
    slots.clamp(1, Semaphore::MAX_PERMITS)
}

impl Capacity {
    pub(super) fn new(limits: &Limits) -> Self {
        let current = CapacityLimits::of(limits);
        Self {
            node_slots: Arc::new(Semaphore::new(current.engine_slots())),
            current: Mutex::new(current),
        }
    }

    pub(super) fn current(&self) -> CapacityLimits {
        *self.current.lock()
    }

    pub(super) const fn node_slots(&self) -> &Arc<Semaphore> {
        &self.node_slots
    }
}

impl Shared {
    /// Returns the limits as they are now.
    pub(super) fn current_limits(&self) -> Limits {
        let mut limits = self.limits.clone();
        self.capacity.current().write_to(&mut limits);
        limits
    }

    /// Changes how much executes and waits at once.
    ///
    /// # Errors
    /// `Invalid` if another limit differs from the one at the start. Nothing is changed then.
    pub(super) fn set_limits(self: &Arc<Self>, limits: &Limits) -> crate::error::Result<()> {
        let wanted = CapacityLimits::of(limits);
        let mut allowed = self.limits.clone();
        wanted.write_to(&mut allowed);
        if allowed != *limits {
            return Err(fixed_at_the_start());
        }
        let mut current = self.capacity.current.lock();
        self.resize_node_slots(current.engine_slots(), wanted.engine_slots());
        *current = wanted;
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
fn forget(taken: Result<OwnedSemaphorePermit, AcquireError>) {
    if let Ok(taken) = taken {
        taken.forget();
    }
}

fn fixed_at_the_start() -> Error {
    let detail = "only runs_max, nodes_engine_max, nodes_run_max, queued_pipeline_max and \
                  queued_max can change while Floret runs; another limit differs";
    Error::invalid(Problem::InvalidField, vec![Issue::pointer("", detail)])
}
