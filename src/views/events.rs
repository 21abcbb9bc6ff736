//! Which events storage has, for readers that want to go on where they were.
//!
//! The events themselves are handed on by the module `events` of the crate.

use super::Views;
use crate::error::Result;
use crate::model::Scope;

/// From where to where events can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventSpan {
    /// Nothing after this number was purged.
    pub(crate) purged: u64,
    /// The number of the newest event.
    pub(crate) newest: u64,
}

impl Views {
    /// From where to where events can be had.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    pub(crate) async fn event_span(&self) -> Result<EventSpan> {
        let purged = self.storage.stats(&Scope::All).await?.purged_seq;
        let newest = self.storage.newest_seq().await?;
        Ok(EventSpan { purged, newest })
    }
}
