//! Purges expired runs at the start of the engine and periodically afterwards.
//!
//! `purge` carries a purge out and leaves room for other writers.

use std::sync::Arc;

use super::Shared;
use super::purge::{self, PurgeRequest};
use crate::error::log;
use crate::model::{Retention, Scope};
use crate::storage::PurgeMode;

/// Purges periodically until the engine drains.
pub(super) async fn run(shared: Arc<Shared>, retention: Retention) {
    let runs = PurgeRequest {
        days: retention.days(),
        keep_last: retention.last(),
        mode: PurgeMode::Delete,
        scope: Scope::All,
    };
    loop {
        match purge::purge(&shared, &runs).await {
            Ok(0) => {}
            Ok(deleted) => log::info!(deleted, "expired runs were purged"),
            Err(_) if shared.drain.is_cancelled() => return,
            Err(error) => {
                log::warn!(%error, "expired runs could not be purged; the next purge retries")
            }
        }
        tokio::select! {
            biased;
            () = shared.drain.cancelled() => return,
            () = shared.clock.sleep(shared.limits.retention_pause) => {}
        }
    }
}
