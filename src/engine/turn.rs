//! A turn: what an attempt at a node of a run or a dry run needs before it may begin, and the wait for it.
//!
//! How long it took and what executes then is left to `node` and `dry_run/node`.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Shared;
use super::attempt::reached;
use super::halt::Halt;
use crate::executor::{Executor, ExecutorError};

/// An executor that is ready, and the slots that are taken while the attempt executes.
pub(super) struct Turn {
    /// Or why the executor lets no attempt begin.
    pub(super) executor: Result<Arc<dyn Executor>, ExecutorError>,
    _run: OwnedSemaphorePermit,
    _engine: OwnedSemaphorePermit,
}

impl Turn {
    /// Waits until the executor is ready, then for a slot of the run and one of the engine; none when the run is stopped first.
    pub(super) async fn wait(
        shared: &Shared,
        of_run: &Arc<Semaphore>,
        kind: &str,
        halt: &mut watch::Receiver<Halt>,
    ) -> Option<Self> {
        tokio::select! {
            biased;
            _ = reached(halt, Halt::Drain) => None,
            turn = Self::take(shared, of_run, kind) => turn,
        }
    }

    async fn take(shared: &Shared, of_run: &Arc<Semaphore>, kind: &str) -> Option<Self> {
        // The executor first: whoever waits for it keeps no slot from others.
        let executor = match shared.registry.turn(kind).await {
            Ok(executor) => Ok(executor?),
            Err(error) => Err(error),
        };
        let run = Arc::clone(of_run).acquire_owned().await.ok()?;
        let engine = Arc::clone(&shared.node_slots);
        Some(Self {
            executor,
            _run: run,
            _engine: engine.acquire_owned().await.ok()?,
        })
    }
}
