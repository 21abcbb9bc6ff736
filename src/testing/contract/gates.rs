//! Gates: when the runs of a pipeline wait for another pipeline.
//!
//! `upstream_ends` has the runs that others start.

use std::sync::Arc;
use std::time::Duration;

use super::backfill_fixtures::new_backfill;
use super::fixtures::{
    Driver, at, claim, claim_one, claimed_ids, create, definition, new_run, pipeline_id, put,
    run_finished, run_id, save, scope,
};
use super::schedules::{advance, hourly, only_schedule, save_at, tick};
use crate::model::{
    Cancel, DependencyRule, DependencyState, LaneClass, Overlap, RunStatus, Scope, SkipReason,
    Trigger,
};
use crate::storage::{
    CancelRequest, Claim, CreateRuns, DeletePipeline, NewRun, Storage, StoredPipeline, TickOutcome,
};

/// Saves [`definition`] with these dependencies.
pub(crate) async fn put_rules(
    storage: &dyn Storage,
    id: &str,
    rules: Vec<DependencyRule>,
) -> StoredPipeline {
    let mut put = put(id);
    let mut definition = definition(id);
    definition.dependency_rules = rules;
    put.definition = Arc::new(definition);
    storage.put_pipeline(put).await.unwrap()
}

/// Saves `report`, which depends on `load`.
async fn save_gated(storage: &dyn Storage, rule: DependencyRule) {
    put_rules(storage, "report", vec![rule]).await;
}

/// Ends run `n` of a pipeline with this status, at second 1,000 + `n`. No other run may be
/// claimable.
pub(crate) async fn end_run(storage: &dyn Storage, n: u64, pipeline: &str, status: RunStatus) {
    create(storage, new_run(n, pipeline)).await.unwrap();
    end_pending(storage, n, status).await;
}

/// Ends a pending run.
pub(super) async fn end_pending(storage: &dyn Storage, n: u64, status: RunStatus) {
    let claimed = claim_one(storage, claim(1_000 + n, 10), run_id(n)).await;
    let mut driver = Driver::new(&claimed);
    driver.append(storage, [run_finished(n, status)]).await;
}

/// Asserts that run 1 of `report` waits, or that a claim at this second starts it.
async fn assert_waits(storage: &dyn Storage, seconds: i64, waits: bool) {
    let expected = if waits { vec![] } else { vec![run_id(1)] };
    assert_eq!(claimed_ids(storage, claim(1, seconds)).await, expected);
}

/// The runs behind a gate MUST wait until the upstream has ended as the rule asks, whatever their
/// trigger is. The runs of others MUST NOT wait.
pub async fn runs_wait_until_the_upstream_has_succeeded(storage: &dyn Storage) {
    save(storage, "load").await;
    save_gated(storage, DependencyRule::gate("load")).await;
    for (n, trigger) in (1..).zip(Trigger::ALL) {
        let mut run = new_run(n, "report");
        run.trigger = trigger;
        create(storage, run).await.unwrap();
    }
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, []);
    end_run(storage, 50, "load", RunStatus::Failed).await;
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, []);
    end_run(storage, 51, "load", RunStatus::Success).await;
    let started = claimed_ids(storage, claim(1, 10)).await;
    // One run of a schedule executes at a time. All others start.
    let is_manual = |trigger: &Trigger| trigger.lane_class() != LaneClass::Schedule;
    let others = Trigger::ALL.iter().copied().filter(is_manual).count();
    assert_eq!(started.len(), others + 1);
}

