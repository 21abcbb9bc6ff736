//! Panics of code that others wrote: catches them, and reads their message.
//!
//! What follows from a panic is left to the caller.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

/// Returns the message of a panic. Forgets the payload, because dropping it may panic too.
pub(crate) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text
        .unwrap_or("with a payload that is not a string")
        .to_owned();
    std::mem::forget(payload);
    text
}

/// Logs a panic. Its text is for those who debug: it may quote a secret, and nothing masks it.
///
/// The subscriber of the log may be what panics, so a panic of its own is dropped.
pub(crate) fn trace_panic(what: &str, message: &str) {
    contain(|| {
        tracing::error!("{what}");
        tracing::debug!(message, "text of the previous panic");
    });
}

/// Calls code of the host that only observes: the subscriber of its log, or its recorder of
/// metrics. Drops its panic, which would otherwise end what is only observed.
pub(crate) fn contain(observe: impl FnOnce()) {
    drop(catch_panic_in(observe));
}

/// Calls `call` and returns the message of its panic.
pub(crate) fn catch_panic_in<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(panic_message)
}

pin_project! {
    /// A future that ends with the message of its panic.
    ///
    /// Not an `async fn`: that would hold its argument a second time beside the pinned one.
    pub(crate) struct CatchPanic<F> {
        #[pin]
        future: F,
    }
}

/// Awaits `future` and returns the message of its panic.
pub(crate) const fn catch_panic<F: Future>(future: F) -> CatchPanic<F> {
    CatchPanic { future }
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, String>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        match catch_panic_in(|| future.poll(context)) {
            Ok(poll) => poll.map(Ok),
            Err(message) => Poll::Ready(Err(message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_caught_before_and_after_an_await() {
        assert_eq!(catch_panic(async { 7 }).await, Ok(7));
        let early: Result<(), _> = catch_panic(async { panic!("early") }).await;
        assert_eq!(early, Err("early".to_owned()));
        let late = catch_panic(async {
            tokio::task::yield_now().await;
            std::panic::panic_any(7)
        });
        let text = "with a payload that is not a string".to_owned();
        let late: Result<(), _> = late.await;
        assert_eq!(late, Err(text));
    }
}
