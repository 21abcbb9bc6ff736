//! Events before a number: their order, the filters of a reader, and where a page continues.
//!
//! `events` covers those after a number.

use super::fixtures::{
    create, log_line, new_run, pending_run, pipeline_id, purge_all, run_finished, run_id, save_for,
    scope, started_run,
};
use crate::model::{Event, EventKind, RunStatus};
use crate::storage::{EarlierEvents, EventFilter, Storage};

async fn page(
    storage: &dyn Storage,
    filter: &EventFilter,
    before: u64,
    limit: u32,
) -> (Vec<u64>, u64) {
    let page = storage.events_before(filter.clone(), before, limit).await;
    let EarlierEvents { events, from } = page.unwrap();
    (events.iter().map(|event| event.seq).collect(), from)
}

/// A reader MUST get the newest events before its number, in order. A number and a limit can fall
/// into the middle of an append.
pub async fn a_reader_gets_the_newest_events_before_its_number(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let lines = ["a", "b", "c", "d"].map(|text| log_line(None, text));
    driver.append(storage, lines).await;
    pending_run(storage, 2).await;
    let all = EventFilter::default();
    assert_eq!(page(storage, &all, u64::MAX, 3).await, (vec![5, 6, 7], 5));
    assert_eq!(page(storage, &all, 5, 2).await, (vec![3, 4], 3));
    assert_eq!(page(storage, &all, 3, 9).await, (vec![1, 2], 0));
    let mut own = all.clone();
    own.run = Some(driver.run);
    assert_eq!(page(storage, &own, 8, 1).await, (vec![6], 6));
    assert_eq!(page(storage, &own, 6, 2).await, (vec![4, 5], 4));
    let same = storage.events(own.clone(), 3, 2).await.unwrap().events;
    let found = storage.events_before(own, 6, 2).await.unwrap().events;
    assert_eq!(found, same, "whole events");
}

/// A page MUST begin at its first event if it is full, and at 0 if none are before it.
pub async fn a_page_returns_the_number_that_it_begins_with(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let lines = ["a", "b", "c"].map(|text| log_line(None, text));
    driver.append(storage, lines).await;
    let all = EventFilter::default();
    assert_eq!(page(storage, &all, 6, 5).await, (vec![1, 2, 3, 4, 5], 1));
    assert_eq!(page(storage, &all, 6, 6).await, (vec![1, 2, 3, 4, 5], 0));
    for before in [0, 1] {
        assert_eq!(page(storage, &all, before, 5).await, (vec![], 0));
    }
    let none = EventFilter {
        run: Some(run_id(9)),
        ..EventFilter::default()
    };
    assert_eq!(page(storage, &none, 6, 5).await, (vec![], 0));
    let kind = EventFilter {
        kinds: vec![EventKind::RunCreated],
        ..EventFilter::default()
    };
    assert_eq!(page(storage, &kind, 6, 5).await, (vec![1], 0));
    assert_eq!(page(storage, &kind, 6, 1).await, (vec![1], 1));
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(page(storage, &all, 99, 5).await, (vec![], 0));
}

/// The filters by run, pipeline, kind and tenant MUST apply together.
pub async fn all_filters_apply_together(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    save_for(storage, "hourly", "ben").await;
    let mut driver = started_run(storage, 1).await;
    driver
        .append(storage, [log_line(None, "one"), log_line(None, "two")])
        .await;
    create(storage, new_run(2, "hourly")).await.unwrap();
    create(storage, new_run(3, "daily")).await.unwrap();
    let mut filter = EventFilter {
        pipeline: Some(pipeline_id("daily")),
        ..EventFilter::default()
    };
    assert_eq!(page(storage, &filter, 9, 9).await, (vec![1, 2, 3, 4, 6], 0));
    filter.kinds = vec![EventKind::RunCreated, EventKind::Log];
    assert_eq!(page(storage, &filter, 6, 2).await, (vec![3, 4], 3));
    filter.run = Some(run_id(3));
    assert_eq!(page(storage, &filter, 9, 9).await, (vec![6], 0));
    for (tenant, expected) in [("ann", &[1, 2, 3, 4, 6][..]), ("ben", &[5]), ("cy", &[])] {
        let own = EventFilter {
            scope: scope(tenant),
            ..EventFilter::default()
        };
        assert_eq!(page(storage, &own, 9, 9).await, (expected.to_vec(), 0));
    }
    let foreign = EventFilter {
        scope: scope("ben"),
        run: Some(driver.run),
        ..EventFilter::default()
    };
    assert_eq!(page(storage, &foreign, 9, 9).await, (vec![], 0));
}

/// A reader that continues where each page begins MUST get every matching event, however many
/// others there are between them.
pub async fn a_filtered_reader_gets_every_earlier_event(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    for _ in 0..60 {
        let lines: Vec<_> = (0..100).map(|_| log_line(None, "line")).collect();
        driver.append(storage, lines).await;
    }
    let filter = EventFilter {
        kinds: vec![EventKind::RunCreated, EventKind::RunStarted],
        ..EventFilter::default()
    };
    let (mut found, mut before) = (Vec::new(), u64::MAX);
    while before > 0 {
        let page = storage.events_before(filter.clone(), before, 9).await;
        let EarlierEvents { events, from } = page.unwrap();
        assert!(from < before, "the reader gets on");
        before = from;
        found.extend(events.iter().rev().map(|event: &Event| event.seq));
    }
    assert_eq!(found, [2, 1]);
}
