//! Stored outputs: written in chunks, read whole, dropped once no resume can need them.
//!
//! `inheritance` covers inherited outputs.

use std::sync::Arc;

use super::fixtures::{
    Driver, assert_kind, at, claim, claim_one, definition, hash, node_finished, node_started,
    node_succeeded, node_succeeded_with, output_ref, pending_run, purge_all, put, read_node,
    read_output, run_finished, run_id, save_for, scope, started_run, with_bytes,
};
use crate::error::ErrorKind::{NotFound, RunFinished, StaleEpoch};
use crate::model::{Cancel, NodeStatus, RunStatus};
use crate::storage::{
    CancelRequest, Entry, FinishedNode, OutputChunk, OutputRef, Storage, UnstoredOutput,
};

/// An output MUST be returned as its chunks in order, with the hash that it was stored with.
pub async fn an_output_is_returned_whole(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let chunks: &[&'static [u8]] = &[b"one ", b"\0two ", b"three"];
    let output = driver.put_chunks(storage, 0, chunks).await;
    driver
        .append(storage, [node_started(0, 1), node_succeeded(0, output)])
        .await;
    let stored = storage.find_output(driver.run, 0, &crate::Scope::All).await;
    let stored = stored.unwrap().unwrap();
    assert_eq!(stored.bytes, b"one \0two three");
    assert_eq!(stored.hash, hash(&stored.bytes));
    let row = read_node(storage, driver.run, 0).await;
    assert_eq!(
        (row.output_hash, row.has_dataset),
        (Some(stored.hash), true)
    );
}

/// The hash MUST be returned as the writer gave it. Storage does not verify it.
pub async fn a_hash_is_returned_as_given(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.put_chunks(storage, 0, &[b"abc"]).await;
    let output = OutputRef::new([9; 32], 3, 1);
    driver
        .append(storage, [node_started(0, 1), node_succeeded(0, output)])
        .await;
    let stored = storage.find_output(driver.run, 0, &crate::Scope::All).await;
    assert_eq!(stored.unwrap().unwrap().hash, [9; 32]);
}

/// An output of zero bytes MUST be stored.
pub async fn an_empty_output_is_stored(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.succeed(storage, 0, b"").await;
    assert_eq!(read_output(storage, driver.run, 0).await, Some(Vec::new()));
}

/// Chunks MUST NOT be an output until the outcome of their node names them.
pub async fn chunks_are_no_output_until_the_node_finishes(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, [node_started(0, 1)]).await;
    driver.put_chunks(storage, 0, &[b"abc"]).await;
    assert_eq!(read_output(storage, driver.run, 0).await, None);
    driver
        .append(storage, [node_finished(0, NodeStatus::Success)])
        .await;
    assert_eq!(read_output(storage, driver.run, 0).await, None);
    assert_eq!(read_node(storage, driver.run, 0).await.output_hash, None);
}

/// A repeated chunk MUST replace the first one.
pub async fn a_repeated_chunk_replaces_the_first(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.put_chunks(storage, 0, &[b"one", b"twO"]).await;
    let again = OutputChunk::new(driver.run, driver.epoch, 0, 1, b"two"[..].into());
    storage.put_output_chunk(again).await.unwrap();
    let output_ref = output_ref(&[b"one", b"two"]);
    driver
        .append(storage, [node_started(0, 1), node_succeeded(0, output_ref)])
        .await;
    assert_eq!(
        read_output(storage, driver.run, 0).await.unwrap(),
        b"onetwo"
    );
}

/// Chunk 0 MUST delete the chunks of an earlier attempt, even after a crash.
pub async fn the_first_chunk_deletes_earlier_chunks(storage: &dyn Storage) {
    let old = started_run(storage, 1).await;
    old.put_chunks(storage, 0, &[b"one", b"two", b"three"])
        .await;
    let mut driver = Driver::new(&claim_one(storage, claim(2, 500), old.run).await);
    driver.succeed(storage, 0, b"four").await;
    assert_eq!(read_output(storage, driver.run, 0).await.unwrap(), b"four");
}

/// A chunk of a finished node MUST change nothing, whatever its index.
pub async fn a_chunk_of_a_finished_node_changes_nothing(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.succeed(storage, 0, b"abc").await;
    for index in [1, 0] {
        let late = OutputChunk::new(driver.run, driver.epoch, 0, index, b"late"[..].into());
        storage.put_output_chunk(late).await.unwrap();
        assert_eq!(read_output(storage, driver.run, 0).await.unwrap(), b"abc");
    }
    driver
        .append(storage, [run_finished(1, RunStatus::Failed)])
        .await;
    assert_eq!(read_output(storage, driver.run, 0).await.unwrap(), b"abc");
}

