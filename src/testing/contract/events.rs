//! The order of events, and the filters of a reader.
//!
//! The cases of each change cover its event.

use std::sync::atomic::{AtomicU64, Ordering};

use super::fixtures::{
    Driver, all_events, at, claim, create, events_of, finished_run, log_line, matching_events,
    new_run, node_finished, node_started, pending_run, pipeline_id, purge_all, run_finished,
    run_id, save, save_for, scope, started_run,
};
use super::threads::{at_once, block_on};
use crate::model::{Cancel, EventKind, NodeStatus, RunStatus};
use crate::storage::{CancelRequest, EventFilter, Storage};

async fn seqs(storage: &dyn Storage, filter: EventFilter, after: u64, limit: u32) -> Vec<u64> {
    let events = storage.events(filter, after, limit).await.unwrap().events;
    events.iter().map(|event| event.seq).collect()
}

/// Sequence numbers MUST start at 1 and grow by one over all runs.
pub async fn sequence_numbers_start_at_one_without_gaps(storage: &dyn Storage) {
    let mut first = started_run(storage, 1).await;
    first
        .append(storage, [node_started(0, 1), log_line(None, "one")])
        .await;
    let second = pending_run(storage, 2).await;
    let cancel = CancelRequest::new(second, Cancel::Plain, at(50));
    storage.request_cancel(cancel).await.unwrap();
    first
        .append(storage, [run_finished(1, RunStatus::Failed)])
        .await;
    let seqs = seqs(storage, EventFilter::default(), 0, 100).await;
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6, 7]);
}

/// Every write MUST return the newest sequence number, whose event is readable by then.
pub async fn every_write_returns_the_newest_sequence_number(storage: &dyn Storage) {
    assert_eq!(storage.newest_seq().await.unwrap(), 0);
    save(storage, "daily").await;
    let created = create(storage, new_run(1, "daily")).await.unwrap().seq;
    assert_eq!((created, storage.newest_seq().await.unwrap()), (1, 1));
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    assert_eq!((claims.seq, storage.newest_seq().await.unwrap()), (2, 2));
    let mut driver = Driver::new(&claims.claimed[0]);
    let outcome = driver
        .append(storage, [log_line(None, "one"), log_line(None, "two")])
        .await;
    assert_eq!((outcome.seq, storage.newest_seq().await.unwrap()), (4, 4));
    let cancel = CancelRequest::new(driver.run, Cancel::Plain, at(50));
    let cancelled = storage.request_cancel(cancel).await.unwrap();
    assert_eq!(cancelled.seq, 5);
    assert_eq!(
        all_events(storage).await.last().map(|event| event.seq),
        Some(5)
    );
}

/// A reader MUST get the events after its sequence number, up to its limit. A limit can fall into
/// the middle of an append.
pub async fn a_reader_gets_the_events_after_its_sequence_number(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let lines = ["a", "b", "c", "d"].map(|text| log_line(None, text));
    driver.append(storage, lines).await;
    let all = EventFilter::default;
    assert_eq!(seqs(storage, all(), 0, 2).await, [1, 2]);
    assert_eq!(seqs(storage, all(), 3, 2).await, [4, 5]);
    assert_eq!(seqs(storage, all(), 4, 100).await, [5, 6]);
    assert_eq!(seqs(storage, all(), 6, 100).await, [0; 0]);
    assert_eq!(seqs(storage, all(), u64::MAX, 100).await, [0; 0]);
    let mut filter = all();
    filter.run = Some(driver.run);
    assert_eq!(seqs(storage, filter, 4, 1).await, [5]);
}

/// The filters by run, pipeline, kind and tenant MUST apply together.
pub async fn all_filters_apply_together(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    save_for(storage, "hourly", "ben").await;
    let mut driver = started_run(storage, 1).await;
    driver
        .append(
            storage,
            [
                node_started(0, 1),
                log_line(None, "one"),
                log_line(None, "two"),
            ],
        )
        .await;
    create(storage, new_run(2, "hourly")).await.unwrap();
    create(storage, new_run(3, "daily")).await.unwrap();
    let all = EventFilter::default;
    let mut by_pipeline = all();
    by_pipeline.pipeline = Some(pipeline_id("daily"));
    assert_eq!(
        seqs(storage, by_pipeline.clone(), 0, 100).await,
        [1, 2, 3, 4, 5, 7]
    );
    by_pipeline.kinds = vec![EventKind::RunCreated, EventKind::Log];
    assert_eq!(
        seqs(storage, by_pipeline.clone(), 0, 100).await,
        [1, 4, 5, 7]
    );
    assert_eq!(seqs(storage, by_pipeline.clone(), 1, 2).await, [4, 5]);
    by_pipeline.run = Some(run_id(3));
    assert_eq!(seqs(storage, by_pipeline.clone(), 0, 100).await, [7]);
    by_pipeline.run = Some(run_id(2));
    assert_eq!(seqs(storage, by_pipeline, 0, 100).await, [0; 0]);
    for (tenant, expected) in [("ann", &[1, 2, 3, 4, 5, 7][..]), ("ben", &[6]), ("cy", &[])] {
        let mut filter = all();
        filter.scope = scope(tenant);
        assert_eq!(seqs(storage, filter, 0, 100).await, expected);
    }
    let mut filter = all();
    (filter.scope, filter.run) = (scope("ben"), Some(driver.run));
    assert_eq!(seqs(storage, filter, 0, 100).await, [0; 0]);
}

