//! Wakes a notifier that sleeps until it is first needed, so that it costs nothing before.
//!
//! `delivery` starts its worker. Storage remembers that it has begun: it has a cursor from then on.

use tokio::sync::watch;

/// Whether the notifier has been needed.
#[derive(Debug, Default)]
pub(crate) struct Awakening(
    // A watch, so that a waiter that comes late is not missed.
    watch::Sender<bool>,
);

impl Awakening {
    /// The name of the notifier that calls the hooks of pipelines.
    pub(crate) const HOOKS: &'static str = "pipeline-hooks";

    /// Wakes the notifier. Its cursor MUST be stored before.
    pub(crate) fn wake(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_awake(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the notifier is needed.
    pub(crate) async fn awoken(&self) {
        // The sender is `self`, so the wait cannot fail.
        drop(self.0.subscribe().wait_for(|is_awake| *is_awake).await);
    }
}
