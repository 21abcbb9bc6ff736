//! Storage faults: a transient failure costs a run nothing, and a host that has lost the lease of a
//! run does not change it.
//!
//! Faults of a SQLite file alone are left to `files`.

use std::collections::BTreeMap;
use std::time::Duration;

use floret::storage::{Claim, Queue, RunDetail};
use floret::testing::{Fault, Gate, Method, Step};
use floret::{Clock, ErrorKind, Event, EventKind, Problem, RunHandle, RunStatus};
use serde_json::json;

use crate::harness::{Host, Store, World, assert_statuses, chain, kinds, until, with_timeout};

on_every_backend! {
    an_outcome_under_a_lost_lease_is_refused_and_changes_nothing,
    an_output_under_a_lost_lease_is_refused_and_changes_nothing,
    an_output_that_storage_refuses_fails_its_node,
    an_entry_that_storage_refuses_fails_its_run,
    a_lease_lost_at_its_renewal_drops_the_run,
    a_long_outage_delays_a_run_and_loses_nothing,
    a_full_disk_delays_a_run_and_loses_nothing,
    a_cancel_request_whose_response_was_lost_takes_effect,
    a_cancel_request_whose_response_was_lost_wakes_its_waiters,
}

/// Every storage call that a run makes.
const METHODS: [Method; 9] = [
    Method::CreateRuns,
    Method::Claim,
    Method::Append,
    Method::PutOutputChunk,
    Method::FindOutput,
    Method::FindRun,
    Method::FindChain,
    Method::FindPipeline,
    Method::Events,
];

fn new_world(store: Store) -> World {
    let mut world = World::new(store).pipeline(chain("p", &["a", "b", "c"]));
    // A claim whose response was lost expires after this time.
    world.limits.lease = Duration::from_secs(1);
    world.limits.chunk_bytes_max = 512;
    world.limits.inline_output_bytes_max = 0;
    let wide = "x".repeat(400);
    let rows = (0..4).map(|row| json!({"row": row, "text": format!("{wide}{row}")}));
    world.script.script("a", [Step::rows(rows).logs("line")]);
    world
        .script
        .script("b", [Step::permanent("broken"), Step::pass_on()]);
    world
}

/// Repeats a call until it succeeds. Only transient errors may occur.
async fn retry_transient<T>(mut call: impl AsyncFnMut() -> floret::Result<T>) -> T {
    loop {
        match call().await {
            Err(error) if error.kind().is_transient() => {}
            result => return result.unwrap(),
        }
    }
}

/// Starts a run that fails, then resumes it. Returns both runs.
async fn fail_and_resume(host: &Host) -> (RunHandle, RunHandle) {
    let floret = &host.floret;
    let failed = retry_transient(async || floret.run("p").key("once").start().await).await;
    let finished = retry_transient(async || failed.finished().await).await;
    assert_eq!(finished.run.status, RunStatus::Failed);
    let resumed = loop {
        match failed.resume().await {
            Ok(run) => break run,
            // The response of the first call was lost.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let runs = host.runs().await;
                break floret.run_by_id(runs[0].id);
            }
            Err(error) => assert!(error.kind().is_transient(), "{error:?}"),
        }
    };
    let finished = retry_transient(async || resumed.finished().await).await;
    assert_eq!(
        finished.run.status,
        RunStatus::Success,
        "{:?}",
        finished.run.error
    );
    (failed, resumed)
}

async fn check(host: &Host, world: &World, case: &str) {
    let (failed, resumed) = fail_and_resume(host).await;
    assert_eq!(host.runs().await.len(), 2, "{case}");
    let expected = [("a", 1), ("b", 2), ("c", 1)];
    let expected: BTreeMap<_, _> = expected
        .map(|(node, count)| (node.to_owned(), count))
        .into();
    assert_eq!(world.calls(), expected, "{case}");
    let of_failed = [
        EventKind::RunCreated,
        EventKind::RunStarted,
        EventKind::NodeStarted,
        EventKind::Log,
        EventKind::NodeCompleted,
        EventKind::NodeStarted,
        EventKind::NodeFailed,
        EventKind::NodeSkipped,
        EventKind::RunFailed,
    ];
    assert_eq!(
        kinds(&host.events_of(failed.id()).await),
        of_failed,
        "{case}"
    );
    let of_resumed = [
        EventKind::RunCreated,
        EventKind::RunStarted,
        EventKind::NodeSkipped,
        EventKind::NodeStarted,
        EventKind::NodeCompleted,
        EventKind::NodeStarted,
        EventKind::NodeCompleted,
        EventKind::RunCompleted,
    ];
    assert_eq!(
        kinds(&host.events_of(resumed.id()).await),
        of_resumed,
        "{case}"
    );
}

