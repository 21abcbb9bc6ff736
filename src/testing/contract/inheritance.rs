//! The outputs that a resume inherits from earlier runs of its chain.
//!
//! `outputs` covers the outputs that a run wrote itself.

use super::fixtures::{
    Driver, at, claim, claim_one, create, hash, new_run, node_finished, node_reused, node_started,
    purge_all, read_node, read_output, resume, run_finished, run_id, started_run,
};
use super::outputs::save_keeping;
use crate::model::{Cancel, InheritedOutput, NodeIndex, NodeStatus, RunId, RunStatus};
use crate::storage::{CancelRequest, Storage};

fn inherited(node_index: NodeIndex, from: RunId, bytes: &[u8]) -> InheritedOutput {
    let mut inherited = InheritedOutput::new(node_index, from, node_index);
    inherited.has_dataset = true;
    inherited.output_hash = Some(hash(bytes));
    inherited
}

/// Creates run 1, which failed after `load` returned `one` and `sum` returned `four`.
async fn failed_run(storage: &dyn Storage) -> RunId {
    let mut driver = started_run(storage, 1).await;
    driver.succeed(storage, 0, b"one").await;
    driver.succeed(storage, 1, b"four").await;
    driver
        .append(storage, [run_finished(1, RunStatus::Failed)])
        .await;
    driver.run
}

/// Creates and claims run `n`, a resume of `old` that inherits the outputs of run 1.
async fn claimed_resume(storage: &dyn Storage, n: u64, old: RunId) -> Driver {
    let first = run_id(1);
    let mut run = resume(n, old, first);
    run.inherited = vec![inherited(0, first, b"one"), inherited(1, first, b"four")];
    create(storage, run).await.unwrap();
    Driver::new(&claim_one(storage, claim(1, 10), run_id(n)).await)
}

/// A resume MUST read its inherited outputs before and after it skips their nodes.
pub async fn a_resume_reads_its_inherited_outputs(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut new = claimed_resume(storage, 2, old).await;
    assert_eq!(read_output(storage, new.run, 0).await.unwrap(), b"one");
    new.append(storage, [node_reused(0, old), node_reused(1, old)])
        .await;
    assert_eq!(read_output(storage, new.run, 0).await.unwrap(), b"one");
    assert_eq!(read_output(storage, new.run, 1).await.unwrap(), b"four");
    assert_eq!(read_output(storage, new.run, 2).await, None);
    let row = read_node(storage, new.run, 0).await;
    assert_eq!(row.output_hash, Some(hash(b"one")));
}

/// The inherited outputs of a run MUST be returned with it.
pub async fn inherited_outputs_are_returned_with_the_run(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut run = resume(2, old, old);
    let mut with_rows = inherited(0, old, b"one");
    (with_rows.row_count, with_rows.branch) = (Some(17), Some(true));
    run.inherited = vec![with_rows, InheritedOutput::new(2, old, 2)];
    create(storage, run.clone()).await.unwrap();
    let claimed = claim_one(storage, claim(1, 10), run.id).await;
    assert_eq!(claimed.run.inherited, run.inherited);
}

/// An inherited output MUST survive the purge of the run that wrote it.
pub async fn an_inherited_output_survives_the_purge_of_its_run(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut new = claimed_resume(storage, 2, old).await;
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(read_output(storage, old, 0).await, None);
    assert_eq!(read_output(storage, new.run, 0).await.unwrap(), b"one");
    new.append(storage, [node_reused(0, old), node_reused(1, old)])
        .await;
    assert_eq!(read_output(storage, new.run, 1).await.unwrap(), b"four");
}

/// An inherited output MUST stay readable along the chain, even if earlier runs were purged.
pub async fn an_inherited_output_survives_along_the_chain(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut second = claimed_resume(storage, 2, old).await;
    assert_eq!(purge_all(storage).await, 1);
    second
        .append(
            storage,
            [node_reused(0, old), run_finished(2, RunStatus::Failed)],
        )
        .await;
    let third = claimed_resume(storage, 3, second.run).await;
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(read_output(storage, second.run, 0).await, None);
    assert_eq!(read_output(storage, third.run, 0).await.unwrap(), b"one");
}

