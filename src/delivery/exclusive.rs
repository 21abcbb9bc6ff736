//! Lets one thread at a time run the code of a notifier, so that blocking code takes one thread
//! only.
//!
//! `worker` decides how many events are in flight. `stopwatch` counts the time of an attempt.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;

use super::stopwatch::Stopwatch;

/// Exclusive execution: futures that share it are never polled at the same time. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Exclusive(Arc<Semaphore>);

impl Exclusive {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Runs a future and polls it only while no other future of this group is polled.
    ///
    /// The group is free between polls, so futures that wait still make progress side by side. The
    /// stopwatch stands still while the future waits for the group.
    pub(super) async fn run<F: Future>(self, stopwatch: Stopwatch, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut semaphore = PollSemaphore::new(self.0);
        std::future::poll_fn(|context| {
            // The semaphore is never closed. Without a permit the future would run all the same.
            let Poll::Ready(_permit) = semaphore.poll_acquire(context) else {
                stopwatch.pause();
                return Poll::Pending;
            };
            stopwatch.start();
            future.as_mut().poll(context)
        })
        .await
    }
}
