//! The choice of the pipelines whose schedules fire.
//!
//! The scheduler fires them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{StoredPipeline, TenantId};

/// The stored pipelines whose schedules fire.
#[derive(Debug, Clone, Default)]
pub(crate) enum ScheduledPipelines {
    /// All of them.
    #[default]
    All,
    /// The pipelines with these tenants and ids: those of the host's code.
    Only(Arc<BTreeSet<(Option<TenantId>, String)>>),
}

impl ScheduledPipelines {
    pub(crate) fn contains(&self, pipeline: &StoredPipeline) -> bool {
        match self {
            Self::All => true,
            Self::Only(pipelines) => {
                let id = pipeline.id.as_str().to_owned();
                pipelines.contains(&(pipeline.tenant.clone(), id))
            }
        }
    }
}
