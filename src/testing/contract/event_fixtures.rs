//! Reads the events of a case.
//!
//! `fixtures` writes to the storage.

use crate::model::{Event, RunId};
use crate::storage::{EventFilter, Storage};

pub(crate) async fn all_events(storage: &dyn Storage) -> Vec<Event> {
    matching_events(storage, EventFilter::default()).await
}

pub(crate) async fn events_of(storage: &dyn Storage, run: RunId) -> Vec<Event> {
    let filter = EventFilter {
        run: Some(run),
        ..EventFilter::default()
    };
    matching_events(storage, filter).await
}

/// Reads all events that a filter admits, page by page.
pub(crate) async fn matching_events(storage: &dyn Storage, filter: EventFilter) -> Vec<Event> {
    let newest = storage.newest_seq().await.unwrap();
    let (mut all, mut after) = (Vec::new(), 0);
    while after < newest {
        let page = storage.events(filter.clone(), after, 10_000).await.unwrap();
        assert!(page.up_to > after, "a page covers more events");
        all.extend(page.events);
        after = page.up_to;
    }
    all
}
