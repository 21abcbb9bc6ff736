//! Purges finished runs in small batches. After each batch it pauses for as long as the batch took,
//! which leaves room for other writers.
//!
//! Storage selects the runs of a batch; `retention` decides when the engine purges on its own.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::OwnedMutexGuard;

use super::audit::{Audited, Author, Named};
use super::note::check_reason;
use super::{Engine, Shared, shutting_down};
use crate::error::Result;
use crate::model::{AuditAction, AuditSubject};
use crate::storage::{Purge, PurgeMode};

/// The age of the runs that a purge deletes, in days, if the caller names none.
pub(crate) const PURGE_DAYS: u32 = 30;
/// The largest age that a caller may name. A hundred years, because more is most likely a mistake.
pub(crate) const PURGE_DAYS_MAX: u32 = 36_500;

/// A request to purge finished runs.
#[derive(Debug, Clone)]
pub(crate) struct PurgeRequest {
    /// The minimum age in days since a run finished; at least 1.
    pub(crate) days: u32,
    /// The number of newest runs of each pipeline that stay.
    pub(crate) keep_last: u32,
    /// Whether the runs are deleted or only counted.
    pub(crate) mode: PurgeMode,
    /// Why, in the words of the caller.
    pub(crate) reason: Option<String>,
    /// Who asks, and which objects that reaches.
    pub(crate) author: Author,
}

impl Engine {
    /// Deletes finished runs and returns their number.
    ///
    /// Once it has begun, the purge continues even if the caller goes away. A shutdown stops it
    /// after the current batch.
    ///
    /// # Errors
    /// `ShuttingDown`, `Unavailable`. What was deleted by then stays deleted; a repeated call
    /// deletes the rest.
    pub(crate) async fn purge(&self, runs: PurgeRequest) -> Result<u64> {
        self.refuse_in_shutdown()?;
        check_reason(runs.reason.as_deref())?;
        let mut batch = first_batch(&self.0, &runs);
        if runs.mode == PurgeMode::Preview {
            return purge_in_batches(&self.0, batch).await;
        }
        // The caller itself waits, so one that leaves before its turn leaves no purge behind.
        let guard = exclusive(&self.0).await?;
        let PurgeRequest { reason, author, .. } = runs;
        let audited = Audited::new(AuditAction::SystemPurge, Named::System, author);
        self.audited(audited.because(reason), |shared, audited| {
            batch.audit = Some(audited.entry(AuditSubject::System, shared.clock.now()));
            delete_in_batches(shared, batch, guard)
        })
        .await
    }
}

/// Deletes finished runs for the engine itself.
///
/// # Errors
/// The same as [`Engine::purge`].
pub(super) async fn purge(shared: &Arc<Shared>, runs: &PurgeRequest) -> Result<u64> {
    let batch = first_batch(shared, runs);
    let guard = exclusive(shared).await?;
    delete_in_batches(Arc::clone(shared), batch, guard).await
}

fn first_batch(shared: &Shared, runs: &PurgeRequest) -> Purge {
    let days = TimeDelta::days(i64::from(runs.days.max(1)));
    let before = shared.clock.now().checked_sub_signed(days);
    let mut batch = Purge::new(
        before.unwrap_or(DateTime::<Utc>::MIN_UTC),
        shared.limits.purge_batch_max.max(1),
    );
    batch.keep_last = runs.keep_last;
    batch.mode = runs.mode;
    batch.scope = runs.author.scope.clone();
    batch
}

/// Waits until no other purge deletes: another must not fill the pauses of this one.
async fn exclusive(shared: &Shared) -> Result<OwnedMutexGuard<()>> {
    tokio::select! {
        biased;
        () = shared.drain.cancelled() => Err(shutting_down()),
        guard = Arc::clone(&shared.purging).lock_owned() => Ok(guard),
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
        // The first step has recorded the purge.
        batch.audit = None;
        let elapsed = shared.clock.elapsed().saturating_sub(started_at);
        if batch.mode == PurgeMode::Delete && !elapsed.is_zero() {
            tokio::select! {
                () = shared.drain.cancelled() => {}
                () = shared.clock.sleep(elapsed) => {}
            }
        }
    }
}
