//! Tests of what the next process finds: acknowledged writes, orphans, numbers and damaged rows.
//!
//! Refused files are left to `opening`.

use bytes::Bytes;

use super::*;
use crate::model::{EventKind, NodeStatus};
use crate::storage::{FinishedNode, OutputChunk, OutputRef, Outputs, Purge};

async fn reopen(dir: &Scratch, storage: SqliteStorage) -> SqliteStorage {
    drop(storage);
    open(dir.path()).await
}

async fn chunk_count(storage: &SqliteStorage) -> i64 {
    let step = |tx: &mut Tx| {
        let count = tx.row("SELECT count(*) FROM chunks", [], |row| Ok(row.get(0)?))?;
        Ok(count.unwrap_or(0))
    };
    storage.step(step).await.unwrap()
}

async fn put_chunk(storage: &SqliteStorage, epoch: u64, node_index: u16, bytes: &'static [u8]) {
    let bytes = Bytes::from_static(bytes);
    let chunk = OutputChunk::new(run_id(1), epoch, node_index, 0, bytes);
    storage.put_output_chunk(chunk).await.unwrap();
}

/// Claims run 1: `load` succeeded with an output, `save` is running and has written a chunk.
async fn start_run(storage: &SqliteStorage) {
    storage.create_runs(create(1)).await.unwrap();
    let epoch = claim(storage, 1, 1).await.claimed[0].epoch;
    append(storage, 1, (epoch, 0), vec![started(0)])
        .await
        .unwrap();
    put_chunk(storage, epoch, 0, b"rows").await;
    let mut finished = FinishedNode::new(0, NodeStatus::Success, at(3));
    finished.has_dataset = true;
    finished.output = Some(OutputRef::new([7; 32], 4, 1));
    let finished = Entry::NodeFinished(Box::new(finished));
    append(storage, 1, (epoch, 1), vec![finished, started(1)])
        .await
        .unwrap();
    put_chunk(storage, epoch, 1, b"part").await;
}

#[tokio::test]
async fn an_executing_run_is_an_orphan_with_all_acknowledged_entries() {
    let (dir, storage) = store().await;
    start_run(&storage).await;
    let before = storage.find_run(run_id(1), &Scope::All).await.unwrap();
    let storage = reopen(&dir, storage).await;
    assert_eq!(
        storage.find_run(run_id(1), &Scope::All).await.unwrap(),
        before
    );
    let claims = claim(&storage, 2, 1).await;
    let claimed = &claims.claimed[0];
    assert_eq!((claimed.epoch, claimed.claim_count), (2, 2));
    assert_eq!(claimed.position, 3);
    let statuses: Vec<_> = claimed.nodes.iter().map(|node| node.status).collect();
    assert_eq!(statuses, [NodeStatus::Success, NodeStatus::Pending]);
    assert_eq!(claimed.nodes[0].output_hash, Some([7; 32]));
    append(&storage, 1, (2, 3), vec![started(1)]).await.unwrap();
}

#[tokio::test]
async fn chunks_that_no_entry_named_are_dropped() {
    let (dir, storage) = store().await;
    start_run(&storage).await;
    assert_eq!(chunk_count(&storage).await, 2);
    let storage = reopen(&dir, storage).await;
    assert_eq!(chunk_count(&storage).await, 1);
    let output = storage.find_output(run_id(1), 0, &Scope::All).await;
    assert_eq!(output.unwrap().unwrap().bytes, b"rows");
}

#[tokio::test]
async fn the_claim_of_a_dead_owner_is_lost() {
    let (dir, storage) = store().await;
    start_run(&storage).await;
    let storage = reopen(&dir, storage).await;
    let error = append(&storage, 1, (1, 9), vec![]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "a gap");
    let held = vec![crate::storage::HeldRun::new(run_id(1), 1)];
    let lost = storage
        .renew(
            owner(1),
            held.clone(),
            std::time::Duration::from_secs(60),
            at(4),
        )
        .await;
    assert_eq!(lost.unwrap(), held);
}

