//! Purge: finished runs are deleted in small batches, with as long a pause after each as it took, so that writers are not held up.
//!
//! Which runs a batch takes is decided by storage; when the engine purges by itself, by `retention`.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::OwnedMutexGuard;

use super::{Engine, Shared, shutting_down};
use crate::error::{Error, Result};
use crate::model::Scope;
use crate::storage::{Purge, PurgeMode};

/// Which finished runs are to be deleted.
#[derive(Debug, Clone)]
pub(crate) struct PurgeRuns {
    /// Those finished so many days ago or longer; at least 1.
    pub(crate) days: u32,
    /// So many of the newest of each pipeline stay.
    pub(crate) keep_last: u32,
    /// Whether they are deleted or counted.
    pub(crate) mode: PurgeMode,
    /// Whose.
    pub(crate) scope: Scope,
}

impl Engine {
    /// Deletes finished runs and answers how many. Once it has begun it goes on though the caller leaves, and ends after the batch in hand when
    /// Floret shuts down.
    ///
    /// # Errors
    /// `ShuttingDown`, `Unavailable`: what was deleted until then stays deleted, and a repeat deletes the rest.
    pub(crate) async fn purge(&self, runs: PurgeRuns) -> Result<u64> {
        self.refuse_in_shutdown()?;
        purge(&self.0, &runs).await
    }
}

pub(super) async fn purge(shared: &Arc<Shared>, runs: &PurgeRuns) -> Result<u64> {
    let days = TimeDelta::days(i64::from(runs.days.max(1)));
    let before = shared.clock.now().checked_sub_signed(days);
    let mut step = Purge::new(
        before.unwrap_or(DateTime::<Utc>::MIN_UTC),
        shared.limits.purge_batch_max.max(1),
    );
    step.keep_last = runs.keep_last;
    step.mode = runs.mode;
    step.scope = runs.scope.clone();
    match runs.mode {
        PurgeMode::Preview => in_steps(shared, step).await,
        PurgeMode::Delete => {
            // One at a time: the pauses of one purge are not for another to fill. Callers wait for it themselves, so that none is owed to one who has left.
            let turn = tokio::select! {
                biased;
                () = shared.drain.cancelled() => return Err(shutting_down()),
                turn = Arc::clone(&shared.purging).lock_owned() => turn,
            };
            let purging = shared.tasks.spawn(delete(Arc::clone(shared), step, turn));
            purging
                .await
                .map_err(|error| Error::internal("the purge ended early").with_source(error))?
        }
    }
}

async fn delete(shared: Arc<Shared>, step: Purge, turn: OwnedMutexGuard<()>) -> Result<u64> {
    let deleted = in_steps(&shared, step).await;
    drop(turn);
    deleted
}

async fn in_steps(shared: &Shared, mut step: Purge) -> Result<u64> {
    let mut deleted = 0_u64;
    loop {
        if shared.drain.is_cancelled() {
            return Err(shutting_down());
        }
        let begun = shared.clock.elapsed();
        let purged = shared.storage.purge(step.clone()).await?;
        deleted = deleted.saturating_add(purged.deleted);
        if purged.next.is_none() {
            return Ok(deleted);
        }
        step.after = purged.next;
        let took = shared.clock.elapsed().saturating_sub(begun);
        if step.mode == PurgeMode::Delete && !took.is_zero() {
            tokio::select! {
                () = shared.drain.cancelled() => {}
                () = shared.clock.sleep(took) => {}
            }
        }
    }
}
