//! What a resume holds of the runs before it.
//!
//! What a run keeps of its own is promised in `outputs`.

use super::fixtures::{
    Driver, at, claim, claim_one, create, end_of, finished, hash, node, output, purge_all, resume,
    reused, run_id, running, started,
};
use crate::model::{Cancel, InheritedOutput, NodeIndex, NodeStatus, RunId, RunStatus};
use crate::storage::{CancelRequest, Storage};

fn inherited(node_index: NodeIndex, from: RunId, bytes: &[u8]) -> InheritedOutput {
    let mut inherited = InheritedOutput::new(node_index, from, node_index);
    inherited.has_dataset = true;
    inherited.output_hash = Some(hash(bytes));
    inherited
}

/// Run 1: `load` handed on `one`, `sum` on `four`, then it failed.
async fn failed(storage: &dyn Storage) -> RunId {
    let mut driver = running(storage, 1).await;
    driver.succeed(storage, 0, b"one").await;
    driver.succeed(storage, 1, b"four").await;
    driver.append(storage, [end_of(1, RunStatus::Failed)]).await;
    driver.run
}

/// Run `n` resumes `old` and takes over what run 1 did; it is claimed.
async fn resumed(storage: &dyn Storage, n: u64, old: RunId) -> Driver {
    let first = run_id(1);
    let mut run = resume(n, old, first);
    run.inherited = vec![inherited(0, first, b"one"), inherited(1, first, b"four")];
    create(storage, run).await.unwrap();
    Driver::of(&claim_one(storage, claim(1, 10), run_id(n)).await)
}

/// A resume reads the outputs that it inherits, before and after it skipped their nodes.
pub async fn a_resume_reads_what_it_inherits(storage: &dyn Storage) {
    let old = failed(storage).await;
    let mut new = resumed(storage, 2, old).await;
    assert_eq!(output(storage, new.run, 0).await.unwrap(), b"one");
    new.append(storage, [reused(0, old), reused(1, old)]).await;
    assert_eq!(output(storage, new.run, 0).await.unwrap(), b"one");
    assert_eq!(output(storage, new.run, 1).await.unwrap(), b"four");
    assert_eq!(output(storage, new.run, 2).await, None);
    let row = node(storage, new.run, 0).await;
    assert_eq!(row.output_hash, Some(hash(b"one")));
}

/// What a run takes over comes back with it.
pub async fn what_is_inherited_is_read_with_the_run(storage: &dyn Storage) {
    let old = failed(storage).await;
    let mut run = resume(2, old, old);
    let mut taken = inherited(0, old, b"one");
    taken.row_count = Some(17);
    run.inherited = vec![taken, InheritedOutput::new(2, old, 2)];
    create(storage, run.clone()).await.unwrap();
    let claimed = claim_one(storage, claim(1, 10), run.id).await;
    assert_eq!(claimed.run.inherited, run.inherited);
}

/// A purge of the run that made an output pulls nothing from under a resume.
pub async fn an_inherited_output_survives_the_purge_of_its_run(storage: &dyn Storage) {
    let old = failed(storage).await;
    let mut new = resumed(storage, 2, old).await;
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(output(storage, old, 0).await, None);
    assert_eq!(output(storage, new.run, 0).await.unwrap(), b"one");
    new.append(storage, [reused(0, old), reused(1, old)]).await;
    assert_eq!(output(storage, new.run, 1).await.unwrap(), b"four");
}

/// An output goes on along a chain of which the first run was purged.
pub async fn an_inherited_output_goes_on_along_the_chain(storage: &dyn Storage) {
    let old = failed(storage).await;
    let mut second = resumed(storage, 2, old).await;
    assert_eq!(purge_all(storage).await, 1);
    second
        .append(storage, [reused(0, old), end_of(2, RunStatus::Failed)])
        .await;
    let third = resumed(storage, 3, second.run).await;
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(output(storage, second.run, 0).await, None);
    assert_eq!(output(storage, third.run, 0).await.unwrap(), b"one");
}

/// A failed resume and a cancelled one keep what they inherited.
pub async fn a_failed_or_cancelled_resume_keeps_what_it_inherited(storage: &dyn Storage) {
    let old = failed(storage).await;
    let mut second = resumed(storage, 2, old).await;
    second.append(storage, [end_of(2, RunStatus::Failed)]).await;
    assert_eq!(output(storage, second.run, 0).await.unwrap(), b"one");
    let mut third = resumed(storage, 3, old).await;
    let cancel = CancelRequest::new(third.run, Cancel::Plain, at(50));
    storage.request_cancel(cancel).await.unwrap();
    third
        .append(storage, [end_of(3, RunStatus::Cancelled)])
        .await;
    assert_eq!(output(storage, third.run, 0).await.unwrap(), b"one");
    assert_eq!(output(storage, old, 0).await.unwrap(), b"one");
}

/// A success drops the outputs of its whole chain but its own result.
pub async fn a_success_drops_the_outputs_of_its_chain(storage: &dyn Storage) {
    let old = failed(storage).await;
    let mut new = resumed(storage, 2, old).await;
    new.append(storage, [reused(0, old), reused(1, old)]).await;
    new.succeed(storage, 2, b"seven").await;
    new.append(storage, [end_of(2, RunStatus::Success)]).await;
    for node_index in [0, 1] {
        assert_eq!(output(storage, old, node_index).await, None);
        assert_eq!(output(storage, new.run, node_index).await, None);
        assert_eq!(node(storage, old, node_index).await.output_hash, None);
    }
    assert_eq!(output(storage, new.run, 2).await.unwrap(), b"seven");
}

/// The success of one chain leaves other chains alone.
pub async fn a_success_leaves_other_chains_alone(storage: &dyn Storage) {
    let old = failed(storage).await;
    let mut other = running(storage, 2).await;
    other.append(storage, [end_of(2, RunStatus::Success)]).await;
    assert_eq!(output(storage, old, 0).await.unwrap(), b"one");
}

/// A node that is executed again takes the place of what was inherited, even if its new output is
/// not kept.
pub async fn an_execution_takes_the_place_of_what_was_inherited(storage: &dyn Storage) {
    let old = failed(storage).await;
    let mut new = resumed(storage, 2, old).await;
    new.succeed(storage, 0, b"anew").await;
    new.append(storage, [started(1, 1), finished(1, NodeStatus::Success)])
        .await;
    assert_eq!(output(storage, new.run, 0).await.unwrap(), b"anew");
    assert_eq!(output(storage, new.run, 1).await, None);
    assert_eq!(output(storage, old, 0).await.unwrap(), b"one");
}

/// An output that is gone, or another than was meant, is not inherited.
pub async fn only_the_output_that_was_meant_is_inherited(storage: &dyn Storage) {
    let old = failed(storage).await;
    let mut run = resume(2, old, old);
    run.inherited = vec![inherited(0, old, b"other"), inherited(2, old, b"one")];
    create(storage, run).await.unwrap();
    assert_eq!(output(storage, run_id(2), 0).await, None);
    assert_eq!(output(storage, run_id(2), 2).await, None);
}
