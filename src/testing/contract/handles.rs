//! What two handles of one storage share: everything.
//!
//! Only a storage whose handle is `Clone` takes this part. `durable` opens a store again.

use std::time::Duration;

use super::fixtures::{
    Driver, all_events, assert_problem, at, claim, claim_one, claimed_ids, node_started, owner,
    pending_run, put, read_node, read_run, run_finished, started_run,
};
use crate::error::Problem;
use crate::model::{NodeStatus, RunStatus, Scope};
use crate::storage::Storage;

/// What one handle writes, the other MUST read at once.
pub async fn a_write_is_read_through_the_other_handle<S: Storage + Clone>(storage: &S) {
    let (one, other) = (storage.clone(), storage.clone());
    let saved = one.put_pipeline(put("hourly")).await.unwrap();
    let found = other.find_pipeline("hourly", &Scope::All).await.unwrap();
    assert_eq!(found, Some(saved));
    let run = pending_run(&one, 1).await;
    assert_eq!(read_run(&other, run).await.run.status, RunStatus::Pending);
    let mut driver = Driver::new(&claim_one(&other, claim(1, 10), run).await);
    driver.append(&other, [node_started(0, 1)]).await;
    assert_eq!(read_node(&one, run, 0).await.status, NodeStatus::Running);
    assert_eq!(all_events(&one).await, all_events(&other).await);
    let newest = one.newest_seq().await.unwrap();
    assert_eq!(other.newest_seq().await.unwrap(), newest);
}

/// A claim through one handle MUST be renewed, appended to and lost through the other.
pub async fn a_claim_is_kept_through_the_other_handle<S: Storage + Clone>(storage: &S) {
    let (one, other) = (storage.clone(), storage.clone());
    let mut driver = started_run(&one, 1).await;
    assert_eq!(claimed_ids(&other, claim(2, 11)).await, []);
    let lease = Duration::from_secs(1_000);
    let lost = other.renew(owner(1), vec![driver.held()], lease, at(11));
    assert_eq!(lost.await.unwrap(), []);
    assert_eq!(claimed_ids(&one, claim(2, 900)).await, []);
    let end = [run_finished(1, RunStatus::Success)];
    driver.append(&other, end).await;
    let lost = one.renew(owner(1), vec![driver.held()], lease, at(12));
    assert_eq!(lost.await.unwrap(), [driver.held()]);
}

/// A storage that one handle closed MUST be closed for every handle, and dropping one MUST NOT
/// close it.
pub async fn a_close_through_one_handle_closes_the_other<S: Storage + Clone>(storage: &S) {
    let (one, other) = (storage.clone(), storage.clone());
    drop(storage.clone());
    pending_run(&other, 1).await;
    one.close().await.unwrap();
    assert_problem(other.newest_run().await, Problem::ShuttingDown);
    assert_problem(other.claim(claim(1, 10)).await, Problem::ShuttingDown);
    other.close().await.unwrap();
}

/// Creates a test for every promise about two handles of one storage, whose handle is `Clone`.
///
/// The argument is the same as that of [`storage_contract!`](crate::storage_contract).
///
/// ```
/// # mod tests {
/// use floret::storage::MemoryStorage;
///
/// floret::handles_contract!(async |_| MemoryStorage::default());
/// # }
/// ```
#[macro_export]
macro_rules! handles_contract {
    ($open:expr) => {
        $crate::handles_contract! { @as modules $open }
    };
    (@as $form:ident $open:expr) => {
        $crate::storage_contract! { @$form $open,
            handles: [
                a_write_is_read_through_the_other_handle,
                a_claim_is_kept_through_the_other_handle,
                a_close_through_one_handle_closes_the_other,
            ],
        }
    };
}
