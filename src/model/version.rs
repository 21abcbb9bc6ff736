//! A version of a pipeline's definition, in a list.

use chrono::{DateTime, Utc};

/// A version of a pipeline, without its definition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelineVersion {
    /// The number of the version. It grows by one with each change of the definition or the slug.
    pub version: u32,
    /// When it was saved. `None` if a Floret saved it that did not record the time.
    pub created_at: Option<DateTime<Utc>>,
}

impl PipelineVersion {
    /// Creates a version that was saved at this time.
    #[must_use]
    pub const fn new(version: u32, created_at: Option<DateTime<Utc>>) -> Self {
        Self {
            version,
            created_at,
        }
    }
}
