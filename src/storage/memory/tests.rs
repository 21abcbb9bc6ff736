//! The whole contract, and what only this backend does: it retains a maximum of finished runs, and
//! its clones share all data.

use super::*;
use crate::model::{Cancel, RunStatus, Scope};
use crate::storage::{
    CancelRequest, ClaimCursors, Deliveries as _, Events as _, PutDeliveries, RunFilter, Runs as _,
    System as _,
};
use crate::testing::contract::fixtures::{
    all_events, at, create, finished_run, list_run_ids, pending_run, read_output, read_run, resume,
    run_finished, run_id, started_run,
};

crate::storage_contract!(async |_| MemoryStorage::default());
crate::handles_contract!(async |_| MemoryStorage::default());

fn storage_of(runs_max: usize) -> MemoryStorage {
    MemoryStorage::new(MemoryOptions::default().runs_max(runs_max))
}

#[tokio::test]
async fn the_newest_finished_runs_and_all_active_runs_are_retained() {
    let storage = storage_of(2);
    pending_run(&storage, 9).await;
    let active = started_run(&storage, 1).await.run;
    for n in 2..=5 {
        finished_run(&storage, n, RunStatus::Success).await;
    }
    let retained = list_run_ids(&storage, RunFilter::default()).await;
    assert_eq!(retained, [run_id(9), run_id(5), run_id(4), active]);
    let stats = storage.stats(&Scope::All).await.unwrap();
    assert!(stats.purged_seq > 0);
    let events = all_events(&storage).await;
    assert!(events.iter().all(|event| retained.contains(&event.run_id)));
}

#[tokio::test]
async fn twice_as_many_runs_are_retained_for_a_notifier_that_is_behind() {
    let storage = storage_of(2);
    let slack = || vec!["slack".to_owned()];
    let claim = ClaimCursors::new(slack(), at(0), at(1));
    storage.claim_cursors(claim).await.unwrap();
    for n in 1..=5 {
        finished_run(&storage, n, RunStatus::Success).await;
    }
    let retained = async || list_run_ids(&storage, RunFilter::default()).await;
    assert_eq!(retained().await, [5, 4, 3, 2].map(run_id));
    let newest = storage.newest_seq().await.unwrap();
    let put = PutDeliveries::new("slack".to_owned(), newest, at(2));
    storage.put_deliveries(put).await.unwrap();
    finished_run(&storage, 6, RunStatus::Success).await;
    assert_eq!(retained().await, [6, 5].map(run_id));
}

#[tokio::test]
async fn a_cancelled_pending_run_counts_as_finished() {
    let storage = storage_of(1);
    for n in 1..=3 {
        let cancel = CancelRequest::new(pending_run(&storage, n).await, Cancel::Plain, at(50));
        let cancelled = storage.request_cancel(cancel).await.unwrap();
        assert_eq!(cancelled.status, RunStatus::Cancelled);
    }
    assert_eq!(
        list_run_ids(&storage, RunFilter::default()).await,
        [run_id(3)]
    );
}

#[tokio::test]
async fn a_run_finishes_in_a_storage_that_retains_nothing() {
    let storage = storage_of(0);
    let mut driver = started_run(&storage, 1).await;
    driver
        .append(&storage, [run_finished(1, RunStatus::Success)])
        .await;
    assert_eq!(list_run_ids(&storage, RunFilter::default()).await, []);
}

#[tokio::test]
async fn an_inherited_output_outlives_the_purge_of_its_run() {
    let storage = storage_of(1);
    let mut old = started_run(&storage, 1).await;
    old.succeed(&storage, 0, b"one").await;
    old.append(&storage, [run_finished(1, RunStatus::Failed)])
        .await;
    let mut new = resume(2, old.run, old.run);
    let hash = read_run(&storage, old.run).await.nodes[0].output_hash;
    let mut inherited = crate::model::InheritedOutput::new(0, old.run, 0);
    inherited.output_hash = hash;
    new.inherited.push(inherited);
    create(&storage, new).await.unwrap();
    let cancel = CancelRequest::new(pending_run(&storage, 3).await, Cancel::Plain, at(9_999));
    storage.request_cancel(cancel).await.unwrap();
    assert_eq!(storage.find_run(old.run, &Scope::All).await.unwrap(), None);
    assert_eq!(read_output(&storage, run_id(2), 0).await.unwrap(), b"one");
}

#[tokio::test]
async fn clones_share_all_data() {
    let storage = MemoryStorage::default();
    let same = storage.clone();
    pending_run(&storage, 1).await;
    assert_eq!(list_run_ids(&same, RunFilter::default()).await, [run_id(1)]);
}

#[tokio::test]
async fn a_surplus_that_is_purged_ends_what_earlier_reads_know() {
    let storage = storage_of(1);
    finished_run(&storage, 1, RunStatus::Success).await;
    let known = read_run(&storage, run_id(1)).await.unchanged.unwrap();
    started_run(&storage, 2).await;
    assert!(known.holds());
    finished_run(&storage, 3, RunStatus::Success).await;
    assert!(!known.holds());
}