/// The run that ends last MUST decide, whatever order the runs were created in. A run that has not
/// started, or that a backfill created, MUST NOT count.
pub async fn the_run_that_ends_last_decides(storage: &dyn Storage) {
    save(storage, "load").await;
    save_gated(storage, DependencyRule::gate("load")).await;
    create(storage, new_run(1, "report")).await.unwrap();
    for n in [50, 51] {
        create(storage, new_run(n, "load")).await.unwrap();
    }
    let claims = storage.claim(claim(2, 10)).await.unwrap();
    let mut drivers: Vec<_> = claims.claimed.iter().map(Driver::new).collect();
    drivers[1]
        .append(storage, [run_finished(51, RunStatus::Success)])
        .await;
    drivers[0]
        .append(storage, [run_finished(52, RunStatus::Failed)])
        .await;
    assert_waits(storage, 10, true).await;
    end_run(storage, 60, "load", RunStatus::Success).await;

    create(storage, new_run(61, "load")).await.unwrap();
    let cancel = CancelRequest::new(run_id(61), Cancel::Plain, at(2_000));
    storage.request_cancel(cancel).await.unwrap();
    let backfill = new_backfill(1, "load", 70, 1);
    storage.create_runs(backfill).await.unwrap();
    let mut only_backfill = claim(3, 10);
    only_backfill.count_max = 2;
    let claims = storage.claim(only_backfill).await.unwrap();
    let ids: Vec<_> = claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect();
    assert_eq!(ids, [run_id(1), run_id(70)], "the gate is still open");
    let mut driver = Driver::new(&claims.claimed[1]);
    driver
        .append(storage, [run_finished(70, RunStatus::Failed)])
        .await;
    create(storage, new_run(2, "report")).await.unwrap();
    let mut next = claim(3, 10);
    next.held = vec![Driver::new(&claims.claimed[0]).held()];
    assert_eq!(claimed_ids(storage, next).await, [run_id(2)]);
}

/// A rule MUST accept the statuses of its state alone.
pub async fn a_gate_accepts_the_statuses_of_its_state(storage: &dyn Storage) {
    save(storage, "load").await;
    let mut n = 50;
    for (state, accepted) in [
        (DependencyState::Succeeded, [true, false, false]),
        (DependencyState::Failed, [false, true, false]),
        (DependencyState::Completed, [true, true, true]),
    ] {
        let statuses = [RunStatus::Success, RunStatus::Failed, RunStatus::Cancelled];
        for (status, opens) in statuses.into_iter().zip(accepted) {
            end_run(storage, n, "load", status).await;
            save_gated(storage, DependencyRule::gate("load").state(state)).await;
            create(storage, new_run(n + 1, "report")).await.unwrap();
            let started = claimed_ids(storage, claim(n, 10)).await;
            assert_eq!(started.len(), usize::from(opens), "{state:?} {status:?}");
            // What is left would start with the next gate.
            save_gated(storage, DependencyRule::gate("absent")).await;
            let cancel = CancelRequest::new(run_id(n + 1), Cancel::Plain, at(2_000));
            storage.request_cancel(cancel).await.unwrap();
            n += 2;
        }
    }
}

/// A gate MUST close when the time of its rule is over, counted from the end.
pub async fn a_gate_closes_when_its_time_is_over(storage: &dyn Storage) {
    save(storage, "load").await;
    save_gated(
        storage,
        DependencyRule::gate("load").within(Duration::from_secs(60)),
    )
    .await;
    create(storage, new_run(1, "report")).await.unwrap();
    // It ends at second 1,050.
    end_run(storage, 50, "load", RunStatus::Success).await;
    assert_waits(storage, 1_111, true).await;
    assert_waits(storage, 1_110, false).await;
}

/// A rule MUST know the end of the upstream from before it was saved.
pub async fn a_gate_knows_earlier_ends(storage: &dyn Storage) {
    save(storage, "load").await;
    save(storage, "clean").await;
    end_run(storage, 50, "load", RunStatus::Success).await;
    end_run(storage, 51, "clean", RunStatus::Failed).await;
    end_run(storage, 52, "clean", RunStatus::Success).await;
    put_rules(
        storage,
        "report",
        vec![DependencyRule::gate("load"), DependencyRule::gate("clean")],
    )
    .await;
    create(storage, new_run(1, "report")).await.unwrap();
    assert_waits(storage, 10, false).await;
    // An upstream whose last dependent is gone is read again.
    put_rules(storage, "report", Vec::new()).await;
    end_run(storage, 53, "load", RunStatus::Failed).await;
    save_gated(storage, DependencyRule::gate("load")).await;
    create(storage, new_run(2, "report")).await.unwrap();
    assert_eq!(claimed_ids(storage, held_by_one()).await, []);
}

/// Returns a claim of another owner while the lease of owner 1 runs.
fn held_by_one() -> Claim {
    claim(9, 11)
}

