//! The choice of the pipelines whose schedules fire.
//!
//! The scheduler fires them.

use super::{Managed, StoredPipeline};

/// The stored pipelines whose schedules fire.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum ScheduledPipelines {
    /// All of them.
    #[default]
    All,
    /// Those that the host's code manages.
    OfCode,
    /// None.
    None,
}

impl ScheduledPipelines {
    pub(crate) fn contains(self, pipeline: &StoredPipeline) -> bool {
        match self {
            Self::All => true,
            Self::OfCode => pipeline.managed == Managed::Code,
            Self::None => false,
        }
    }
}