/// A resume that failed or was cancelled MUST keep its inherited outputs.
pub async fn a_failed_or_cancelled_resume_keeps_its_inherited_outputs(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut second = claimed_resume(storage, 2, old).await;
    second
        .append(storage, [run_finished(2, RunStatus::Failed)])
        .await;
    assert_eq!(read_output(storage, second.run, 0).await.unwrap(), b"one");
    let mut third = claimed_resume(storage, 3, old).await;
    let cancel = CancelRequest::new(third.run, Cancel::Plain, at(50));
    storage.request_cancel(cancel).await.unwrap();
    third
        .append(storage, [run_finished(3, RunStatus::Cancelled)])
        .await;
    assert_eq!(read_output(storage, third.run, 0).await.unwrap(), b"one");
    assert_eq!(read_output(storage, old, 0).await.unwrap(), b"one");
}

/// A resume that succeeds MUST keep an inherited output of a node that keeps it, even if the run
/// that wrote it is purged.
pub async fn a_success_keeps_an_inherited_output_of_a_node_that_keeps_it(storage: &dyn Storage) {
    save_keeping(storage, &[0]).await;
    let old = failed_run(storage).await;
    let mut new = claimed_resume(storage, 2, old).await;
    new.append(storage, [node_reused(0, old), node_reused(1, old)])
        .await;
    new.succeed(storage, 2, b"seven").await;
    assert_eq!(purge_all(storage).await, 1);
    new.append(storage, [run_finished(2, RunStatus::Success)])
        .await;
    assert_eq!(read_output(storage, new.run, 0).await.unwrap(), b"one");
    assert_eq!(read_output(storage, new.run, 1).await, None);
}

/// Creates run `n`, a rerun of `old` that inherits the output of node 0 from run 1.
async fn pending_rerun(storage: &dyn Storage, n: u64, old: RunId) -> RunId {
    let mut run = new_run(n, "daily");
    run.rerun_of = Some(old);
    run.inherited = vec![inherited(0, run_id(1), b"one")];
    create(storage, run).await.unwrap();
    run_id(n)
}

/// A rerun MUST hold the outputs that it inherits, though the run that it repeats is purged, or a
/// resume of that run succeeds.
pub async fn a_rerun_holds_the_outputs_that_it_inherits(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut second = claimed_resume(storage, 2, old).await;
    let rerun = pending_rerun(storage, 3, old).await;
    assert_eq!(read_output(storage, rerun, 0).await.unwrap(), b"one");
    second
        .append(storage, [node_reused(0, old), node_reused(1, old)])
        .await;
    second.succeed(storage, 2, b"seven").await;
    second
        .append(storage, [run_finished(2, RunStatus::Success)])
        .await;
    assert_eq!(read_output(storage, rerun, 0).await.unwrap(), b"one");
    assert_eq!(purge_all(storage).await, 2);
    assert_eq!(read_output(storage, rerun, 0).await.unwrap(), b"one");
}

/// A rerun that succeeds MUST NOT drop the outputs of the run that it repeats.
pub async fn a_rerun_that_succeeds_keeps_the_outputs_of_the_other_run(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let rerun = pending_rerun(storage, 2, old).await;
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), rerun).await);
    driver.append(storage, [node_reused(0, old)]).await;
    driver.succeed(storage, 1, b"five").await;
    driver.succeed(storage, 2, b"seven").await;
    driver
        .append(storage, [run_finished(2, RunStatus::Success)])
        .await;
    assert_eq!(read_output(storage, old, 0).await.unwrap(), b"one");
    assert_eq!(read_output(storage, old, 1).await.unwrap(), b"four");
}

