//! A run that a later one has replaced.
//!
//! `runs` and `schedules` say when one is.

use crate::model::{RunId, RunStatus};

/// A run that a later one has replaced: that of a later tick, or of its concurrency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplacedRun {
    /// The run.
    pub run: RunId,
    /// Its status: `cancelled`, or `running` while its nodes stop.
    pub status: RunStatus,
}

impl ReplacedRun {
    /// Creates a run with its status.
    #[must_use]
    pub const fn new(run: RunId, status: RunStatus) -> Self {
        Self { run, status }
    }
}
