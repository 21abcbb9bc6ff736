//! The options of a memory storage.
//!
//! `purge` applies them.

use crate::limits::Limits;

/// The options of a [`MemoryStorage`](super::MemoryStorage).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// The maximum number of finished runs that are retained. Beyond it, the earliest finished runs
    /// are purged at any age.
    pub runs_max: usize,
    /// Whether finished runs keep all outputs that were stored, and not only those that the
    /// contract demands.
    pub keeps_outputs: bool,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            runs_max: Limits::default().memory_runs_max,
            keeps_outputs: false,
        }
    }
}

impl MemoryOptions {
    /// Sets the maximum number of finished runs that are retained.
    #[must_use]
    pub const fn runs_max(mut self, runs_max: usize) -> Self {
        self.runs_max = runs_max;
        self
    }

    /// Keeps all outputs of finished runs until the runs are purged, for tests that read them.
    #[must_use]
    pub const fn keep_outputs(mut self) -> Self {
        self.keeps_outputs = true;
        self
    }
}
