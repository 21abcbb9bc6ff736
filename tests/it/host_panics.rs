//! Panics of the host's code around the attempts of a run, and writes that storage refuses: the run
//! ends, and its slot is free.
//!
//! Panics of async functions are left to `panics`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use floret::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use floret::storage::RunDetail;
use floret::testing::{Fault, Gate, Method, Step};
use floret::{Clock, Issue, Node, Pipeline, Problem, RunHandle, RunStatus};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use tower::{BoxError, Service};

use crate::harness::{Host, STEP, Store, World, chain, with_timeout};

on_every_backend! {
    a_thousand_panics_of_services_cost_no_slot,
    a_panic_in_the_effect_of_an_executor_costs_no_run,
    each_entry_that_is_refused_fails_its_run,
    a_run_whose_entries_are_always_refused_is_poisoned,
    a_forced_cancel_ends_a_run_whose_entries_are_refused,
    a_release_that_fails_costs_no_run,
}

/// Where a service panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Clone,
    Readiness,
    Call,
    Future,
    FutureDrop,
    ServiceDrop,
    Output,
}

const PLACES: [Place; 7] = [
    Place::Clone,
    Place::Readiness,
    Place::Call,
    Place::Future,
    Place::FutureDrop,
    Place::ServiceDrop,
    Place::Output,
];

/// The circumstances in which a service panics.
const STATES: [&str; 6] = [
    "alone",
    "retried",
    "between",
    "beside",
    "cancelled",
    "forced",
];
/// 24 × 7 × 6 = 1,008 panics.
const ROUNDS: usize = 24;

/// A service that panics at one place.
struct Fragile {
    place: Place,
    is_clone: bool,
}

impl Fragile {
    const fn new(place: Place) -> Self {
        Self {
            place,
            is_clone: false,
        }
    }

    fn panic_at(&self, place: Place) {
        assert!(self.place != place, "fragile {place:?}");
    }
}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        self.panic_at(Place::Clone);
        Self {
            place: self.place,
            is_clone: true,
        }
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        if self.is_clone {
            self.panic_at(Place::ServiceDrop);
        }
    }
}

/// A row that may panic while it is serialized.
struct Row(Place);

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != Place::Output, "fragile Output");
        serializer.collect_map([("n", 1)])
    }
}

struct PanicsWhenDropped(Place);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        assert!(self.0 != Place::FutureDrop, "fragile FutureDrop");
    }
}

impl Service<NodeCall> for Fragile {
    type Response = Vec<Row>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Vec<Row>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.panic_at(Place::Readiness);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: NodeCall) -> Self::Future {
        self.panic_at(Place::Call);
        let place = self.place;
        Box::pin(async move {
            let _guard = PanicsWhenDropped(place);
            tokio::task::yield_now().await;
            assert!(place != Place::Future, "fragile Future");
            if call.ctx.pipeline_id.as_str().starts_with("forced") {
                call.ctx.cancel.cancelled().await;
            }
            Ok(vec![Row(place)])
        })
    }
}

/// Returns the pipeline in which a service panics at this place in this state.
fn fragile_pipeline(place: Place, state: &str) -> Pipeline {
    let kind = format!("{place:?}");
    let node = Node::new("a", &kind);
    let pipeline = Pipeline::new(format!("{state}-{kind}"));
    match state {
        "retried" => pipeline.with(node.config("max_retries", 2).config("retry_delay", 0)),
        "between" => {
            let pipeline = pipeline.node("first", STEP).with(node).after("first");
            pipeline.node("last", STEP).after("a")
        }
        "beside" => pipeline.with(node).node("other", STEP),
        _ => pipeline.with(node),
    }
}

/// Asserts that a run ended by its panic, or by the cancel request of its state.
#[track_caller]
fn assert_ended(finished: &RunDetail, state: &str) {
    let may_be_cancelled = matches!(state, "cancelled" | "forced");
    if may_be_cancelled && finished.run.status == RunStatus::Cancelled {
        return;
    }
    let error = finished.run.error.as_deref().unwrap_or_default();
    assert_eq!(finished.run.status, RunStatus::Failed, "{state}");
    assert!(
        error.starts_with("node a: the executor panicked: fragile"),
        "{state}: {error}"
    );
}

/// Triggers a run in its state, and cancels it where the state asks for that.
async fn trigger(host: &Host, place: Place, state: &str) -> RunHandle {
    let run = host.trigger(&format!("{state}-{place:?}")).await;
    match state {
        // The run may have ended before, which is a conflict.
        "cancelled" => drop(run.cancel().await),
        "forced" => drop(run.cancel().force().await),
        _ => {}
    }
    run
}

