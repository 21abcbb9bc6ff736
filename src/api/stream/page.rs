//! What a stream does with a page of stored events that it has read.

use std::time::Duration;

use crate::error::{Problem, Result, log};
use crate::events::{Feed, FeedPage};

/// The pause after a failed read. Not `outage::retry_while_unavailable`: heartbeats go on
/// meanwhile, and the feed says anew what to read.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// The fate of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// Its events can be taken.
    Accepted,
    /// The read failed for now. Another one follows after [`RETRY`].
    Unavailable,
    /// A purge removed events that the client does not have yet.
    Expired,
    /// Events cannot be read.
    Unreadable,
}

impl Page {
    /// Gives a page to the feed. Logs why it cannot be read.
    pub(super) fn accept(feed: &mut Feed, page: Result<FeedPage>) -> Self {
        match feed.accept_page(page) {
            Ok(()) => Self::Accepted,
            Err(error) if error.problem() == Problem::EventsExpired => Self::Expired,
            Err(error) if error.kind().is_transient() => {
                log::debug!(%error, "events could not be read for a stream; the read is retried");
                Self::Unavailable
            }
            Err(error) => {
                log::warn!(%error, "events cannot be read for a stream");
                Self::Unreadable
            }
        }
    }
}
