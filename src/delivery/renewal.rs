//! Renews the claim on the cursors of all registered notifiers, so that the cursors of removed
//! notifiers expire.
//!
//! An expired cursor no longer holds up a purge. `worker` stores the progress of each notifier.

use std::sync::Arc;
use std::time::Duration;

use super::{Shared, log_expired_cursor};
use crate::error::log;
use crate::storage::CursorClaimKind;

/// How often a claim is renewed within the time that a notifier may be absent.
const RENEWALS: u32 = 28;

/// Renews the claim until delivery drains or stops.
pub(super) async fn renew_cursors(shared: Arc<Shared>, names: Vec<String>) {
    let interval = shared.limits.notifier_absent_max.checked_div(RENEWALS);
    let interval = interval.unwrap_or_default().max(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = shared.drain.cancelled() => return,
            () = shared.stop.cancelled() => return,
            () = shared.clock.sleep(interval) => {}
        }
        let mut claim = shared.claim(names.clone());
        claim.kind = CursorClaimKind::Renewal;
        match shared.storage.claim_cursors(claim).await {
            Ok(cursors) => cursors.expired.iter().for_each(log_expired_cursor),
            Err(error) => {
                log::warn!(%error, "could not renew the notifier cursors; will retry");
            }
        }
    }
}