#[tokio::test]
async fn numbers_continue_after_a_purge_of_the_newest_run() {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let request = crate::storage::CancelRequest::new(run_id(1), crate::Cancel::Plain, at(1));
    storage.request_cancel(request).await.unwrap();
    let purged = storage.purge(Purge::new(at(9), 10)).await.unwrap();
    assert_eq!(purged.deleted, 1);
    let storage = reopen(&dir, storage).await;
    assert_eq!(storage.newest_seq().await.unwrap(), 2);
    assert_eq!(storage.newest_run().await.unwrap(), Some(run_id(1)));
    assert_eq!(storage.create_runs(create(2)).await.unwrap().seq, 3);
    let key = |tx: &mut Tx| {
        tx.row("SELECT max(key) FROM runs", [], |row| {
            Ok(row.get::<_, i64>(0)?)
        })
    };
    let key = storage.step(key).await.unwrap();
    assert_eq!(key, Some(2), "the key of a purged run is not used again");
}

#[tokio::test]
async fn an_unreadable_run_fails_alone_and_becomes_poisoned() {
    let (_dir, storage) = store().await;
    for n in 1..=2 {
        storage.create_runs(create(n)).await.unwrap();
    }
    storage.damage_run(run_id(1)).await.unwrap();
    let claims = claim(&storage, 1, 5).await;
    assert_eq!(claims.unreadable, [run_id(1)]);
    assert_eq!(claims.claimed.len(), 1);
    let held = crate::storage::HeldRun::new(run_id(2), claims.claimed[0].epoch);
    for who in [2, 3] {
        let claims = claim(&storage, who, 5).await;
        assert_eq!(claims.unreadable, [run_id(1)]);
    }
    let claims = claim(&storage, 4, 5).await;
    assert_eq!(claims.poisoned, [run_id(1)]);
    let runs = storage.list_runs(Default::default(), crate::PageRequest::Newest { limit: 9 });
    let listed: Vec<_> = runs.await.unwrap().items.iter().map(|run| run.id).collect();
    assert_eq!(listed, [run_id(2)]);
    let filter = EventFilter {
        kinds: vec![EventKind::RunFailed],
        ..EventFilter::default()
    };
    let failed = storage.events(filter, 0, 9).await.unwrap().events;
    assert_eq!(failed.len(), 1);
    assert!(failed[0].error.as_deref().unwrap().starts_with("poisoned"));
    assert_eq!(storage.release(owner(1), vec![held]).await.unwrap(), []);
}

#[tokio::test]
async fn claims_of_a_damaged_orphan_are_counted_after_the_next_open() {
    let (dir, storage) = store().await;
    start_run(&storage).await;
    storage.damage_run(run_id(1)).await.unwrap();
    let storage = reopen(&dir, storage).await;
    let claims = claim(&storage, 2, 5).await;
    assert_eq!(
        (claims.unreadable, claims.claimed.len()),
        (vec![run_id(1)], 0)
    );
    let error = storage.find_run(run_id(1), &Scope::All).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    let storage = reopen(&dir, storage).await;
    let claims = claim(&storage, 3, 5).await;
    assert_eq!(claims.unreadable, [run_id(1)], "for the third time");
    let claims = claim(&storage, 3, 5).await;
    assert_eq!(claims.poisoned, [run_id(1)]);
}

#[tokio::test]
async fn a_damaged_output_no_longer_matches_its_hash() {
    let (_dir, storage) = store().await;
    start_run(&storage).await;
    storage.damage_output(run_id(1), 0).await.unwrap();
    let output = storage.find_output(run_id(1), 0, &Scope::All).await;
    let output = output.unwrap().unwrap();
    assert_eq!(output.hash, [7; 32]);
    assert_ne!(output.bytes, b"rows");
}

#[tokio::test]
async fn a_damaged_priority_costs_its_run_alone() {
    let (dir, storage) = store().await;
    for n in [1, 2, 3] {
        storage.create_runs(create(n)).await.unwrap();
    }
    assert_eq!(claim(&storage, 1, 1).await.claimed[0].run.id, run_id(1));
    drop(storage);
    let shell = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    let damage = "UPDATE runs SET priority = 9 WHERE id IN (?, ?)";
    let ids = [run_id(1), run_id(2)].map(|run| run.as_uuid().into_bytes());
    assert_eq!(shell.execute(damage, ids).unwrap(), 2);
    drop(shell);
    let storage = open(dir.path()).await;
    let claimed = claim(&storage, 2, 9).await.claimed;
    let claimed: Vec<_> = claimed.iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(claimed, [1, 3].map(run_id));
}
