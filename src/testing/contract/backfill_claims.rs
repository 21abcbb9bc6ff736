//! Which runs of a backfill execute: in its order, as many at once as it may, behind everything
//! else.
//!
//! What holds of every claim is promised in `queue`.

use std::sync::Arc;

use super::fixtures::{
    Driver, claim, claimed_ids, create, definition, end_of, new_backfill, new_run, owner,
    pipeline_id, put, run_id, save,
};
use crate::model::{BackfillOrder, RunStatus, Trigger};
use crate::storage::{Claim, CreateRuns, Storage};

fn with(mut create: CreateRuns, order: BackfillOrder, max_parallel: u32) -> CreateRuns {
    let backfill = &mut create.backfill.as_mut().unwrap().backfill;
    (backfill.order, backfill.max_parallel) = (order, max_parallel);
    create
}

async fn end(storage: &dyn Storage, mut driver: Driver) {
    let end = end_of(1, RunStatus::Success);
    driver.append(storage, [end]).await;
}

/// One run at a time, the oldest or the newest date first.
pub async fn a_backfill_is_executed_in_its_order(storage: &dyn Storage) {
    save(storage, "daily").await;
    for (first, order, expected) in [
        (1, BackfillOrder::Ascending, [1, 2, 3]),
        (11, BackfillOrder::Descending, [13, 12, 11]),
    ] {
        let create = with(new_backfill(first, "daily", first, 3), order, 1);
        storage.create_runs(create).await.unwrap();
        for n in expected {
            let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
            assert_eq!(claimed.len(), 1);
            assert_eq!(claimed[0].run.id, run_id(n));
            end(storage, Driver::of(&claimed[0])).await;
        }
        assert_eq!(claimed_ids(storage, claim(1, 10)).await, []);
    }
}

/// A claim that takes several runs of a backfill takes them in its order.
pub async fn a_claim_of_several_runs_keeps_the_order(storage: &dyn Storage) {
    save(storage, "daily").await;
    let newest_first = with(new_backfill(1, "daily", 1, 4), BackfillOrder::Descending, 3);
    storage.create_runs(newest_first).await.unwrap();
    let order = claimed_ids(storage, claim(1, 10)).await;
    assert_eq!(order, [4, 3, 2].map(run_id));
}

/// No more runs of a backfill execute at once than it may, whoever claims them, orphans included.
pub async fn no_more_runs_execute_than_a_backfill_may(storage: &dyn Storage) {
    save(storage, "daily").await;
    let two = with(new_backfill(1, "daily", 1, 5), BackfillOrder::Ascending, 2);
    storage.create_runs(two).await.unwrap();
    let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
    let drivers: Vec<_> = claimed.iter().map(Driver::of).collect();
    assert_eq!(drivers.len(), 2);
    assert_eq!(claimed_ids(storage, claim(2, 10)).await, []);
    let orphans = storage.claim(claim(2, 100)).await.unwrap().claimed;
    assert_eq!(orphans.len(), 2, "their leases ran out");
    let held = orphans.iter().map(|claimed| Driver::of(claimed).held());
    storage.release(owner(2), held.collect()).await.unwrap();
    let again = storage.claim(claim(3, 100)).await.unwrap().claimed;
    let ids: Vec<_> = again.iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(ids, [1, 2].map(run_id), "they were given back");
    end(storage, Driver::of(&again[0])).await;
    let next = claimed_ids(storage, claim(3, 100)).await;
    assert_eq!(next, [run_id(3)]);
}

/// The limit of the pipeline holds beside those of its backfills.
pub async fn a_pipelines_limit_bounds_its_backfills(storage: &dyn Storage) {
    let mut limited = put("daily");
    limited.definition = Arc::new(definition("daily").max_concurrent_runs(3));
    storage.put_pipeline(limited).await.unwrap();
    for n in [1, 2] {
        let two = with(
            new_backfill(n, "daily", n * 10, 3),
            BackfillOrder::Ascending,
            2,
        );
        storage.create_runs(two).await.unwrap();
    }
    let claimed = claimed_ids(storage, claim(1, 10)).await;
    assert_eq!(claimed, [10, 11, 20].map(run_id));
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, []);
}

/// What a caller or a schedule asks for goes before every backfill, and a backfill at its limit
/// holds up no other.
pub async fn a_backfill_goes_behind_everything_else(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    for (n, pipeline, first) in [(1, "daily", 1), (2, "hourly", 11)] {
        let create = new_backfill(n, pipeline, first, 3);
        storage.create_runs(create).await.unwrap();
    }
    for (n, trigger) in [(20, Trigger::Schedule), (21, Trigger::Manual)] {
        let mut run = new_run(n, "daily");
        run.trigger = trigger;
        create(storage, run).await.unwrap();
    }
    let order = claimed_ids(storage, claim(1, 10)).await;
    assert_eq!(order, [21, 20, 1, 11].map(run_id));
}

/// A manual trigger takes the slot that a backfill of a thousand leaves next.
pub async fn a_trigger_takes_the_next_slot_of_a_long_backfill(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    let all = with(
        new_backfill(1, "daily", 1, 1_000),
        BackfillOrder::Ascending,
        5,
    );
    storage.create_runs(all).await.unwrap();
    let five = |count_max: u32| {
        let mut claim: Claim = claim(1, 10);
        (claim.count_max, claim.runs_max) = (count_max, 5);
        claim
    };
    let claimed = storage.claim(five(5)).await.unwrap().claimed;
    assert_eq!(claimed.len(), 5);
    let mut manual = new_run(2_000, "hourly");
    manual.pipeline_id = pipeline_id("hourly");
    create(storage, manual).await.unwrap();
    assert_eq!(claimed_ids(storage, five(5)).await, []);
    end(storage, Driver::of(&claimed[0])).await;
    assert_eq!(claimed_ids(storage, five(1)).await, [run_id(2_000)]);
}
