//! The permit that an attempt needs before it may begin, in a run or a dry run.
//!
//! Measuring the wait and executing the attempt are left to `node` and `dry_run/node`.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Shared;
use super::dataset_budget::{Admission, input_bytes};
use super::stop_signal::{StopSignal, wait_for_signal};
use crate::executor::{Executor, ExecutorError, Input};

/// What a node needs a permit for.
///
/// Its methods take it by reference, so that the task of a node that waits stays small.
pub(super) struct PermitRequest<'a> {
    pub(super) shared: &'a Shared,
    pub(super) run_slots: &'a Arc<Semaphore>,
    /// The type of the node.
    pub(super) kind: &'a str,
    pub(super) inputs: &'a [Input],
}

/// A ready executor, and the slots that the attempt occupies while the permit lives.
pub(super) struct ExecutionPermit {
    /// The executor, or the error with which it refused to become ready.
    pub(super) executor: Result<Arc<dyn Executor>, ExecutorError>,
    _slots: Slots,
    _admission: Option<Admission>,
}

impl PermitRequest<'_> {
    /// Waits until memory has room for a node with these inputs, the executor is ready, and the run
    /// and the engine have a slot.
    ///
    /// Returns `None` when the run is stopped first.
    pub(super) async fn acquire(
        &self,
        stop_signal: &mut watch::Receiver<StopSignal>,
    ) -> Option<ExecutionPermit> {
        tokio::select! {
            biased;
            _ = wait_for_signal(stop_signal, StopSignal::Drain) => None,
            permit = self.acquire_admitted() => permit,
        }
    }

    /// Waits for room before it holds anything that another node waits for.
    async fn acquire_admitted(&self) -> Option<ExecutionPermit> {
        let own = input_bytes(self.inputs);
        let budget = &self.shared.dataset_budget;
        loop {
            budget.wait_for_room(own).await;
            let permit = self.acquire_unstopped().await?;
            if let Some(admission) = budget.try_admit(own) {
                return Some(ExecutionPermit {
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
    async fn acquire_unstopped(&self) -> Option<ExecutionPermit> {
        loop {
            let executor = self.ready_executor().await?;
            if let Some(slots) = self.try_acquire_slots() {
                return Some(ExecutionPermit {
                    executor,
                    _slots: slots,
                    _admission: None,
                });
            }
            drop(executor);
            let slots = self.acquire_slots().await?;
            let executor = tokio::select! {
                biased;
                executor = self.ready_executor() => executor?,
                () = tokio::task::yield_now() => continue,
            };
            return Some(ExecutionPermit {
                executor,
                _slots: slots,
                _admission: None,
            });
        }
    }

    /// Waits until the executor is ready. Returns `None` if its type is not registered.
    async fn ready_executor(&self) -> Option<Result<Arc<dyn Executor>, ExecutorError>> {
        let ready = self.shared.registry.ready_executor(self.kind);
        ready.await.transpose()
    }

    /// Takes both slots if both are free.
    fn try_acquire_slots(&self) -> Option<Slots> {
        let engine = self.shared.capacity.node_slots();
        Some(Slots {
            _run: Arc::clone(self.run_slots).try_acquire_owned().ok()?,
            _engine: Arc::clone(engine).try_acquire_owned().ok()?,
        })
    }

    /// Waits for both slots: first for that of the run, which only its own nodes wait for.
    async fn acquire_slots(&self) -> Option<Slots> {
        let engine = self.shared.capacity.node_slots();
        Some(Slots {
            _run: Arc::clone(self.run_slots).acquire_owned().await.ok()?,
            _engine: Arc::clone(engine).acquire_owned().await.ok()?,
        })
    }
}

/// A slot of the run and a slot of the engine.
struct Slots {
    _run: OwnedSemaphorePermit,
    _engine: OwnedSemaphorePermit,
}
