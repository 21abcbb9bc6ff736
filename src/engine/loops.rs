//! The loops of an engine: a panic does not end them.
//!
//! What a loop does is in the file of the loop.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::error::{catch_panic, trace_panic};

/// The pause before a loop that panicked begins again.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs a loop until it returns, or until the engine stops.
///
/// Storage, executors and the subscriber of the log may be the host's code. If they panic in the
/// middle of a loop, it begins again.
pub(super) async fn run<F: Future<Output = ()>>(shared: Arc<Shared>, begin: impl Fn() -> F) {
    while let Err(panic) = catch_panic(begin()).await {
        trace_panic("a loop of the engine panicked and begins again", &panic);
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            () = shared.clock.sleep(PAUSE) => {}
        }
    }
}