/// Bytes in the outcome of a node MUST be its output.
pub async fn bytes_in_the_outcome_are_the_output(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    for (node_index, bytes) in (0..).zip([&b"\0one"[..], b""]) {
        let entries = [
            node_started(node_index, 1),
            node_succeeded_with(node_index, bytes),
        ];
        driver.append(storage, entries).await;
        let stored = read_output(storage, driver.run, node_index).await;
        assert_eq!(stored.as_deref(), Some(bytes));
        let row = read_node(storage, driver.run, node_index).await;
        assert_eq!(row.output_hash, Some(hash(bytes)));
    }
}

/// Bytes in the outcome MUST replace all chunks of the node, even those before a crash.
pub async fn bytes_in_the_outcome_replace_chunks(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.put_chunks(storage, 0, &[b"one", b"two"]).await;
    driver.put_chunks(storage, 1, &[b"one", b"two"]).await;
    let entries = [node_started(0, 1), node_succeeded_with(0, b"three")];
    driver.append(storage, entries).await;
    let mut driver = Driver::new(&claim_one(storage, claim(2, 500), driver.run).await);
    let entries = [node_started(1, 2), node_succeeded_with(1, b"four")];
    driver.append(storage, entries).await;
    assert_eq!(read_output(storage, driver.run, 0).await.unwrap(), b"three");
    assert_eq!(read_output(storage, driver.run, 1).await.unwrap(), b"four");
}

/// Bytes of another length than the outcome names MUST read as absent.
pub async fn bytes_of_another_length_are_no_output(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let named = node_succeeded(0, output_ref(&[b"three"]));
    driver
        .append(storage, [node_started(0, 1), with_bytes(named, b"four")])
        .await;
    assert_eq!(read_output(storage, driver.run, 0).await, None);
    assert_eq!(read_node(storage, driver.run, 0).await.output_hash, None);
}

/// The chunks of two nodes MUST NOT mix.
pub async fn outputs_of_two_nodes_do_not_mix(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let first = driver.put_chunks(storage, 0, &[b"one", b"two"]).await;
    let second = driver.put_chunks(storage, 1, &[b"three"]).await;
    driver
        .append(storage, [node_started(0, 1), node_succeeded(0, first)])
        .await;
    driver
        .append(storage, [node_started(1, 1), node_succeeded(1, second)])
        .await;
    assert_eq!(
        read_output(storage, driver.run, 0).await.unwrap(),
        b"onetwo"
    );
    assert_eq!(read_output(storage, driver.run, 1).await.unwrap(), b"three");
}

/// An output with a missing chunk MUST read as absent.
pub async fn an_output_with_a_missing_chunk_is_absent(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.put_chunks(storage, 0, &[b"one"]).await;
    let named = output_ref(&[b"one", b"two"]);
    driver
        .append(storage, [node_started(0, 1), node_succeeded(0, named)])
        .await;
    assert_eq!(read_output(storage, driver.run, 0).await, None);
}

/// A chunk under a stale epoch, or of a finished or missing run, MUST be refused.
pub async fn a_chunk_is_fenced_like_an_entry(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let chunk = |run, epoch| OutputChunk::new(run, epoch, 0, 0, b"late"[..].into());
    let stale = chunk(driver.run, driver.epoch + 1);
    assert_kind(storage.put_output_chunk(stale).await, StaleEpoch);
    let missing = chunk(run_id(9), driver.epoch);
    assert_kind(storage.put_output_chunk(missing).await, NotFound);
    driver
        .append(storage, [run_finished(1, RunStatus::Failed)])
        .await;
    let late = chunk(driver.run, driver.epoch);
    assert_kind(storage.put_output_chunk(late).await, RunFinished);
    assert_eq!(read_output(storage, driver.run, 0).await, None);
}

/// Creates a run of `daily` whose three nodes have outputs of three, four and five bytes. The bytes
/// of the second one travel with its outcome.
async fn with_three_outputs(storage: &dyn Storage, n: u64) -> Driver {
    let mut driver = started_run(storage, n).await;
    driver.succeed(storage, 0, b"one").await;
    let entries = [node_started(1, 1), node_succeeded_with(1, b"four")];
    driver.append(storage, entries).await;
    driver.succeed(storage, 2, b"seven").await;
    driver
}

/// Returns which nodes have a stored output, and asserts that their rows agree.
async fn stored_outputs(storage: &dyn Storage, driver: &Driver) -> [bool; 3] {
    let mut stored = [false; 3];
    for (node_index, is_stored) in (0..).zip(&mut stored) {
        *is_stored = read_output(storage, driver.run, node_index).await.is_some();
        let hash = read_node(storage, driver.run, node_index).await.output_hash;
        assert_eq!(hash.is_some(), *is_stored, "the row of node {node_index}");
    }
    stored
}

/// A successful run MUST keep only the outputs of its last nodes, up to `result_bytes_max` each.
pub async fn a_success_keeps_only_its_result(storage: &dyn Storage) {
    for (n, result_bytes_max, is_stored) in [(1, 5, true), (2, 4, false)] {
        let driver = with_three_outputs(storage, n).await;
        let mut append = driver.next_append([run_finished(n, RunStatus::Success)]);
        append.result_bytes_max = result_bytes_max;
        storage.append(append).await.unwrap();
        assert_eq!(
            stored_outputs(storage, &driver).await,
            [false, false, is_stored]
        );
    }
}

