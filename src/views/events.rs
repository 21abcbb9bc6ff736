//! The range of stored events, for clients that resume a stream.
//!
//! The crate's module `events` delivers the events themselves.

use super::Views;
use crate::error::Result;
use crate::model::Scope;

/// The range of sequence numbers that storage still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventSpan {
    /// Events up to this number may have been purged.
    pub(crate) purged: u64,
    /// The sequence number of the newest event.
    pub(crate) newest: u64,
}

impl Views {
    /// The range of sequence numbers that storage still holds.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    pub(crate) async fn event_span(&self) -> Result<EventSpan> {
        let purged = self.storage.stats(&Scope::All).await?.purged_seq;
        let newest = self.storage.newest_seq().await?;
        Ok(EventSpan { purged, newest })
    }
}
