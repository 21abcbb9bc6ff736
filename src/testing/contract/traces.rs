//! The place of a run in a distributed trace.

use super::fixtures::{
    Driver, claim, create, events_of, log_line, new_backfill, new_run, node_started, read_run,
    run_id, save,
};
use crate::model::{PageRequest, TraceParent};
use crate::storage::{EventFilter, RunFilter, Storage};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn parent(text: &str) -> Option<TraceParent> {
    Some(text.parse().unwrap())
}

/// The traceparent of a run MUST be returned with it, by a list and by a claim too, and with each
/// of its events, in whatever order they are read.
pub async fn a_run_keeps_its_traceparent(storage: &dyn Storage) {
    save(storage, "daily").await;
    for (n, traceparent) in [(1, parent(TRACE)), (2, None), (3, parent(OTHER))] {
        let mut run = new_run(n, "daily");
        run.traceparent = traceparent;
        create(storage, run).await.unwrap();
        let claims = storage.claim(claim(n, 10)).await.unwrap();
        assert_eq!(claims.claimed[0].run.traceparent, traceparent);
        let mut driver = Driver::new(&claims.claimed[0]);
        driver
            .append(storage, [node_started(0, 1), log_line(Some(0), "one")])
            .await;
        let read = read_run(storage, run_id(n)).await.run;
        assert_eq!(read.traceparent, traceparent);
        let mut events = events_of(storage, run_id(n)).await;
        let filter = EventFilter {
            run: Some(run_id(n)),
            ..EventFilter::default()
        };
        let earlier = storage.events_before(filter, u64::MAX, 100).await.unwrap();
        assert_eq!((events.len(), earlier.events.len()), (4, 4));
        events.extend(earlier.events);
        assert!(events.iter().all(|event| event.traceparent == traceparent));
    }
    let page = PageRequest::Newest { limit: 10 };
    let listed = storage.list_runs(RunFilter::default(), page).await.unwrap();
    let listed: Vec<_> = listed.items.iter().map(|run| run.traceparent).collect();
    assert_eq!(listed, [parent(OTHER), None, parent(TRACE)]);
}

/// Each run of a backfill MUST have its traceparent.
pub async fn a_backfill_keeps_its_traceparents(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut create = new_backfill(1, "daily", 1, 2);
    create.runs[1].run.traceparent = parent(TRACE);
    storage.create_runs(create).await.unwrap();
    for (n, traceparent) in [(1, None), (2, parent(TRACE))] {
        let read = read_run(storage, run_id(n)).await.run;
        assert_eq!(read.traceparent, traceparent);
        let events = events_of(storage, run_id(n)).await;
        let found: Vec<_> = events.iter().map(|event| event.traceparent).collect();
        assert_eq!(found, [traceparent]);
    }
}
