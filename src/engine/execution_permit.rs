//! The permit that an attempt needs before it may begin, in a run or a dry run.
//!
//! Measuring the wait and executing the attempt are left to `node` and `dry_run/node`.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Shared;
use super::stop_signal::{StopSignal, wait_for_signal};
use crate::executor::{Executor, ExecutorError};

/// A ready executor, and the slots that the attempt occupies while the permit lives.
pub(super) struct ExecutionPermit {
    /// The executor, or the error with which it refused to become ready.
    pub(super) executor: Result<Arc<dyn Executor>, ExecutorError>,
    _run: OwnedSemaphorePermit,
    _engine: OwnedSemaphorePermit,
}

impl ExecutionPermit {
    /// Waits until the executor is ready, then for a slot of the run and a slot of the engine.
    ///
    /// Returns `None` when the run is stopped first.
    pub(super) async fn acquire(
        shared: &Shared,
        run_slots: &Arc<Semaphore>,
        kind: &str,
        stop_signal: &mut watch::Receiver<StopSignal>,
    ) -> Option<Self> {
        tokio::select! {
            biased;
            _ = wait_for_signal(stop_signal, StopSignal::Drain) => None,
            permit = Self::acquire_unstopped(shared, run_slots, kind) => permit,
        }
    }

    async fn acquire_unstopped(
        shared: &Shared,
        run_slots: &Arc<Semaphore>,
        kind: &str,
    ) -> Option<Self> {
        // The executor first: a node that waits for it must not occupy a slot.
        let executor = match shared.registry.ready_executor(kind).await {
            Ok(executor) => Ok(executor?),
            Err(error) => Err(error),
        };
        let run = Arc::clone(run_slots).acquire_owned().await.ok()?;
        let engine = Arc::clone(&shared.node_slots);
        Some(Self {
            executor,
            _run: run,
            _engine: engine.acquire_owned().await.ok()?,
        })
    }
}
