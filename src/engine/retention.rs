//! The engine's own purge: at its start and from time to time it deletes what the host's retention does not keep.
//!
//! How a purge spares writers is left to `purge`.

use std::sync::Arc;

use super::Shared;
use super::purge::{self, PurgeRequest};
use crate::model::{Retention, Scope};
use crate::storage::PurgeMode;

/// Purges until the engine drains.
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
            Ok(deleted) => tracing::info!(deleted, "runs that are kept no longer were purged"),
            Err(_) if shared.drain.is_cancelled() => return,
            Err(error) => {
                tracing::warn!(%error, "old runs could not be purged; it is tried again at the next turn")
            }
        }
        tokio::select! {
            biased;
            () = shared.drain.cancelled() => return,
            () = shared.clock.sleep(shared.limits.retention_pause) => {}
        }
    }
}
