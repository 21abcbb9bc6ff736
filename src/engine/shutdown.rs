//! Shutdown: nothing new, a grace for what executes, the rest given back.
//!
//! Dropping an engine without it loses nothing: its runs are orphans of the next start.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Engine;

impl Engine {
    /// Stops executing runs. Nodes get `grace` to end; what is left goes on at the next start, uncharged. Repeating it is harmless.
    pub(crate) async fn shutdown(&self, grace: Duration) {
        let shared = &self.0;
        shared.drain.cancel();
        shared.tasks.close();
        if shared
            .clock
            .timeout(grace, shared.runs_left())
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

impl super::Shared {
    /// Resolves once no run is under way.
    async fn runs_left(&self) {
        while self.active.count() > 0 {
            self.wake.notified().await;
        }
    }
}
