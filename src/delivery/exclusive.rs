//! Lets one thread at a time run the code of a notifier, so that blocking code takes one thread
//! only.
//!
//! `worker` decides how many events are in flight.

use std::pin::pin;
use std::sync::Arc;
use std::task::ready;

use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;

/// Exclusive execution: futures that share it are never polled at the same time. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Exclusive(Arc<Semaphore>);

impl Exclusive {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Runs a future and polls it only while no other future of this group is polled.
    ///
    /// The group is free between polls, so futures that wait still make progress side by side.
    pub(super) async fn run<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut semaphore = PollSemaphore::new(self.0);
        std::future::poll_fn(|context| {
            // The semaphore is never closed. Without a permit the future would run all the same.
            let _permit = ready!(semaphore.poll_acquire(context));
            future.as_mut().poll(context)
        })
        .await
    }
}
