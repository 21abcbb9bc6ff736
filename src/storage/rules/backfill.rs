//! What becomes of a backfill when a run of it ends.
//!
//! Where its numbers are kept is left to the backends.

use crate::model::{BackfillStatus, RunStatus};

/// How the runs of a backfill ended so far, the purged ones too.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::storage) struct Ends {
    pub(in crate::storage) failed: u64,
    pub(in crate::storage) cancelled: u64,
}

impl Ends {
    /// Counts one more end.
    pub(in crate::storage) const fn note(&mut self, status: RunStatus) {
        match status {
            RunStatus::Failed => self.failed += 1,
            RunStatus::Cancelled => self.cancelled += 1,
            RunStatus::Pending | RunStatus::Running | RunStatus::Success => {}
        }
    }

    /// Whether so many runs failed that the rest is cancelled.
    pub(in crate::storage) fn reach(self, max_failures: Option<u32>) -> bool {
        max_failures.is_some_and(|max| self.failed >= u64::from(max.max(1)))
    }

    /// How a backfill ends whose runs all ended so.
    pub(in crate::storage) const fn status(self) -> BackfillStatus {
        if self.failed > 0 {
            BackfillStatus::Failed
        } else if self.cancelled > 0 {
            BackfillStatus::Cancelled
        } else {
            BackfillStatus::Success
        }
    }
}
