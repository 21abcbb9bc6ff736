//! What was traced at `info` and above, and what below, each on its own.
//!
//! What may stand in which is told by the tests.

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::{MakeWriter, fmt};

use crate::harness::CapturedTrace;

/// The two parts of a log. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Levels {
    /// At `info` and above: what a host has by default.
    pub(super) loud: CapturedTrace,
    /// At `debug` and below: what a host has that looks for a cause.
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
    /// Writes down what this thread traces, down to `debug`, until the guard is dropped.
    pub(super) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = fmt()
            .with_ansi(false)
            .with_max_level(Level::DEBUG)
            .with_writer(self.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }
}
