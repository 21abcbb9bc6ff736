//! One thread at a time for the code of a notifier: code that blocks its thread takes no other from the host.
//!
//! How many events are on their way meanwhile is decided by `courier`.

use std::pin::pin;
use std::sync::Arc;
use std::task::ready;

use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;

/// Taken by one thread at a time. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Turn(Arc<Semaphore>);

impl Turn {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// The future, polled while no other is that shares this turn. Between polls the turn is free: futures that wait go on side by side.
    pub(super) async fn of<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut turn = PollSemaphore::new(self.0);
        std::future::poll_fn(|context| {
            // Nobody closes it: without a permit the future goes on all the same.
            let _permit = ready!(turn.poll_acquire(context));
            future.as_mut().poll(context)
        })
        .await
    }
}
