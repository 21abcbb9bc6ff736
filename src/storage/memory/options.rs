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
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            runs_max: Limits::default().memory_runs_max,
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
}
