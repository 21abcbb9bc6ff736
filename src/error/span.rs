//! Spans of the host's log, contained: a panic of the log's subscriber does not end the code that
//! only wanted to run in a span.
//!
//! `log` contains single lines. What a span contains is left to the caller.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::Span;

use super::panic::{catch_panic_in, contain};

/// A span of the host's log. It does nothing if the subscriber panicked when it was created.
#[derive(Debug)]
pub(crate) struct LogSpan(Option<Span>);

impl LogSpan {
    /// Creates a span with a macro of `tracing`.
    pub(crate) fn new(create: impl FnOnce() -> Span) -> Self {
        Self(catch_panic_in(create).ok())
    }

    /// Returns the span of the calling code.
    pub(crate) fn current() -> Self {
        Self::new(Span::current)
    }

    /// Executes `call` in the span. A panic of `call` goes on to the caller.
    pub(crate) fn in_scope<T>(&self, call: impl FnOnce() -> T) -> T {
        let Some(span) = self.0.as_ref().filter(|span| !span.is_none()) else {
            return call();
        };
        let entered = catch_panic_in(|| span.enter());
        if entered.is_err() {
            // A part of the subscriber may have entered the span.
            contain(|| {
                span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
            });
        }
        // A panic of the subscriber while one of `call` unwinds would end the process.
        let returned = catch_unwind(AssertUnwindSafe(call));
        contain(|| drop(entered));
        returned.unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// Executes `future` in the span.
    pub(crate) fn instrument<F: Future>(self, future: F) -> Instrumented<F> {
        Instrumented {
            span: self,
            future: Some(Box::pin(future)),
        }
    }
}

impl Drop for LogSpan {
    fn drop(&mut self) {
        let span = self.0.take();
        contain(|| drop(span));
    }
}

/// A future that executes in a span, and is dropped in it.
#[derive(Debug)]
pub(crate) struct Instrumented<F> {
    span: LogSpan,
    // `None` only while it is dropped.
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { span, future } = &mut *self;
        match future {
            Some(future) => span.in_scope(|| future.as_mut().poll(context)),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Instrumented<F> {
    fn drop(&mut self) {
        let Self { span, future } = self;
        let future = future.take();
        span.in_scope(|| drop(future));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// A subscriber that records the calls that concern spans, and panics at one of them.
    #[derive(Clone)]
    struct Panicking {
        at: &'static str,
        calls: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Panicking {
        fn called(&self, method: &'static str) {
            self.calls.lock().push(method);
            assert_ne!(method, self.at, "the log is full");
        }
    }

    impl Subscriber for Panicking {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            self.called("new");
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {}

        fn enter(&self, _: &Id) {
            self.called("enter");
        }

        fn exit(&self, _: &Id) {
            self.called("exit");
        }

        fn try_close(&self, _: Id) -> bool {
            self.called("close");
            true
        }
    }

    /// Executes a future in a span, and a second one that panics. Returns the calls.
    fn calls(at: &'static str) -> Vec<&'static str> {
        let log = Panicking {
            at,
            calls: Arc::default(),
        };
        let calls = Arc::clone(&log.calls);
        tracing::subscriber::with_default(log, || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let span = || LogSpan::new(|| tracing::info_span!("run"));
            let runtime = runtime.unwrap();
            assert_eq!(runtime.block_on(span().instrument(async { 7 })), 7);
            let broken = span().instrument(async { panic!("broken") });
            let broken = catch_panic_in(|| runtime.block_on(broken));
            assert_eq!(broken, Err::<(), _>("broken".to_owned()));
        });
        let calls = calls.lock();
        calls.clone()
    }

    #[test]
    fn no_panic_of_a_span_reaches_its_code_and_no_panic_of_the_code_is_lost() {
        const WHOLE: [&str; 6] = ["new", "enter", "exit", "enter", "exit", "close"];
        for at in ["nothing", "enter", "exit", "close"] {
            // A span that is entered is left again, also after a panic.
            assert_eq!(calls(at), [WHOLE, WHOLE].concat(), "{at}");
        }
        assert_eq!(calls("new"), ["new", "new"]);
    }
}
