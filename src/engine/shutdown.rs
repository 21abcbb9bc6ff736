//! Shutdown: starts nothing more, gives executing nodes a grace, and releases the other runs.
//!
//! An engine that is dropped without a shutdown loses nothing: its runs resume at the next start.
//! How a run is released is in `driver/stopping` and `queue`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::error::log;
use crate::events::Events;

/// Stops the engine's tasks when the last handle to it is dropped.
///
/// The drop waits for nothing: runs are released as far as the runtime still polls their tasks.
#[derive(Debug)]
pub(super) struct ShutdownOnDrop {
    pub(super) drain: CancellationToken,
    pub(super) stop: CancellationToken,
    pub(super) events: Events,
    pub(super) dropped: CancellationToken,
}

impl Drop for ShutdownOnDrop {
    fn drop(&mut self) {
        self.drain.cancel();
        self.stop.cancel();
        self.events.close();
        self.dropped.cancel();
    }
}

impl Engine {
    /// Stops executing runs. Calling it again has no further effect.
    ///
    /// Executing nodes have `grace` to finish. Unfinished runs are released and resume at the next
    /// start; the release does not count as a crash.
    pub(crate) async fn shutdown(&self, grace: Duration) {
        let shared = &self.0;
        shared.drain.cancel();
        shared.tasks.close();
        if shared
            .clock
            .timeout(grace, shared.active.wait_until_empty())
            .await
            .is_none()
        {
            log::warn!(
                runs = shared.active.count(),
                "the grace has passed; nodes that still execute are dropped"
            );
        }
        shared.stop.cancel();
        if shared
            .clock
            .timeout(shared.limits.stop_grace, shared.tasks.wait())
            .await
            .is_none()
        {
            let abandoned = shared.abandoned.load(Ordering::Relaxed);
            log::warn!(abandoned, "some executors do not yield and were abandoned");
        }
    }

    /// Returns how many attempts were abandoned, since their code does not yield.
    pub(crate) fn abandoned(&self) -> u64 {
        self.0.abandoned.load(Ordering::Relaxed)
    }
}
