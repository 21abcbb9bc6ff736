//! Loops that serve Floret until it stops: a panic does not end them.
//!
//! What a loop does is in the file of the loop.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::error::{catch_panic, trace_panic};

/// The pause before a loop that panicked begins again.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs a loop until it returns, or until `stop` is cancelled while it pauses.
///
/// Storage, executors and the subscriber of the log may be the host's code. If they panic in the
/// middle of a loop, it begins again.
pub(crate) async fn run<F: Future<Output = ()>>(
    clock: Clock,
    stop: CancellationToken,
    begin: impl Fn() -> F,
) {
    while let Err(panic) = catch_panic(begin()).await {
        trace_panic("a loop panicked and begins again", &panic);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = clock.sleep(PAUSE) => {}
        }
    }
}
