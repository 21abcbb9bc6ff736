//! Purges expired runs and trims the audit at the start of the engine and periodically afterwards.
//!
//! `purge` carries a purge out and leaves room for other writers.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Shared;
use super::audit::Author;
use super::purge::{self, PurgeRequest};
use crate::error::{Result, log};
use crate::model::{Retention, Scope};
use crate::storage::PurgeMode;

/// Purges and trims periodically until the engine drains.
pub(super) async fn run(shared: Arc<Shared>, retention: Retention) {
    loop {
        if let Some(days) = retention.days() {
            purge_expired(&shared, days, retention.last()).await;
        }
        match trim_audit(&shared, retention.audit_days()).await {
            Ok(()) => {}
            Err(_) if shared.drain.is_cancelled() => return,
            Err(error) => {
                log::warn!(%error, "the audit could not be trimmed; the next time retries");
            }
        }
        tokio::select! {
            biased;
            () = shared.drain.cancelled() => return,
            () = shared.clock.sleep(shared.limits.retention_pause) => {}
        }
    }
}

async fn purge_expired(shared: &Arc<Shared>, days: u32, keep_last: u32) {
    let runs = PurgeRequest {
        days,
        keep_last,
        mode: PurgeMode::Delete,
        reason: None,
        author: Author {
            scope: Scope::All,
            by: None,
        },
    };
    match purge::purge(shared, &runs).await {
        Ok(0) => {}
        Ok(deleted) => log::info!(deleted, "expired runs were purged"),
        Err(_) if shared.drain.is_cancelled() => {}
        Err(error) => {
            log::warn!(%error, "expired runs could not be purged; the next purge retries");
        }
    }
}

/// Deletes the entries of the audit that are older than this many days, in bounded steps.
async fn trim_audit(shared: &Shared, days: u32) -> Result<()> {
    let age = TimeDelta::days(i64::from(days));
    let before = shared.clock.now().checked_sub_signed(age);
    let before = before.unwrap_or(DateTime::<Utc>::MIN_UTC);
    let count_max = shared.limits.purge_batch_max.max(1);
    loop {
        let started_at = shared.clock.elapsed();
        let trimmed = shared.storage.trim_audit(before, count_max).await?;
        if trimmed < u64::from(count_max) {
            return Ok(());
        }
        // As long a pause as the step took, so that other writers are not held up.
        let elapsed = shared.clock.elapsed().saturating_sub(started_at);
        tokio::select! {
            biased;
            () = shared.drain.cancelled() => return Ok(()),
            () = shared.clock.sleep(elapsed) => {}
        }
    }
}
