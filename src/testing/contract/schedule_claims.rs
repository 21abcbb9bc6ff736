//! The claims of runs of a schedule: one at a time, orphans first.
//!
//! The promises for every claim are in `queue`.

use super::fixtures::{
    Driver, assert_kind, claim, claim_one, claimed_ids, create, new_run, run_finished, run_id, save,
};
use crate::error::ErrorKind;
use crate::model::{RunStatus, Trigger};
use crate::storage::Storage;

/// The next run of a schedule MUST NOT be claimed before the previous one has finished. Other runs
/// of the pipeline MUST NOT wait for it.
pub async fn runs_of_a_schedule_execute_one_at_a_time(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    for (n, pipeline, trigger) in [
        (1, "daily", Trigger::Catchup),
        (2, "daily", Trigger::Schedule),
        (3, "daily", Trigger::Schedule),
        (4, "daily", Trigger::Manual),
        (5, "daily", Trigger::Backfill),
        (6, "hourly", Trigger::Schedule),
    ] {
        let mut run = new_run(n, pipeline);
        run.trigger = trigger;
        create(storage, run).await.unwrap();
    }
    let mut first = claim(1, 10);
    first.count_max = 2;
    let claims = storage.claim(first).await.unwrap().claimed;
    let claimed: Vec<_> = claims.iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(claimed, [4, 1].map(run_id));
    assert_eq!(claimed_ids(storage, claim(2, 10)).await, [6, 5].map(run_id));
    let mut driver = Driver::new(&claims[1]);
    for n in [2, 3] {
        assert_eq!(claimed_ids(storage, claim(10 + n, 20)).await, []);
        driver
            .append(storage, [run_finished(n - 1, RunStatus::Success)])
            .await;
        driver = Driver::new(&claim_one(storage, claim(20 + n, 30), run_id(n)).await);
    }
}

/// An orphan of a schedule MUST be claimed first. The next run MUST wait until the orphan has
/// finished.
pub async fn an_orphan_of_a_schedule_blocks_its_next_run(storage: &dyn Storage) {
    save(storage, "daily").await;
    for n in [1, 2] {
        let mut run = new_run(n, "daily");
        run.trigger = Trigger::Schedule;
        create(storage, run).await.unwrap();
    }
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [run_id(1)]);
    let again = claim_one(storage, claim(2, 1_000), run_id(1)).await;
    assert_eq!(claimed_ids(storage, claim(3, 1_000)).await, []);
    let mut driver = Driver::new(&again);
    let refusal = storage
        .append(Driver { epoch: 0, ..driver }.next_append([]))
        .await;
    assert_kind(refusal, ErrorKind::StaleEpoch);
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    assert_eq!(claimed_ids(storage, claim(2, 1_100)).await, [run_id(2)]);
}
