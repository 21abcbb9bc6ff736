//! What a schedule does when a run of it is still under way, and why a tick of it started nothing.
//!
//! When ticks are due is decided by `cron`, what becomes of them by storage and the scheduler.

use serde::{Deserialize, Serialize};

/// What becomes of a tick while a run of the same schedule is unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Overlap {
    /// Its run waits until the earlier ones have ended.
    #[default]
    Queue,
    /// No run is made.
    Skip,
}

impl Overlap {
    pub(crate) const ALL: [Self; 2] = [Self::Queue, Self::Skip];

    /// How it is written in a definition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Skip => "skip",
        }
    }
}

/// Why the latest tick of a schedule started nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SkipReason {
    /// A run of the schedule was unfinished, and the pipeline's `overlap` is `skip`.
    Overlap,
    /// No more runs may wait.
    Blocked,
}
