//! A log in two parts: lines at `info` and above, and lines below.
//!
//! What each part may hold is left to the tests.

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::{MakeWriter, fmt};

use crate::harness::CapturedTrace;

/// The two parts of a log. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Levels {
    /// Lines at `info` and above, which a host logs by default.
    pub(super) loud: CapturedTrace,
    /// Lines at `debug` and below, which a host logs to find a cause.
    pub(super) quiet: CapturedTrace,
}

impl<'a> MakeWriter<'a> for Levels {
    type Writer = CapturedTrace;

    fn make_writer(&'a self) -> CapturedTrace {
        self.loud.clone()
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> CapturedTrace {
        if *meta.level() <= Level::INFO {
            self.loud.clone()
        } else {
            self.quiet.clone()
        }
    }
}

impl Levels {
    /// Captures what this thread traces, down to `debug`, until the guard is dropped.
    pub(super) fn capture(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = fmt()
            .with_ansi(false)
            .with_max_level(Level::DEBUG)
            .with_writer(self.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }
}
