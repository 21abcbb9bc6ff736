//! The claims of runs of a backfill: their order, their limits and their priority.
//!
//! `queue` covers what applies to every claim.

use std::sync::Arc;

use super::fixtures::{
    Driver, claim, claimed_ids, create, definition, new_backfill, new_run, owner, pipeline_id, put,
    run_finished, run_id, save,
};
use crate::model::{BackfillOrder, RunStatus, Trigger};
use crate::storage::{Claim, CreateRuns, Storage};

fn with_limits(mut create: CreateRuns, order: BackfillOrder, max_parallel: u32) -> CreateRuns {
    let backfill = &mut create.backfill.as_mut().unwrap().backfill;
    (backfill.order, backfill.max_parallel) = (order, max_parallel);
    create
}

async fn succeed(storage: &dyn Storage, mut driver: Driver) {
    let outcome = run_finished(1, RunStatus::Success);
    driver.append(storage, [outcome]).await;
}

/// The runs of a backfill MUST be claimed in its order, by ascending or by descending date.
pub async fn a_backfill_is_claimed_in_its_order(storage: &dyn Storage) {
    save(storage, "daily").await;
    for (first, order, expected) in [
        (1, BackfillOrder::Ascending, [1, 2, 3]),
        (11, BackfillOrder::Descending, [13, 12, 11]),
    ] {
        let create = with_limits(new_backfill(first, "daily", first, 3), order, 1);
        storage.create_runs(create).await.unwrap();
        for n in expected {
            let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
            assert_eq!(claimed.len(), 1);
            assert_eq!(claimed[0].run.id, run_id(n));
            succeed(storage, Driver::new(&claimed[0])).await;
        }
        assert_eq!(claimed_ids(storage, claim(1, 10)).await, []);
    }
}

/// A claim that takes several runs of a backfill MUST return them in its order.
pub async fn a_claim_of_several_runs_keeps_the_order(storage: &dyn Storage) {
    save(storage, "daily").await;
    let newest_first = with_limits(new_backfill(1, "daily", 1, 4), BackfillOrder::Descending, 3);
    storage.create_runs(newest_first).await.unwrap();
    let order = claimed_ids(storage, claim(1, 10)).await;
    assert_eq!(order, [4, 3, 2].map(run_id));
}

/// More than `max_parallel` runs of a backfill MUST NOT run at the same time, whichever owner
/// claims them. Orphans count.
pub async fn a_claim_respects_the_limit_of_a_backfill(storage: &dyn Storage) {
    save(storage, "daily").await;
    let two_at_once = with_limits(new_backfill(1, "daily", 1, 5), BackfillOrder::Ascending, 2);
    storage.create_runs(two_at_once).await.unwrap();
    let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
    let drivers: Vec<_> = claimed.iter().map(Driver::new).collect();
    assert_eq!(drivers.len(), 2);
    assert_eq!(claimed_ids(storage, claim(2, 10)).await, []);
    let orphans = storage.claim(claim(2, 100)).await.unwrap().claimed;
    assert_eq!(orphans.len(), 2, "their leases have expired");
    let held = orphans.iter().map(|claimed| Driver::new(claimed).held());
    storage.release(owner(2), held.collect()).await.unwrap();
    let again = storage.claim(claim(3, 100)).await.unwrap().claimed;
    let ids: Vec<_> = again.iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(ids, [1, 2].map(run_id), "they were released");
    succeed(storage, Driver::new(&again[0])).await;
    let next = claimed_ids(storage, claim(4, 100)).await;
    assert_eq!(next, [run_id(3)]);
}

/// The limit of a pipeline MUST apply to the runs of its backfills, in addition to their own
/// limits.
pub async fn the_limit_of_a_pipeline_applies_to_its_backfills(storage: &dyn Storage) {
    let mut limited = put("daily");
    limited.definition = Arc::new(definition("daily").max_concurrent_runs(3));
    storage.put_pipeline(limited).await.unwrap();
    for n in [1, 2] {
        let two_at_once = with_limits(
            new_backfill(n, "daily", n * 10, 3),
            BackfillOrder::Ascending,
            2,
        );
        storage.create_runs(two_at_once).await.unwrap();
    }
    let claimed = claimed_ids(storage, claim(1, 10)).await;
    assert_eq!(claimed, [10, 11, 20].map(run_id));
    assert_eq!(claimed_ids(storage, claim(2, 10)).await, []);
}

/// Manual and scheduled runs MUST be claimed before the runs of any backfill. A backfill at its
/// limit MUST NOT delay another one.
pub async fn a_backfill_has_the_lowest_priority(storage: &dyn Storage) {
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

/// A manual run MUST get the next slot that a backfill of a thousand runs frees.
pub async fn a_manual_run_takes_the_next_slot_of_a_long_backfill(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    let all = with_limits(
        new_backfill(1, "daily", 1, 1_000),
        BackfillOrder::Ascending,
        5,
    );
    storage.create_runs(all).await.unwrap();
    let five = |owner: u64, count_max: u32| {
        let mut claim: Claim = claim(owner, 10);
        (claim.count_max, claim.runs_max) = (count_max, 5);
        claim
    };
    let claimed = storage.claim(five(1, 5)).await.unwrap().claimed;
    assert_eq!(claimed.len(), 5);
    let mut manual = new_run(2_000, "hourly");
    manual.pipeline_id = pipeline_id("hourly");
    create(storage, manual).await.unwrap();
    assert_eq!(claimed_ids(storage, five(2, 5)).await, []);
    succeed(storage, Driver::new(&claimed[0])).await;
    assert_eq!(claimed_ids(storage, five(3, 1)).await, [run_id(2_000)]);
}
