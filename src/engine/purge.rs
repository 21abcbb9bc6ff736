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
pub(crate) struct PurgeRequest {
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
    pub(crate) async fn purge(&self, runs: PurgeRequest) -> Result<u64> {
        self.refuse_in_shutdown()?;
        purge(&self.0, &runs).await
    }
}

pub(super) async fn purge(shared: &Arc<Shared>, runs: &PurgeRequest) -> Result<u64> {
    let days = TimeDelta::days(i64::from(runs.days.max(1)));
    let before = shared.clock.now().checked_sub_signed(days);
    let mut batch = Purge::new(
        before.unwrap_or(DateTime::<Utc>::MIN_UTC),
        shared.limits.purge_batch_max.max(1),
    );
    batch.keep_last = runs.keep_last;
    batch.mode = runs.mode;
    batch.scope = runs.scope.clone();
    match runs.mode {
        PurgeMode::Preview => purge_in_batches(shared, batch).await,
        PurgeMode::Delete => {
            // One at a time: the pauses of one purge are not for another to fill. Callers wait for it themselves, so that none is owed to one who has left.
            let guard = tokio::select! {
                biased;
                () = shared.drain.cancelled() => return Err(shutting_down()),
                guard = Arc::clone(&shared.purging).lock_owned() => guard,
            };
            let purging = shared
                .tasks
                .spawn(delete_in_batches(Arc::clone(shared), batch, guard));
            purging
                .await
                .map_err(|error| Error::internal("the purge ended early").with_source(error))?
        }
    }
}

async fn delete_in_batches(
    shared: Arc<Shared>,
    batch: Purge,
    guard: OwnedMutexGuard<()>,
) -> Result<u64> {
    let deleted = purge_in_batches(&shared, batch).await;
    drop(guard);
    deleted
}

async fn purge_in_batches(shared: &Shared, mut batch: Purge) -> Result<u64> {
    let mut deleted = 0_u64;
    loop {
        if shared.drain.is_cancelled() {
            return Err(shutting_down());
        }
        let started_at = shared.clock.elapsed();
        let purged = shared.storage.purge(batch.clone()).await?;
        deleted = deleted.saturating_add(purged.deleted);
        if purged.next.is_none() {
            return Ok(deleted);
        }
        batch.after = purged.next;
        let elapsed = shared.clock.elapsed().saturating_sub(started_at);
        if batch.mode == PurgeMode::Delete && !elapsed.is_zero() {
            tokio::select! {
                () = shared.drain.cancelled() => {}
                () = shared.clock.sleep(elapsed) => {}
            }
        }
    }
}
