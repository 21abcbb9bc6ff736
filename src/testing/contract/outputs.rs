//! Kept outputs: written in chunks, read whole, dropped when nobody needs them.
//!
//! What a resume takes over is promised in `inheritance`.

use super::fixtures::{
    Driver, at, claim, claim_one, end_of, finished, hash, node, output, output_ref, pending,
    refused, run_id, running, save_for, scope, started, with_output,
};
use crate::error::ErrorKind::{NotFound, RunFinished, StaleEpoch};
use crate::model::{Cancel, NodeStatus, RunStatus};
use crate::storage::{CancelRequest, Entry, OutputChunk, OutputRef, Storage};

/// An output comes back chunk after chunk, with the hash that it was given.
pub async fn an_output_comes_back_whole(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let chunks: &[&'static [u8]] = &[b"one ", b"\0two ", b"three"];
    let output = driver.put_chunks(storage, 0, chunks).await;
    driver
        .append(storage, [started(0, 1), with_output(0, output)])
        .await;
    let stored = storage.find_output(driver.run, 0, &crate::Scope::All).await;
    let stored = stored.unwrap().unwrap();
    assert_eq!(stored.bytes, b"one \0two three");
    assert_eq!(stored.hash, hash(&stored.bytes));
    let row = node(storage, driver.run, 0).await;
    assert_eq!(
        (row.output_hash, row.has_dataset),
        (Some(stored.hash), true)
    );
}

/// The hash is the writer's: storage compares nothing.
pub async fn a_hash_comes_back_as_it_was_given(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.put_chunks(storage, 0, &[b"abc"]).await;
    let output = OutputRef::new([9; 32], 3, 1);
    driver
        .append(storage, [started(0, 1), with_output(0, output)])
        .await;
    let stored = storage.find_output(driver.run, 0, &crate::Scope::All).await;
    assert_eq!(stored.unwrap().unwrap().hash, [9; 32]);
}

/// An output without a byte is one.
pub async fn an_empty_output_is_kept(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.succeed(storage, 0, b"").await;
    assert_eq!(output(storage, driver.run, 0).await, Some(Vec::new()));
}

/// Chunks are no output before the node's end names them.
pub async fn chunks_without_an_end_are_no_output(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.append(storage, [started(0, 1)]).await;
    driver.put_chunks(storage, 0, &[b"abc"]).await;
    assert_eq!(output(storage, driver.run, 0).await, None);
    driver
        .append(storage, [finished(0, NodeStatus::Success)])
        .await;
    assert_eq!(output(storage, driver.run, 0).await, None);
    assert_eq!(node(storage, driver.run, 0).await.output_hash, None);
}

/// A repeated chunk takes the place of the first.
pub async fn a_repeated_chunk_replaces_the_first(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.put_chunks(storage, 0, &[b"one", b"twO"]).await;
    let again = OutputChunk::new(driver.run, driver.epoch, 0, 1, b"two"[..].into());
    storage.put_output_chunk(again).await.unwrap();
    let output_ref = output_ref(&[b"one", b"two"]);
    driver
        .append(storage, [started(0, 1), with_output(0, output_ref)])
        .await;
    assert_eq!(output(storage, driver.run, 0).await.unwrap(), b"onetwo");
}

/// Chunk 0 drops what an earlier attempt left, over a crash too.
pub async fn the_first_chunk_drops_what_was_left(storage: &dyn Storage) {
    let old = running(storage, 1).await;
    old.put_chunks(storage, 0, &[b"one", b"two", b"three"])
        .await;
    let mut driver = Driver::of(&claim_one(storage, claim(2, 500), old.run).await);
    driver.succeed(storage, 0, b"four").await;
    assert_eq!(output(storage, driver.run, 0).await.unwrap(), b"four");
}

/// A chunk that comes after its node's end leaves what was kept whole, whichever chunk it is.
pub async fn a_chunk_after_the_end_of_its_node_changes_nothing(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.succeed(storage, 0, b"abc").await;
    for index in [1, 0] {
        let late = OutputChunk::new(driver.run, driver.epoch, 0, index, b"late"[..].into());
        storage.put_output_chunk(late).await.unwrap();
        assert_eq!(output(storage, driver.run, 0).await.unwrap(), b"abc");
    }
    driver.append(storage, [end_of(1, RunStatus::Failed)]).await;
    assert_eq!(output(storage, driver.run, 0).await.unwrap(), b"abc");
}

/// Chunks of one node never mix with another's.
pub async fn outputs_of_two_nodes_do_not_mix(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let first = driver.put_chunks(storage, 0, &[b"one", b"two"]).await;
    let second = driver.put_chunks(storage, 1, &[b"three"]).await;
    driver
        .append(storage, [started(0, 1), with_output(0, first)])
        .await;
    driver
        .append(storage, [started(1, 1), with_output(1, second)])
        .await;
    assert_eq!(output(storage, driver.run, 0).await.unwrap(), b"onetwo");
    assert_eq!(output(storage, driver.run, 1).await.unwrap(), b"three");
}

/// An output of which a chunk is missing is none.
pub async fn an_output_with_a_missing_chunk_is_none(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.put_chunks(storage, 0, &[b"one"]).await;
    let named = output_ref(&[b"one", b"two"]);
    driver
        .append(storage, [started(0, 1), with_output(0, named)])
        .await;
    assert_eq!(output(storage, driver.run, 0).await, None);
}

/// A chunk under a stale epoch, of a finished run or of none is refused.
pub async fn a_chunk_is_fenced_like_an_entry(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let chunk = |run, epoch| OutputChunk::new(run, epoch, 0, 0, b"late"[..].into());
    let stale = chunk(driver.run, driver.epoch + 1);
    refused(storage.put_output_chunk(stale).await, StaleEpoch);
    let missing = chunk(run_id(9), driver.epoch);
    refused(storage.put_output_chunk(missing).await, NotFound);
    driver.append(storage, [end_of(1, RunStatus::Failed)]).await;
    let late = chunk(driver.run, driver.epoch);
    refused(storage.put_output_chunk(late).await, RunFinished);
    assert_eq!(output(storage, driver.run, 0).await, None);
}

/// A run of `daily` whose three nodes have outputs of three, four and five bytes.
async fn with_three_outputs(storage: &dyn Storage, n: u64) -> Driver {
    let mut driver = running(storage, n).await;
    driver.succeed(storage, 0, b"one").await;
    driver.succeed(storage, 1, b"four").await;
    driver.succeed(storage, 2, b"seven").await;
    driver
}

async fn kept(storage: &dyn Storage, driver: &Driver) -> [bool; 3] {
    let mut kept = [false; 3];
    for (node_index, kept) in (0..).zip(&mut kept) {
        *kept = output(storage, driver.run, node_index).await.is_some();
        let hash = node(storage, driver.run, node_index).await.output_hash;
        assert_eq!(hash.is_some(), *kept, "the row of node {node_index}");
    }
    kept
}

/// A success drops its outputs but those of its last nodes, up to the bytes that are asked for.
pub async fn a_success_keeps_its_result_alone(storage: &dyn Storage) {
    for (n, result_bytes_max, is_kept) in [(1, 5, true), (2, 4, false)] {
        let driver = with_three_outputs(storage, n).await;
        let mut end = driver.next([end_of(n, RunStatus::Success)]);
        end.result_bytes_max = result_bytes_max;
        storage.append(end).await.unwrap();
        assert_eq!(kept(storage, &driver).await, [false, false, is_kept]);
    }
}

/// A failed run keeps its outputs.
pub async fn a_failure_keeps_its_outputs(storage: &dyn Storage) {
    let mut driver = with_three_outputs(storage, 1).await;
    driver.append(storage, [end_of(1, RunStatus::Failed)]).await;
    assert_eq!(kept(storage, &driver).await, [true; 3]);
}

/// A poisoned run keeps its outputs.
pub async fn a_poisoned_run_keeps_its_outputs(storage: &dyn Storage) {
    let driver = with_three_outputs(storage, 1).await;
    for n in 2..=4 {
        let seconds = 100 * i64::try_from(n).unwrap();
        storage.claim(claim(n, seconds)).await.unwrap();
    }
    assert_eq!(kept(storage, &driver).await, [true; 3]);
}

/// A cancelled run that resumes nothing drops its outputs.
pub async fn a_cancelled_run_drops_its_outputs(storage: &dyn Storage) {
    let mut driver = with_three_outputs(storage, 1).await;
    let cancel = CancelRequest::new(driver.run, Cancel::Plain, at(50));
    storage.request_cancel(cancel).await.unwrap();
    driver
        .append(storage, [end_of(1, RunStatus::Cancelled)])
        .await;
    assert_eq!(kept(storage, &driver).await, [false; 3]);
}

/// Outputs stay while the run goes on, over a crash too.
pub async fn outputs_outlive_a_crash(storage: &dyn Storage) {
    let driver = with_three_outputs(storage, 1).await;
    let claimed = claim_one(storage, claim(2, 500), driver.run).await;
    let hashes = claimed.nodes.iter().map(|node| node.output_hash);
    let expected = [&b"one"[..], b"four", b"seven"].map(|bytes| Some(hash(bytes)));
    assert!(hashes.eq(expected));
    assert_eq!(kept(storage, &driver).await, [true; 3]);
}

/// Another tenant's output reads as none.
pub async fn a_foreign_output_is_none(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let mut driver = running(storage, 1).await;
    driver.succeed(storage, 0, b"one").await;
    for (tenant, is_seen) in [("ann", true), ("ben", false)] {
        let found = storage.find_output(driver.run, 0, &scope(tenant)).await;
        assert_eq!(found.unwrap().is_some(), is_seen);
    }
}

/// A node without an entry, and a run that is not there, have no output.
pub async fn what_never_ran_has_no_output(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    assert_eq!(output(storage, run, 0).await, None);
    assert_eq!(output(storage, run_id(9), 0).await, None);
    let mut driver = Driver::of(&claim_one(storage, claim(1, 10), run).await);
    let entries: [Entry; 2] = [started(0, 1), finished(0, NodeStatus::Failed)];
    driver.append(storage, entries).await;
    assert_eq!(output(storage, run, 0).await, None);
}