/// Asserts that four runs can execute at once.
async fn assert_slots_are_free(world: &World, host: &Host) {
    let gate = Gate::new();
    world.script.script("slot", [Step::pass_on().at(&gate)]);
    let started = world.script.calls_of("slot").len();
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(host.trigger("slot").await);
    }
    world.script.started_times("slot", started + 4).await;
    gate.open();
    for run in runs {
        let finished = run.finished().await.unwrap();
        assert_eq!(finished.run.status, RunStatus::Success);
    }
}

fn new_world(store: Store) -> World {
    let mut world = World::quiet(store).pipeline(chain("slot", &["slot"]));
    world.limits.runs_max = 4;
    world.limits.nodes_engine_max = 4;
    world.limits.dry_runs_max = 1;
    world
}

async fn a_thousand_panics_of_services_cost_no_slot(store: Store) {
    let mut world = new_world(store);
    for place in PLACES {
        for state in STATES {
            world.pipelines.push(fragile_pipeline(place, state));
        }
    }
    let host = world
        .start_with(|builder| {
            PLACES.into_iter().fold(builder, |builder, place| {
                builder.node_service(format!("{place:?}"), Fragile::new(place))
            })
        })
        .await;
    for _ in 0..ROUNDS {
        let mut runs = Vec::new();
        for place in PLACES {
            for state in STATES {
                runs.push((state, trigger(&host, place, state).await));
            }
        }
        for (state, run) in runs {
            assert_ended(&run.finished().await.unwrap(), state);
        }
    }
    for place in PLACES {
        // Whatever the answer is, the only place for a dry run is free again.
        drop(host.floret.dry_run(format!("alone-{place:?}")).await);
    }
    host.floret.dry_run("slot").await.unwrap();
    assert_slots_are_free(&world, &host).await;
    assert_eq!(host.floret.abandoned(), 0);
}

/// An executor whose effect panics once it is armed.
#[derive(Clone, Default)]
struct NoEffect(Arc<AtomicBool>);

#[async_trait]
impl Executor for NoEffect {
    async fn execute(&self, _: NodeCall) -> Result<Output, ExecutorError> {
        Ok(Output::Nothing)
    }

    fn effect(&self, _: &Node) -> Effect {
        assert!(!self.0.load(Ordering::Relaxed), "fragile effect");
        Effect::Transform
    }

    fn validate(&self, _: &Map<String, Value>) -> Vec<Issue> {
        Vec::new()
    }

    fn assets(&self, _: &Node) -> Vec<Asset> {
        Vec::new()
    }
}

/// A new run, a run after a crash and a resumed run all ask for the effect of each node.
async fn a_panic_in_the_effect_of_an_executor_costs_no_run(store: Store) {
    let pipeline = Pipeline::new("p").node("a", "effect");
    let pipeline = pipeline.node("b", STEP).after("a");
    let mut world = new_world(store).pipeline(pipeline);
    world.limits.lease = std::time::Duration::from_secs(60);
    let gate = Gate::new();
    let steps = [
        Step::pass_on(),
        Step::pass_on().at(&gate),
        Step::permanent("broken"),
        Step::pass_on(),
    ];
    world.script.script("b", steps);
    let effect = NoEffect::default();
    effect.0.store(true, Ordering::Relaxed);
    let executor = effect.clone();
    let build = |builder: floret::Builder| builder.executor("effect", executor.clone());
    let host = world.start_with(build).await;
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
    let crashed = host.trigger("p").await.id();
    world.script.started_times("b", 2).await;
    host.crash().await;
    world.expire_leases();
    let host = world.start_with(build).await;
    let finished = host.floret.run_by_id(crashed).finished().await.unwrap();
    assert_eq!(
        finished.run.status,
        RunStatus::Failed,
        "the node b is broken"
    );
    effect.0.store(false, Ordering::Relaxed);
    let resumed = host.floret.run_by_id(crashed).resume().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_slots_are_free(&world, &host).await;
}

async fn each_entry_that_is_refused_fails_its_run(store: Store) {
    let mut world = World::quiet(store).pipeline(chain("p", &["a", "b"]));
    world.limits.runs_max = 1;
    let host = world.start().await;
    let before = host.storage.calls(Method::Append);
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
    let calls = host.storage.calls(Method::Append) - before;
    for skip in 0..calls {
        let before = host.storage.calls(Method::Append);
        let fault = Fault::before(Method::Append, Problem::InternalError);
        host.storage.fail(fault.skip(skip));
        let finished = host.run("p").await;
        host.storage.heal();
        if host.storage.calls(Method::Append) - before <= skip {
            // The entries of this run fitted into fewer calls, so none was refused.
            assert_eq!(finished.run.status, RunStatus::Success);
            continue;
        }
        let error = finished.run.error.unwrap_or_default();
        assert_eq!(finished.run.status, RunStatus::Failed, "call {skip}");
        assert!(
            error.starts_with("storage refused an entry of the run"),
            "{error}"
        );
        assert!(finished.nodes.iter().all(|node| node.status.is_terminal()));
    }
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
}