/// A gate MUST be closed while its upstream does not exist, and after it is deleted. A pipeline of
/// another tenant MUST NOT open it.
pub async fn an_absent_upstream_keeps_a_gate_closed(storage: &dyn Storage) {
    save_gated(storage, DependencyRule::gate("load")).await;
    create(storage, new_run(1, "report")).await.unwrap();
    let mut other = put("load");
    other.scope = scope("acme");
    storage.put_pipeline(other).await.unwrap();
    let mut run = new_run(50, "load");
    run.tenant = scope("acme").tenant().cloned();
    create(storage, run).await.unwrap();
    end_pending(storage, 50, RunStatus::Success).await;
    assert_waits(storage, 10, true).await;
    save_own(storage).await;
    end_own(storage, 51, 1).await;
    let mut delete = DeletePipeline::new(pipeline_id("load"), at(9));
    delete.scope = Scope::NoTenant;
    storage.delete_pipeline(delete).await.unwrap();
    assert_waits(storage, 10, true).await;
    save_own(storage).await;
    assert_waits(storage, 10, true).await;
    // A rule that is saved now does not find the end from before the deletion either.
    save_gated(storage, DependencyRule::gate("other")).await;
    save_gated(storage, DependencyRule::gate("load")).await;
    assert_waits(storage, 10, true).await;
    end_own(storage, 62, 2).await;
    assert_waits(storage, 10, false).await;
}

/// Without a tick in its way, a schedule's tick MUST create a run that waits. With the overlap rule
/// `skip`, the next one MUST be skipped as blocked while that run waits for its gate.
pub async fn a_tick_behind_a_waiting_run_is_blocked(storage: &dyn Storage) {
    save(storage, "load").await;
    let gated = hourly().overlap(Overlap::Skip).depends_on("load");
    save_at(storage, gated, 0).await;
    let first = tick(&only_schedule(storage).await, 1, 60);
    assert_eq!(advance(storage, first).await, TickOutcome::Created);
    let second = tick(&only_schedule(storage).await, 2, 120);
    let blocked = TickOutcome::Skipped(SkipReason::Blocked);
    assert_eq!(advance(storage, second).await, blocked);
    assert_eq!(
        only_schedule(storage).await.skipped,
        Some(SkipReason::Blocked)
    );
    end_run(storage, 50, "load", RunStatus::Success).await;
    let third = tick(&only_schedule(storage).await, 3, 180);
    let overlap = TickOutcome::Skipped(SkipReason::Overlap);
    assert_eq!(advance(storage, third).await, overlap);
    // A run that executes does not wait for the gate.
    claim_one(storage, claim(1, 10), run_id(1)).await;
    end_run(storage, 51, "load", RunStatus::Failed).await;
    let fourth = tick(&only_schedule(storage).await, 4, 240);
    assert_eq!(advance(storage, fourth).await, overlap);
}

/// Rules that close a circle MUST be refused, and change nothing. The pipelines of two tenants MUST
/// NOT be taken for one another.
pub async fn a_circle_of_dependencies_is_refused(storage: &dyn Storage) {
    put_rules(storage, "c", vec![DependencyRule::any("b")]).await;
    put_rules(storage, "b", vec![DependencyRule::all("a")]).await;
    let mut circle = put("a");
    circle.definition = definition("a").depends_on("c").into();
    let refused = storage.put_pipeline(circle.clone()).await.unwrap_err();
    assert_eq!(refused.slug(), "dependency-cycle");
    let message = refused.to_string();
    assert!(message.ends_with("a → c → b → a"), "{message}");
    let mut itself = put("a");
    itself.definition = definition("a").depends_on("a").into();
    let refused = storage.put_pipeline(itself).await.unwrap_err();
    assert!(refused.to_string().ends_with("a → a"), "{refused}");
    circle.scope = scope("acme");
    storage.put_pipeline(circle).await.unwrap();
    // An edit that ends the circle lets the same definition in.
    put_rules(storage, "b", Vec::new()).await;
    let mut again = put("a");
    again.scope = Scope::NoTenant;
    again.definition = definition("a").depends_on("c").into();
    storage.put_pipeline(again).await.unwrap();
}

/// Saves `load` without a tenant, at second 60 if it does not exist.
async fn save_own(storage: &dyn Storage) {
    let mut own = put("load");
    (own.scope, own.now) = (Scope::NoTenant, at(60));
    storage.put_pipeline(own).await.unwrap();
}

/// Ends a run of `load` without a tenant, on this version of it.
async fn end_own(storage: &dyn Storage, n: u64, version: u32) {
    let mut run = new_run(n, "load");
    run.pipeline_version = version;
    let mut own = CreateRuns::new(vec![NewRun::new(run)]);
    own.scope = Scope::NoTenant;
    storage.create_runs(own).await.unwrap();
    end_pending(storage, n, RunStatus::Success).await;
}