/// A rerun that is cancelled before it starts MUST drop the outputs that it inherits, and a resume
/// MUST keep them.
pub async fn a_rerun_that_is_cancelled_before_it_starts_drops_what_it_inherits(
    storage: &dyn Storage,
) {
    let old = failed_run(storage).await;
    let rerun = pending_rerun(storage, 2, old).await;
    let mut resume = resume(3, old, old);
    resume.inherited = vec![inherited(0, old, b"one")];
    create(storage, resume.clone()).await.unwrap();
    for run in [rerun, resume.id] {
        let cancel = CancelRequest::new(run, Cancel::Plain, at(50));
        storage.request_cancel(cancel).await.unwrap();
    }
    assert_eq!(read_output(storage, rerun, 0).await, None);
    assert_eq!(read_output(storage, resume.id, 0).await.unwrap(), b"one");
    assert_eq!(read_output(storage, old, 0).await.unwrap(), b"one");
}

/// A rerun of a resume MUST hold what that resume has inherited, though the run that produced it is
/// purged.
pub async fn a_rerun_of_a_resume_holds_what_that_inherits(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut second = claimed_resume(storage, 2, old).await;
    second
        .append(
            storage,
            [node_reused(0, old), run_finished(2, RunStatus::Failed)],
        )
        .await;
    // It is pending, so that the purge leaves it.
    let mut third = resume(3, second.run, old);
    third.inherited = vec![inherited(0, old, b"one")];
    create(storage, third).await.unwrap();
    assert_eq!(purge_all(storage).await, 2);
    assert_eq!(read_output(storage, old, 0).await, None);
    let rerun = pending_rerun(storage, 4, run_id(3)).await;
    assert_eq!(read_output(storage, rerun, 0).await.unwrap(), b"one");
}

/// A success MUST drop all outputs of its chain but its own result.
pub async fn a_success_drops_the_outputs_of_its_chain(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut new = claimed_resume(storage, 2, old).await;
    new.append(storage, [node_reused(0, old), node_reused(1, old)])
        .await;
    new.succeed(storage, 2, b"seven").await;
    new.append(storage, [run_finished(2, RunStatus::Success)])
        .await;
    for node_index in [0, 1] {
        assert_eq!(read_output(storage, old, node_index).await, None);
        assert_eq!(read_output(storage, new.run, node_index).await, None);
        assert_eq!(read_node(storage, old, node_index).await.output_hash, None);
    }
    assert_eq!(read_output(storage, new.run, 2).await.unwrap(), b"seven");
}

/// A success MUST NOT drop outputs of other chains.
pub async fn a_success_keeps_the_outputs_of_other_chains(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut other = started_run(storage, 2).await;
    other
        .append(storage, [run_finished(2, RunStatus::Success)])
        .await;
    assert_eq!(read_output(storage, old, 0).await.unwrap(), b"one");
}

/// A node that is re-executed MUST replace the inherited output, even if it stores no output
/// itself.
pub async fn an_execution_replaces_the_inherited_output(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut new = claimed_resume(storage, 2, old).await;
    new.succeed(storage, 0, b"anew").await;
    new.append(
        storage,
        [node_started(1, 1), node_finished(1, NodeStatus::Success)],
    )
    .await;
    assert_eq!(read_output(storage, new.run, 0).await.unwrap(), b"anew");
    assert_eq!(read_output(storage, new.run, 1).await, None);
    assert_eq!(read_output(storage, old, 0).await.unwrap(), b"one");
}

/// An output that is missing, or has another hash than expected, MUST NOT be inherited.
pub async fn only_an_output_with_the_expected_hash_is_inherited(storage: &dyn Storage) {
    let old = failed_run(storage).await;
    let mut run = resume(2, old, old);
    run.inherited = vec![inherited(0, old, b"other"), inherited(2, old, b"one")];
    create(storage, run).await.unwrap();
    assert_eq!(read_output(storage, run_id(2), 0).await, None);
    assert_eq!(read_output(storage, run_id(2), 2).await, None);
}
