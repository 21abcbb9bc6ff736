//! Shutdown: nothing new, a grace for what executes, the rest given back.
//!
//! Dropping an engine without it loses nothing: its runs go on at the next start.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::events::Events;

/// Ends the engine's tasks when the last handle of it is dropped. It waits for nothing: runs give themselves back as far as the runtime lets them.
#[derive(Debug)]
pub(super) struct EndOnDrop {
    pub(super) drain: CancellationToken,
    pub(super) stop: CancellationToken,
    pub(super) events: Events,
    pub(super) dropped: CancellationToken,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.drain.cancel();
        self.stop.cancel();
        self.events.close();
        self.dropped.cancel();
    }
}

impl Engine {
    /// Stops executing runs. Nodes get `grace` to end; what is left goes on at the next start, uncharged. Repeating it is harmless.
    pub(crate) async fn shutdown(&self, grace: Duration) {
        let shared = &self.0;
        shared.drain.cancel();
        shared.tasks.close();
        if shared
            .clock
            .timeout(grace, shared.active.none_left())
            .await
            .is_none()
        {
            tracing::warn!(
                runs = shared.active.count(),
                "the grace is over; what still executes is dropped"
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
            tracing::warn!(
                abandoned,
                "some code of executors does not yield and was left behind"
            );
        }
    }

    /// Attempts that could not be dropped since their code does not yield.
    pub(crate) fn abandoned(&self) -> u64 {
        self.0.abandoned.load(Ordering::Relaxed)
    }
}
