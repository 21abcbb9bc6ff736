//! Stored events, read from a sequence number on.
//!
//! Live delivery is left to the module `events`.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Event, EventKind, PipelineId, RunId, Scope};

/// Which events a reader wants; all conditions together.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EventFilter {
    /// Whose.
    pub scope: Scope,
    /// Only of this run.
    pub run: Option<RunId>,
    /// Only of runs of this pipeline.
    pub pipeline: Option<PipelineId>,
    /// Only of these kinds; empty: any.
    pub kinds: Vec<EventKind>,
}

/// Stored events.
#[async_trait]
pub trait Events: Send + Sync + 'static {
    /// Up to `limit` events after `after`, in the order of their numbers. Each MUST carry the tenant of its run.
    ///
    /// Once a number is readable no smaller one MUST appear later; a number MUST NOT be used twice, not after a purge of the newest either.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn events(&self, filter: EventFilter, after: u64, limit: u32) -> Result<Vec<Event>>;

    /// The number of the newest event, 0 before the first.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn newest_seq(&self) -> Result<u64>;
}