async fn a_run_whose_entries_are_always_refused_is_poisoned(store: Store) {
    let mut world = World::quiet(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 1;
    let host = world.start().await;
    let refused = Fault::before(Method::Append, Problem::InternalError);
    host.storage.fail(refused.times(u64::MAX));
    let run = host.trigger("p").await;
    // The third claim waits until suspects may execute.
    world.script.started_times("a", 2).await;
    world.advance_within(world.limits.suspect_delay).await;
    let finished = run.finished().await.unwrap();
    let error = finished.run.error.unwrap();
    assert_eq!(finished.run.status, RunStatus::Failed);
    assert!(error.starts_with("poisoned"), "{error}");
    host.storage.heal();
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
}

async fn a_forced_cancel_ends_a_run_whose_entries_are_refused(store: Store) {
    let mut world = World::quiet(store).pipeline(chain("p", &["a", "b"]));
    world.limits.runs_max = 1;
    let gate = Gate::new();
    let held = Step::pass_on().at(&gate).ignores_cancel();
    world.script.script("a", [held, Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    host.storage
        .fail(Fault::before(Method::Append, Problem::InternalError));
    run.cancel().force().await.unwrap();
    let finished = world.advance_until(world.limits.force_grace, run.finished());
    let finished = finished.await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Cancelled);
    gate.open();
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
}

async fn a_release_that_fails_costs_no_run(store: Store) {
    for problem in [Problem::InternalError, Problem::StorageBusy] {
        let mut world = World::new(match &store {
            Store::Memory(_) => Store::memory(),
            Store::Sqlite(_) => Store::sqlite(),
        });
        world.pipelines.push(chain("p", &["a"]));
        let gate = Gate::new();
        world
            .script
            .script("a", [Step::pass_on().at(&gate), Step::pass_on()]);
        let host = world.start().await;
        let run = host.trigger("p").await.id();
        world.script.started("a").await;
        let fault = Fault::before(Method::Release, problem);
        host.storage.fail(fault.times(u64::MAX));
        host.stop().await;
        world.expire_leases();
        let host = world.start().await;
        let finished = host.floret.run_by_id(run).finished().await.unwrap();
        assert_eq!(finished.run.status, RunStatus::Success);
    }
}

/// The calls of storage that an engine makes for a run on its own tasks.
const METHODS: [Method; 3] = [Method::Claim, Method::Append, Method::PutOutputChunk];

async fn check_panic(open: fn() -> Store, fault: Option<Fault>, case: &str) -> [u64; 3] {
    let mut world = World::new(open()).pipeline(chain("p", &["a", "b"]));
    world.limits.runs_max = 1;
    world.limits.inline_output_bytes_max = 0;
    world
        .script
        .script("a", [Step::rows([serde_json::json!({"x": 1})])]);
    let host = world
        .start_with(|builder| builder.clock(Clock::system()))
        .await;
    let calls = || METHODS.map(|method| host.storage.calls(method));
    let before = calls();
    if let Some(fault) = fault {
        host.storage.fail(fault);
    }
    let finished = host.run("p").await;
    let error = finished.run.error.unwrap_or_default();
    assert!(
        finished.run.status == RunStatus::Success
            || case.contains("PutOutputChunk") && error.contains(": the node broke off"),
        "{case}: {error}"
    );
    let after = calls();
    assert_eq!(host.run("p").await.run.status, RunStatus::Success, "{case}");
    [0, 1, 2].map(|index| after[index] - before[index])
}

/// A backend of a host may panic too. The run is claimed again and goes on. If an output cannot be
/// stored, its node fails.
async fn each_call_panics_once(open: fn() -> Store) {
    let calls = check_panic(open, None, "without a panic").await;
    for (method, calls) in METHODS.into_iter().zip(calls) {
        for skip in 0..calls {
            for fault in [Fault::before, Fault::after] {
                let fault = fault(method, Problem::InternalError).skip(skip).panics();
                let case = format!("call {skip}: {fault:?}");
                let check = check_panic(open, Some(fault), &case);
                with_timeout(&case, Box::pin(check)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_storage_that_panics_once_costs_no_run_in_memory() {
    Box::pin(each_call_panics_once(Store::memory)).await;
}

#[tokio::test]
async fn a_storage_that_panics_once_costs_no_run_on_sqlite() {
    Box::pin(each_call_panics_once(Store::sqlite)).await;
}
