//! Notes now and then which notifiers are here, so that a name that is gone does not hold up purge for ever.
//!
//! How far each has got is stored by its courier.

use std::sync::Arc;
use std::time::Duration;

use super::{Shared, warn_of};
use crate::storage::Attendance;

/// Parts of the time that a name may be absent; a note in each.
const NOTES: u32 = 28;

/// Notes it until the delivery ends.
pub(super) async fn keep(shared: Arc<Shared>, names: Vec<String>) {
    let pause = shared.limits.notifier_absent_max.checked_div(NOTES);
    let pause = pause.unwrap_or_default().max(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = shared.drain.cancelled() => return,
            () = shared.stop.cancelled() => return,
            () = shared.clock.sleep(pause) => {}
        }
        let mut claim = shared.claim(names.clone());
        claim.attendance = Attendance::Stays;
        match shared.storage.claim_cursors(claim).await {
            Ok(places) => places.lost.iter().for_each(warn_of),
            Err(error) => {
                tracing::warn!(%error, "it could not be noted which notifiers are here; it is tried again");
            }
        }
    }
}