/// Saves [`definition`] as `daily`, in which these nodes keep their outputs.
pub(super) async fn save_keeping(storage: &dyn Storage, nodes: &[usize]) {
    let mut definition = definition("daily");
    for node in nodes {
        definition.nodes[*node] = definition.nodes[*node].clone().keep_output();
    }
    let mut put = put("daily");
    put.definition = Arc::new(definition);
    storage.put_pipeline(put).await.unwrap();
}

/// A successful run MUST keep the output of a node that keeps it, whatever its size, until a purge.
pub async fn a_success_keeps_the_output_of_a_node_that_keeps_it(storage: &dyn Storage) {
    save_keeping(storage, &[0, 2]).await;
    let driver = with_three_outputs(storage, 1).await;
    let mut append = driver.next_append([run_finished(1, RunStatus::Success)]);
    append.result_bytes_max = 1;
    storage.append(append).await.unwrap();
    assert_eq!(stored_outputs(storage, &driver).await, [true, false, true]);
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(read_output(storage, driver.run, 0).await, None);
}

/// A failed run MUST keep its outputs.
pub async fn a_failed_run_keeps_its_outputs(storage: &dyn Storage) {
    let mut driver = with_three_outputs(storage, 1).await;
    driver
        .append(storage, [run_finished(1, RunStatus::Failed)])
        .await;
    assert_eq!(stored_outputs(storage, &driver).await, [true; 3]);
}

/// A poisoned run MUST keep its outputs.
pub async fn a_poisoned_run_keeps_its_outputs(storage: &dyn Storage) {
    let driver = with_three_outputs(storage, 1).await;
    for n in 2..=4 {
        let seconds = 100 * i64::try_from(n).unwrap();
        storage.claim(claim(n, seconds)).await.unwrap();
    }
    assert_eq!(stored_outputs(storage, &driver).await, [true; 3]);
}

/// A cancelled run that is no resume MUST drop its outputs.
pub async fn a_cancelled_run_drops_its_outputs(storage: &dyn Storage) {
    let mut driver = with_three_outputs(storage, 1).await;
    let cancel = CancelRequest::new(driver.run, Cancel::Plain, at(50));
    storage.request_cancel(cancel).await.unwrap();
    driver
        .append(storage, [run_finished(1, RunStatus::Cancelled)])
        .await;
    assert_eq!(stored_outputs(storage, &driver).await, [false; 3]);
}

/// Outputs MUST survive a crash of the owner.
pub async fn outputs_survive_a_crash(storage: &dyn Storage) {
    let driver = with_three_outputs(storage, 1).await;
    let claimed = claim_one(storage, claim(2, 500), driver.run).await;
    let hashes = claimed.nodes.iter().map(|node| node.output_hash);
    let expected = [&b"one"[..], b"four", b"seven"].map(|bytes| Some(hash(bytes)));
    assert!(hashes.eq(expected));
    assert_eq!(stored_outputs(storage, &driver).await, [true; 3]);
}

/// Why an output was never stored, and the branch of its node, MUST be returned with the node.
pub async fn the_reason_why_an_output_is_not_stored_is_returned(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let reasons = [
        None,
        Some(UnstoredOutput::TooLarge),
        Some(UnstoredOutput::Secret),
    ];
    for (node_index, unstored) in (0..).zip(reasons) {
        let mut node = FinishedNode::new(node_index, NodeStatus::Success, at(40));
        node.attempt = Some(1);
        node.has_dataset = true;
        node.unstored = unstored;
        node.branch = [None, Some(true), Some(false)][usize::from(node_index)];
        let branch = node.branch;
        let finished = Entry::NodeFinished(Box::new(node));
        driver
            .append(storage, [node_started(node_index, 1), finished])
            .await;
        let row = read_node(storage, driver.run, node_index).await;
        assert_eq!((row.has_dataset, row.unstored), (true, unstored));
        assert_eq!(row.branch, branch);
    }
}

/// An output of another tenant MUST look absent.
pub async fn an_output_of_another_tenant_is_hidden(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let mut driver = started_run(storage, 1).await;
    driver.succeed(storage, 0, b"one").await;
    for (tenant, is_seen) in [("ann", true), ("ben", false)] {
        let found = storage.find_output(driver.run, 0, &scope(tenant)).await;
        assert_eq!(found.unwrap().is_some(), is_seen);
    }
}

/// A node without an entry, a node that failed and a missing run MUST have no output.
pub async fn an_unexecuted_node_has_no_output(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    assert_eq!(read_output(storage, run, 0).await, None);
    assert_eq!(read_output(storage, run_id(9), 0).await, None);
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run).await);
    let entries: [Entry; 2] = [node_started(0, 1), node_finished(0, NodeStatus::Failed)];
    driver.append(storage, entries).await;
    assert_eq!(read_output(storage, run, 0).await, None);
}