/// Makes each call of each method fail once before its effect and once after it.
async fn each_call_fails_once(open: impl Fn() -> Store) {
    let world = new_world(open());
    let host = world
        .start_with(|builder| builder.clock(Clock::system()))
        .await;
    let before = METHODS.map(|method| host.storage.calls(method));
    fail_and_resume(&host).await;
    let calls = METHODS.map(|method| host.storage.calls(method));
    for ((method, before), calls) in METHODS.into_iter().zip(before).zip(calls) {
        for skip in 0..calls - before {
            for fault in [Fault::before, Fault::after] {
                let case = format!(
                    "call {skip} of {method:?}, {:?}",
                    fault(method, Problem::StorageBusy)
                );
                let world = new_world(open());
                let host = world
                    .start_with(|builder| builder.clock(Clock::system()))
                    .await;
                host.storage
                    .fail(fault(method, Problem::StorageBusy).skip(skip));
                with_timeout(&case, Box::pin(check(&host, &world, &case))).await;
            }
        }
    }
}

#[tokio::test]
async fn nothing_happens_twice_when_each_call_fails_once_in_memory() {
    Box::pin(each_call_fails_once(Store::memory)).await;
}

#[tokio::test]
async fn nothing_happens_twice_when_each_call_fails_once_on_sqlite() {
    Box::pin(each_call_fails_once(Store::sqlite)).await;
}

async fn claim_as_another_host(host: &Host, world: &World, run: &RunHandle) {
    let clock = world.clock.clock();
    let later = clock.now() + chrono::TimeDelta::days(1);
    let claim = Claim::new(clock.new_owner_id(), 10, later);
    let claims = host.storage.claim(claim).await.unwrap();
    let ids: Vec<_> = claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect();
    assert_eq!(ids, [run.id()]);
}

