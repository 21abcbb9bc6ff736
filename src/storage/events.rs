//! The storage trait for reading events from a sequence number.
//!
//! The module `events` delivers live events.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Event, EventKind, PipelineId, RunId, Scope};

/// Which events a reader wants. An event must match all conditions.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EventFilter {
    /// Events of these tenants.
    pub scope: Scope,
    /// Only events of this run.
    pub run: Option<RunId>,
    /// Only events of runs of the pipelines with this id. Each tenant in scope may have one.
    pub pipeline: Option<PipelineId>,
    /// Only events of these kinds; any kind if empty.
    pub kinds: Vec<EventKind>,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EventPage {
    /// The matching events, in the order of their numbers.
    pub events: Vec<Event>,
    /// The number after which the next page continues. All matching events up to it are in this
    /// page or in an earlier one.
    pub up_to: u64,
}

impl EventPage {
    /// Creates a page that covers the events up to this number.
    #[must_use]
    pub const fn new(events: Vec<Event>, up_to: u64) -> Self {
        Self { events, up_to }
    }
}

/// A page of the events before a number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EarlierEvents {
    /// The matching events, in the order of their numbers.
    pub events: Vec<Event>,
    /// The number before which the next page continues, or 0 if none are before. All matching
    /// events from it on are in this page or in a later one.
    pub from: u64,
}

impl EarlierEvents {
    /// Creates a page that covers the events from this number on.
    #[must_use]
    pub const fn new(events: Vec<Event>, from: u64) -> Self {
        Self { events, from }
    }
}

/// Reads stored events.
#[async_trait]
pub trait Events: Send + Sync + 'static {
    /// Returns up to `limit` events after `after`, in the order of their numbers.
    ///
    /// - A read MUST be bounded, whatever the filter admits: a page MAY end before `limit` events,
    ///   or without any. It MUST cover more events than `after`, if there are more.
    /// - If the page covers all events that were stored when the read began, `up_to` MUST be at
    ///   least the number of the newest of them.
    /// - Each event MUST carry the tenant of its run.
    /// - Once a number is readable, a smaller number MUST NOT appear later.
    /// - A number MUST NOT be used twice, even after a purge of the newest event.
    ///
    /// # Errors
    /// Returns `Unavailable` if storage cannot answer.
    async fn events(&self, filter: EventFilter, after: u64, limit: u32) -> Result<EventPage>;

    /// Returns the newest `limit` events before `before`, in the order of their numbers.
    ///
    /// - A read MUST be bounded, as that of [`Events::events`]: a page MAY have fewer events. It
    ///   MUST cover more events than `before`, if there are earlier ones.
    /// - `from` MUST be the number of the first event of a full page, and 0 if a page that is not
    ///   full covers all earlier events.
    /// - Each event MUST carry the tenant of its run.
    ///
    /// # Errors
    /// Returns `Unavailable` if storage cannot answer.
    async fn events_before(
        &self,
        filter: EventFilter,
        before: u64,
        limit: u32,
    ) -> Result<EarlierEvents>;

    /// Returns the number of the newest event, or 0 before the first.
    ///
    /// The health check of the service is this query, so that it should read what is stored.
    ///
    /// # Errors
    /// Returns `Unavailable` if storage cannot answer, or cannot write any more.
    async fn newest_seq(&self) -> Result<u64>;
}
