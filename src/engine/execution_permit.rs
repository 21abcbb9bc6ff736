//! The permit that an attempt needs before it may begin, in a run or a dry run.
//!
//! Measuring the wait and executing the attempt are left to `node` and `dry_run/node`.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Shared;
use super::dataset_budget::{Admission, input_bytes};
use super::stop_signal::{StopSignal, wait_for_signal};
use crate::executor::{Executor, ExecutorError, Input};

/// A ready executor, and the slots that the attempt occupies while the permit lives.
pub(super) struct ExecutionPermit {
    /// The executor, or the error with which it refused to become ready.
    pub(super) executor: Result<Arc<dyn Executor>, ExecutorError>,
    _slots: Slots,
    _admission: Option<Admission>,
}

impl ExecutionPermit {
    /// Waits until memory has room for a node with these inputs, the executor is ready, and the run
    /// and the engine have a slot.
    ///
    /// Returns `None` when the run is stopped first.
    pub(super) async fn acquire(
        shared: &Shared,
        run_slots: &Arc<Semaphore>,
        kind: &str,
        inputs: &[Input],
        stop_signal: &mut watch::Receiver<StopSignal>,
    ) -> Option<Self> {
        tokio::select! {
            biased;
            _ = wait_for_signal(stop_signal, StopSignal::Drain) => None,
            permit = Self::acquire_admitted(shared, run_slots, kind, inputs) => permit,
        }
    }

    /// Waits for room before it holds anything that another node waits for.
    async fn acquire_admitted(
        shared: &Shared,
        run_slots: &Arc<Semaphore>,
        kind: &str,
        inputs: &[Input],
    ) -> Option<Self> {
        let own = input_bytes(inputs);
        loop {
            shared.dataset_budget.wait_for_room(own).await;
            let permit = Self::acquire_unstopped(shared, run_slots, kind).await?;
            if let Some(admission) = shared.dataset_budget.try_admit(own) {
                return Some(Self {
                    _admission: Some(admission),
                    ..permit
                });
            }
        }
    }

    /// Waits without holding anything that another node waits for.
    ///
    /// A ready executor may serve one node at a time, of all runs. A slot is one of few. So a node
    /// that has the one without the other returns it before it waits.
    async fn acquire_unstopped(
        shared: &Shared,
        run_slots: &Arc<Semaphore>,
        kind: &str,
    ) -> Option<Self> {
        loop {
            let executor = ready_executor(shared, kind).await?;
            if let Some(slots) = Slots::try_acquire(shared, run_slots) {
                return Some(Self {
                    executor,
                    _slots: slots,
                    _admission: None,
                });
            }
            drop(executor);
            let slots = Slots::acquire(shared, run_slots).await?;
            let executor = tokio::select! {
                biased;
                executor = ready_executor(shared, kind) => executor?,
                () = tokio::task::yield_now() => continue,
            };
            return Some(Self {
                executor,
                _slots: slots,
                _admission: None,
            });
        }
    }
}

/// Waits until the executor is ready. Returns `None` if its type is not registered.
async fn ready_executor(
    shared: &Shared,
    kind: &str,
) -> Option<Result<Arc<dyn Executor>, ExecutorError>> {
    shared.registry.ready_executor(kind).await.transpose()
}

/// A slot of the run and a slot of the engine.
struct Slots {
    _run: OwnedSemaphorePermit,
    _engine: OwnedSemaphorePermit,
}

impl Slots {
    /// Takes both slots if both are free.
    fn try_acquire(shared: &Shared, run_slots: &Arc<Semaphore>) -> Option<Self> {
        Some(Self {
            _run: Arc::clone(run_slots).try_acquire_owned().ok()?,
            _engine: Arc::clone(shared.capacity.node_slots())
                .try_acquire_owned()
                .ok()?,
        })
    }

    /// Waits for both slots: first for that of the run, which only its own nodes wait for.
    async fn acquire(shared: &Shared, run_slots: &Arc<Semaphore>) -> Option<Self> {
        Some(Self {
            _run: Arc::clone(run_slots).acquire_owned().await.ok()?,
            _engine: Arc::clone(shared.capacity.node_slots())
                .acquire_owned()
                .await
                .ok()?,
        })
    }
}