/// Lets another host claim the run while its node executes. Storage then refuses the write of
/// `method`.
async fn lose_lease(store: Store, step: Step, method: Method) {
    let mut world = World::new(store)
        .pipeline(chain("p", &["a", "b"]))
        .pipeline(chain("q", &["c"]));
    world.limits.runs_max = 2;
    world.limits.inline_output_bytes_max = 0;
    let gate = Gate::new();
    world.script.script("a", [step.at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    host.wait_for_events(EventKind::NodeStarted, 1).await;
    claim_as_another_host(&host, &world, &run).await;
    let before = host.stored(&run).await;
    let events = host.events_of(run.id()).await;
    let calls = host.storage.calls(method);
    gate.open();
    while host.storage.calls(method) == calls {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.run("q").await.run.status, RunStatus::Success);
    assert_eq!(host.stored(&run).await, before);
    assert_eq!(host.events_of(run.id()).await, events);
    assert_eq!(world.calls().get("b"), None);
}

async fn an_outcome_under_a_lost_lease_is_refused_and_changes_nothing(store: Store) {
    lose_lease(store, Step::nothing(), Method::Append).await;
}

async fn an_output_under_a_lost_lease_is_refused_and_changes_nothing(store: Store) {
    let rows = Step::rows([json!({"x": 1})]);
    lose_lease(store, rows, Method::PutOutputChunk).await;
}

/// Lets storage refuse a write of a node for good. Returns the run and how often it executed.
async fn refuse(store: Store, method: Method, skip: u64) -> (RunDetail, usize) {
    let mut world = World::new(store).pipeline(chain("p", &["a", "b"]));
    world.limits.lease = Duration::from_secs(7_200);
    world.limits.runs_max = 1;
    world.limits.inline_output_bytes_max = 0;
    world.script.script("a", [Step::rows([json!({"x": 1})])]);
    let host = world.start().await;
    let fault = Fault::before(method, Problem::InternalError);
    host.storage.fail(fault.skip(skip));
    let finished = host.run("p").await;
    assert_eq!(world.calls().get("b"), None);
    let executed = world.calls()["a"];
    // The slot is free again.
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
    (finished, executed)
}

async fn an_output_that_storage_refuses_fails_its_node(store: Store) {
    let (finished, executed) = refuse(store, Method::PutOutputChunk, 0).await;
    let nodes = [
        ("a", floret::NodeStatus::Failed),
        ("b", floret::NodeStatus::Skipped),
    ];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    let error = finished.run.error.unwrap();
    assert!(
        error.starts_with("node a: the output could not be stored"),
        "{error}"
    );
    assert_eq!(executed, 1);
}

async fn an_entry_that_storage_refuses_fails_its_run(store: Store) {
    let (finished, executed) = refuse(store, Method::Append, 0).await;
    assert_eq!(finished.run.status, RunStatus::Failed);
    let error = finished.run.error.unwrap();
    assert!(
        error.starts_with("storage refused an entry of the run"),
        "{error}"
    );
    assert_eq!(executed, 1, "the node is not executed again and again");
}

async fn a_lease_lost_at_its_renewal_drops_the_run(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a", "b"]));
    let gate = Gate::new();
    world
        .script
        .script("a", [Step::pass_on().at(&gate).ignores_cancel()]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    claim_as_another_host(&host, &world, &run).await;
    let before = host.stored(&run).await;
    world.advance_within(world.limits.lease).await;
    // The executor is dropped although it ignores the stop signal.
    while world.script.executing() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.stored(&run).await, before);
}

async fn outage(store: Store, problem: Problem) {
    let world = World::new(store).pipeline(chain("p", &["a", "b"]));
    let gate = Gate::new();
    world
        .script
        .script("a", [Step::rows([json!({"x": 1})]).at(&gate)]);
    let host = world
        .start_with(|builder| builder.clock(Clock::system()))
        .await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    for method in [Method::Append, Method::PutOutputChunk] {
        host.storage
            .fail(Fault::before(method, problem).times(u64::MAX));
    }
    let failed = host.storage.total_calls() + 4;
    gate.open();
    while host.storage.total_calls() < failed {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.calls().get("b"), None);
    host.storage.heal();
    let finished = run.finished().await.unwrap();
    let nodes = ["a", "b"].map(|node| (node, floret::NodeStatus::Success));
    assert_statuses(&finished, RunStatus::Success, &nodes);
    assert_eq!((world.calls()["a"], world.calls()["b"]), (1, 1));
}

async fn a_long_outage_delays_a_run_and_loses_nothing(store: Store) {
    outage(store, Problem::StorageBusy).await;
}

async fn a_full_disk_delays_a_run_and_loses_nothing(store: Store) {
    outage(store, Problem::StorageFull).await;
}

async fn a_cancel_request_whose_response_was_lost_takes_effect(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a", "b"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    let fault = Fault::after(Method::RequestCancel, Problem::StorageBusy);
    host.storage.fail(fault);
    let failed = run.cancel().await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    gate.open();
    let finished = run.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Cancelled);
    assert_eq!(world.calls().get("b"), None);
}

async fn a_cancel_request_whose_response_was_lost_wakes_its_waiters(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 1;
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let first = host.trigger("p").await;
    world.script.started("a").await;
    let waiting = host.trigger("p").await;
    let mut events = host.floret.events();
    let found = host.storage.calls(Method::FindRun);
    let waiter = {
        let waiting = waiting.clone();
        host.on_runtime(async move { waiting.finished().await })
    };
    let cancelled = async {
        while host.storage.calls(Method::FindRun) == found {
            tokio::task::yield_now().await;
        }
        host.storage
            .fail(Fault::after(Method::RequestCancel, Problem::StorageBusy));
        waiting.cancel().await.unwrap_err()
    };
    let (finished, failed) = tokio::join!(waiter, cancelled);
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    assert_eq!(finished.unwrap().run.status, RunStatus::Cancelled);
    let is_cancelled =
        |event: &Event| event.run_id == waiting.id() && event.kind == EventKind::RunCancelled;
    until(&mut events, is_cancelled).await.unwrap();
    gate.open();
    first.finished().await.unwrap();
}
