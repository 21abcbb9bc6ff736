//! How much a memory storage keeps.
//!
//! `purge` applies it.

use crate::limits::Limits;

/// How much a [`MemoryStorage`](super::MemoryStorage) keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// Finished runs that are kept; the longest finished are purged beyond it, at any age.
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
    /// Sets how many finished runs are kept.
    #[must_use]
    pub const fn runs_max(mut self, runs_max: usize) -> Self {
        self.runs_max = runs_max;
        self
    }
}