/// An event MUST carry the tenant of its run, or no tenant if the run has none.
pub async fn an_event_carries_the_tenant_of_its_run(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    save(storage, "hourly").await;
    let mut driver = started_run(storage, 1).await;
    driver
        .append(storage, [node_started(0, 1), log_line(None, "one")])
        .await;
    create(storage, new_run(2, "hourly")).await.unwrap();
    let tenants = |events: Vec<crate::model::Event>| -> Vec<_> {
        let tenants = events.into_iter().map(|event| event.tenant);
        tenants
            .map(|tenant| tenant.map(|tenant| tenant.to_string()))
            .collect()
    };
    assert_eq!(
        tenants(events_of(storage, driver.run).await),
        vec![Some("ann".to_owned()); 4]
    );
    assert_eq!(tenants(events_of(storage, run_id(2)).await), [None]);
}

/// A sequence number MUST NOT be used twice, even after a purge of the newest event.
pub async fn a_sequence_number_is_never_reused(storage: &dyn Storage) {
    finished_run(storage, 1, RunStatus::Success).await;
    let newest = storage.newest_seq().await.unwrap();
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(all_events(storage).await, []);
    assert_eq!(storage.newest_seq().await.unwrap(), newest);
    pending_run(storage, 2).await;
    let first = all_events(storage).await[0].seq;
    assert_eq!(first, newest + 1);
}

/// A purge MUST delete the events of its runs and no others.
pub async fn a_purge_deletes_the_events_of_its_runs(storage: &dyn Storage) {
    let mut active = started_run(storage, 1).await;
    active.append(storage, [node_started(0, 1)]).await;
    let purged = finished_run(storage, 2, RunStatus::Failed).await;
    active
        .append(storage, [node_finished(0, NodeStatus::Success)])
        .await;
    let before = events_of(storage, active.run).await;
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(events_of(storage, purged).await, []);
    assert_eq!(events_of(storage, active.run).await, before);
    assert_eq!(all_events(storage).await, before);
}

/// A page MUST end at its last event if it is full, and otherwise at the newest event or later.
pub async fn a_page_returns_the_number_that_it_covers(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let lines = ["a", "b", "c"].map(|text| log_line(None, text));
    driver.append(storage, lines).await;
    pending_run(storage, 2).await;
    let page = async |filter: &EventFilter, after, limit| {
        let page = storage.events(filter.clone(), after, limit).await.unwrap();
        (page.events.len(), page.up_to)
    };
    let all = EventFilter::default();
    assert_eq!(page(&all, 0, 4).await, (4, 4));
    assert_eq!(page(&all, 4, 2).await, (2, 6));
    assert_eq!(page(&all, 0, 7).await, (6, 6));
    assert_eq!(page(&all, 6, 7).await, (0, 6));
    assert_eq!(page(&all, 9, 7).await, (0, 9), "never below its start");
    let none = EventFilter {
        run: Some(run_id(9)),
        ..EventFilter::default()
    };
    assert_eq!(page(&none, 1, 7).await, (0, 6));
    let kind = EventFilter {
        kinds: vec![EventKind::RunCreated],
        ..EventFilter::default()
    };
    assert_eq!(page(&kind, 0, 1).await, (1, 1));
    assert_eq!(page(&kind, 1, 7).await, (1, 6), "beyond its last event");
}

/// A reader that continues where each page ends MUST get every matching event, however many others
/// there are between them.
pub async fn a_filtered_reader_gets_every_matching_event(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    for _ in 0..60 {
        let lines: Vec<_> = (0..100).map(|_| log_line(None, "line")).collect();
        driver.append(storage, lines).await;
    }
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    let filter = EventFilter {
        kinds: vec![EventKind::RunStarted, EventKind::RunCompleted],
        ..EventFilter::default()
    };
    let found = matching_events(storage, filter).await;
    let found: Vec<_> = found.iter().map(|event| event.seq).collect();
    assert_eq!(found, [2, 6_003]);
}

/// Once a number is readable, no smaller one MUST appear: a reader that polls while others write
/// MUST get every event in order.
pub async fn no_smaller_sequence_number_appears_later(storage: &dyn Storage) {
    const WRITERS: u64 = 4;
    const RUNS: u64 = 25;
    save(storage, "daily").await;
    let written = AtomicU64::new(0);
    let write = async |writer: u64| {
        for index in 0..RUNS {
            let run = new_run(writer * RUNS + index, "daily");
            create(storage, run).await.unwrap();
        }
        written.fetch_add(1, Ordering::SeqCst);
    };
    let read = async || {
        let (mut seqs, mut after) = (Vec::new(), 0);
        loop {
            let is_last = written.load(Ordering::SeqCst) == WRITERS;
            let page = storage.events(EventFilter::default(), after, 10).await;
            let page = page.unwrap();
            seqs.extend(page.events.iter().map(|event| event.seq));
            after = page.up_to;
            if is_last && page.events.is_empty() {
                return seqs;
            }
        }
    };
    let results = at_once(WRITERS + 1, |n| {
        if n <= WRITERS {
            block_on(write(n));
            return Vec::new();
        }
        block_on(read())
    });
    let all: Vec<u64> = (1..=WRITERS * RUNS).collect();
    assert_eq!(results.concat(), all);
}
