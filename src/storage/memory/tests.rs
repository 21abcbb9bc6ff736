//! The whole contract, and what only this backend does: it retains a maximum of finished runs, and
//! its clones share all data.

use super::*;
use crate::model::{Cancel, RunStatus, Scope};
use crate::storage::{
    CancelRequest, ClaimCursors, Deliveries as _, Events as _, PutDeliveries, RunFilter, Runs as _,
    System as _,
};
use crate::testing::contract::fixtures::{
    all_events, at, create, end_of, ended, found, listed, new_run, output, pending, resume, run_id,
    running,
};

crate::storage_contract!(async |_| MemoryStorage::default());

fn storage_of(runs_max: usize) -> MemoryStorage {
    MemoryStorage::new(MemoryOptions::default().runs_max(runs_max))
}

#[tokio::test]
async fn the_newest_finished_runs_and_all_active_runs_are_retained() {
    let storage = storage_of(2);
    pending(&storage, 9).await;
    let active = running(&storage, 1).await.run;
    for n in 2..=5 {
        ended(&storage, n, RunStatus::Success).await;
    }
    let retained = listed(&storage, RunFilter::default()).await;
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
        ended(&storage, n, RunStatus::Success).await;
    }
    let retained = async || listed(&storage, RunFilter::default()).await;
    assert_eq!(retained().await, [5, 4, 3, 2].map(run_id));
    let newest = storage.newest_seq().await.unwrap();
    let put = PutDeliveries::new("slack".to_owned(), newest, at(2));
    storage.put_deliveries(put).await.unwrap();
    ended(&storage, 6, RunStatus::Success).await;
    assert_eq!(retained().await, [6, 5].map(run_id));
}

#[tokio::test]
async fn a_cancelled_pending_run_counts_as_finished() {
    let storage = storage_of(1);
    for n in 1..=3 {
        let cancel = CancelRequest::new(pending(&storage, n).await, Cancel::Plain, at(50));
        let cancelled = storage.request_cancel(cancel).await.unwrap();
        assert_eq!(cancelled.status, RunStatus::Cancelled);
    }
    assert_eq!(listed(&storage, RunFilter::default()).await, [run_id(3)]);
}

#[tokio::test]
async fn a_run_finishes_in_a_storage_that_retains_nothing() {
    let storage = storage_of(0);
    let mut driver = running(&storage, 1).await;
    driver
        .append(&storage, [end_of(1, RunStatus::Success)])
        .await;
    assert_eq!(listed(&storage, RunFilter::default()).await, []);
}

#[tokio::test]
async fn an_inherited_output_outlives_the_purge_of_its_run() {
    let storage = storage_of(1);
    let mut old = running(&storage, 1).await;
    old.succeed(&storage, 0, b"one").await;
    old.append(&storage, [end_of(1, RunStatus::Failed)]).await;
    let mut new = resume(2, old.run, old.run);
    let hash = found(&storage, old.run).await.nodes[0].output_hash;
    let mut inherited = crate::model::InheritedOutput::new(0, old.run, 0);
    inherited.output_hash = hash;
    new.inherited.push(inherited);
    create(&storage, new).await.unwrap();
    let cancel = CancelRequest::new(pending(&storage, 3).await, Cancel::Plain, at(9_999));
    storage.request_cancel(cancel).await.unwrap();
    assert_eq!(storage.find_run(old.run, &Scope::All).await.unwrap(), None);
    assert_eq!(output(&storage, run_id(2), 0).await.unwrap(), b"one");
}

#[tokio::test]
async fn clones_share_all_data() {
    let storage = MemoryStorage::default();
    let same = storage.clone();
    pending(&storage, 1).await;
    assert_eq!(listed(&same, RunFilter::default()).await, [run_id(1)]);
}

#[tokio::test]
async fn a_run_id_is_used_once() {
    let storage = MemoryStorage::default();
    pending(&storage, 1).await;
    let again = create(&storage, new_run(1, "daily")).await;
    assert_eq!(again.unwrap_err().kind(), crate::ErrorKind::Internal);
    assert_eq!(all_events(&storage).await.len(), 1);
}
