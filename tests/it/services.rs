//! Tower services as executors: their layers, backpressure and errors.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use floret::executor::{Executor, ExecutorError, NodeCall, Output};
use floret::testing::{Gate, Method, ScriptedExecutor, Step};
use floret::{Builder, EventKind, Node, NodeStatus, Pipeline, RunHandle, RunStatus};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::limit::ConcurrencyLimit;
use tower::{BoxError, Service, ServiceBuilder, service_fn};

use crate::harness::{Host, STEP, Store, World, assert_statuses, node};

on_every_backend! {
    waiting_for_a_service_counts_as_queue_time,
    a_node_that_waits_for_a_service_takes_no_slot,
    a_node_that_waits_for_a_slot_takes_no_service,
    a_node_that_waits_for_a_service_is_cancelled_at_once,
    a_forced_cancel_ends_a_run_whose_service_blocks,
    a_timeout_ends_a_run_whose_service_blocks,
    a_timeout_waits_for_a_node_whose_output_is_being_stored,
    a_dry_run_waits_for_a_service_like_a_run,
    a_service_that_never_becomes_ready_fails_the_attempt,
    service_errors_are_retried_unless_they_are_permanent,
    the_response_of_a_layered_service_is_the_output_of_the_node,
}

const ONE: &str = "one";

/// Returns a service that follows the script.
fn scripted(
    script: &ScriptedExecutor,
) -> impl Service<NodeCall, Response = Output, Error = BoxError, Future: Send> + Clone + Send + use<>
{
    let script = script.clone();
    service_fn(move |call: NodeCall| {
        let script = script.clone();
        async move { Ok(script.execute(call).await?) }
    })
}

/// A layer that counts how often the inner service was not ready.
#[derive(Clone)]
struct Counted<S> {
    inner: S,
    waits: watch::Sender<usize>,
}

impl<S: Service<NodeCall>> Service<NodeCall> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let readiness = self.inner.poll_ready(context);
        self.waits
            .send_modify(|waits| *waits += usize::from(readiness.is_pending()));
        readiness
    }

    fn call(&mut self, call: NodeCall) -> S::Future {
        self.inner.call(call)
    }
}

/// A layer that counts how often it was asked whether the inner service is ready.
#[derive(Clone)]
struct Asked<S> {
    inner: S,
    asked: watch::Sender<usize>,
}

impl<S: Service<NodeCall>> Service<NodeCall> for Asked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let readiness = self.inner.poll_ready(context);
        self.asked.send_modify(|asked| *asked += 1);
        readiness
    }

    fn call(&mut self, call: NodeCall) -> S::Future {
        self.inner.call(call)
    }
}

/// Starts a host whose service executes one node at a time. The sender holds the number of waits.
async fn start_one_at_a_time(world: &World) -> (Host, watch::Sender<usize>) {
    let waits = watch::Sender::new(0);
    let service = Counted {
        inner: ConcurrencyLimit::new(scripted(&world.script), 1),
        waits: waits.clone(),
    };
    let build = |builder: Builder| builder.node_service(ONE, service);
    (world.start_with(build).await, waits)
}

async fn wait_for_one(waits: &watch::Sender<usize>) {
    let mut waits = waits.subscribe();
    waits.wait_for(|waits| *waits > 0).await.unwrap();
}

fn retried(kind: &str) -> Pipeline {
    let node = Node::new("a", kind).config("max_retries", 5);
    Pipeline::new("p").with(node.config("retry_delay", 0))
}

async fn waiting_for_a_service_counts_as_queue_time(store: Store) {
    let pipeline = Pipeline::new("p").node("a", ONE).node("b", ONE);
    let world = World::quiet(store).pipeline(pipeline);
    let gate = Gate::new();
    for node in ["a", "b"] {
        world.script.script(node, [Step::pass_on().at(&gate)]);
    }
    let (host, waits) = start_one_at_a_time(&world).await;
    let run = host.trigger("p").await;
    wait_for_one(&waits).await;
    tokio::select! {
        () = world.script.started("a") => {}
        () = world.script.started("b") => {}
    }
    world.clock.advance(Duration::from_secs(7));
    gate.open();
    let finished = run.finished().await.unwrap();
    let mut waited: Vec<_> = finished.nodes.iter().map(|row| row.queue_ms).collect();
    waited.sort_unstable();
    assert_eq!(waited, [Some(0), Some(7_000)]);
    assert_eq!(world.script.executing_max(), 1);
}

async fn a_node_that_waits_for_a_service_takes_no_slot(store: Store) {
    let pipeline = Pipeline::new("p").node("a", ONE).node("b", ONE);
    let pipeline = pipeline.node("c", STEP);
    let mut world = World::quiet(store).pipeline(pipeline);
    world.limits.nodes_engine_max = 2;
    world.limits.nodes_run_max = 2;
    let gate = Gate::new();
    for node in ["a", "b"] {
        world.script.script(node, [Step::pass_on().at(&gate)]);
    }
    let (host, waits) = start_one_at_a_time(&world).await;
    let run = host.trigger("p").await;
    wait_for_one(&waits).await;
    world.script.started("c").await;
    gate.open();
    assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Success);
}

async fn a_node_that_waits_for_a_slot_takes_no_service(store: Store) {
    let crowded = Pipeline::new("crowded").node("first", ONE);
    let crowded = crowded.node("slow", STEP).after("first");
    let crowded = crowded.node("late", ONE).after("first");
    let mut world = World::quiet(store)
        .pipeline(crowded)
        .pipeline(Pipeline::new("other").node("quick", ONE));
    world.limits.nodes_run_max = 1;
    let gate = Gate::new();
    world.script.script("slow", [Step::pass_on().at(&gate)]);
    let asked = watch::Sender::new(0);
    let service = Asked {
        inner: ConcurrencyLimit::new(scripted(&world.script), 1),
        asked: asked.clone(),
    };
    let build = |builder: Builder| builder.node_service(ONE, service);
    let host = world.start_with(build).await;
    let run = host.trigger("crowded").await;
    world.script.started("slow").await;
    // The node `late` has asked the service too, and waits for the only slot of its run.
    let mut asked = asked.subscribe();
    asked.wait_for(|asked| *asked >= 2).await.unwrap();
    let other = host.run("other").await;
    assert_eq!(other.run.status, RunStatus::Success);
    gate.open();
    let finished = run.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(world.script.calls_of("late").len(), 1);
}

async fn a_node_that_waits_for_a_service_is_cancelled_at_once(store: Store) {
    let world = World::quiet(store)
        .pipeline(Pipeline::new("holds").node("a", ONE))
        .pipeline(Pipeline::new("waits").node("b", ONE));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let (host, waits) = start_one_at_a_time(&world).await;
    let holds = host.trigger("holds").await;
    world.script.started("a").await;
    let run = host.trigger("waits").await;
    wait_for_one(&waits).await;
    run.cancel().await.unwrap();
    let finished = run.finished().await.unwrap();
    assert_statuses(
        &finished,
        RunStatus::Cancelled,
        &[("b", NodeStatus::Cancelled)],
    );
    assert_eq!(finished.nodes.first().and_then(|row| row.started_at), None);
    gate.open();
    let finished = holds.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(host.run("waits").await.run.status, RunStatus::Success);
}

/// A service that blocks its thread when it is asked whether it is ready.
#[derive(Clone)]
struct Blocking {
    asked: watch::Sender<usize>,
    released: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Service<NodeCall> for Blocking {
    type Response = ();
    type Error = BoxError;
    type Future = Ready<Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.asked.send_modify(|asked| *asked += 1);
        Poll::Ready(Ok(self.released.lock().recv()?))
    }

    fn call(&mut self, _: NodeCall) -> Self::Future {
        ready(Ok(()))
    }
}

/// Starts a host with a service that blocks, and a run of `p`. Returns once the service was asked.
///
/// The service is ready when the sender sends.
async fn start_blocked(world: &World) -> (Host, RunHandle, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let asked = watch::Sender::new(0);
    let service = Blocking {
        asked: asked.clone(),
        released: Arc::new(Mutex::new(released)),
    };
    let build = |builder: Builder| builder.node_service("blocking", service);
    let host = world.start_with(build).await;
    let run = host.trigger("p").await;
    let mut asked = asked.subscribe();
    asked.wait_for(|asked| *asked > 0).await.unwrap();
    (host, run, release)
}

async fn a_forced_cancel_ends_a_run_whose_service_blocks(store: Store) {
    let mut world = World::quiet(store)
        .pipeline(Pipeline::new("p").node("a", "blocking").node("b", STEP))
        .pipeline(Pipeline::new("q").node("c", STEP));
    world.limits.runs_max = 1;
    let (host, run, release) = start_blocked(&world).await;
    host.wait_for_events(EventKind::NodeCompleted, 1).await;
    run.cancel().force().await.unwrap();
    let finished = world.advance_until(world.limits.force_grace, run.finished());
    let finished = finished.await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Cancelled);
    assert_eq!(node(&finished, "a").status, NodeStatus::Cancelled);
    assert_eq!(host.run("q").await.run.status, RunStatus::Success);
    assert_eq!(host.floret.abandoned(), 1);
    release.send(()).unwrap();
}

async fn a_timeout_ends_a_run_whose_service_blocks(store: Store) {
    let timeout = Duration::from_secs(60);
    let blocked = Pipeline::new("p").node("a", "blocking").node("b", STEP);
    let mut world = World::quiet(store)
        .pipeline(blocked.node("c", STEP).after("a").timeout(timeout))
        .pipeline(Pipeline::new("q").node("d", STEP));
    world.limits.runs_max = 1;
    let (host, run, release) = start_blocked(&world).await;
    host.wait_for_events(EventKind::NodeCompleted, 1).await;
    let finished = world.advance_until(timeout, run.finished()).await.unwrap();
    let nodes = [
        ("a", NodeStatus::Skipped),
        ("b", NodeStatus::Success),
        ("c", NodeStatus::Skipped),
    ];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    let error = finished.run.error.as_deref();
    assert_eq!(error, Some("the run exceeded its timeout of 60 s"));
    assert_eq!(host.run("q").await.run.status, RunStatus::Success);
    assert_eq!(host.floret.abandoned(), 1);
    // The service is ready too late: its node neither starts nor changes.
    release.send(()).unwrap();
    assert_eq!(host.run("q").await.run.status, RunStatus::Success);
    assert_eq!(run.finished().await.unwrap(), finished);
}

async fn a_timeout_waits_for_a_node_whose_output_is_being_stored(store: Store) {
    let timeout = Duration::from_secs(60);
    let blocked = Pipeline::new("p").node("a", "blocking").node("b", STEP);
    let mut world = World::quiet(store).pipeline(blocked.timeout(timeout));
    world.limits.inline_output_bytes_max = 0;
    let start = Gate::new();
    world.script.script("b", [Step::pass_on().at(&start)]);
    let (host, run, release) = start_blocked(&world).await;
    world.script.started("b").await;
    let stored = Gate::new();
    host.storage.hold(Method::PutOutputChunk, &stored);
    start.open();
    while host.storage.calls(Method::PutOutputChunk) == 0 {
        tokio::task::yield_now().await;
    }
    // The blocked node is given up, and the other one still waits for storage a minute later.
    while host.floret.abandoned() == 0 {
        world.advance_within(timeout).await;
    }
    for _ in 0..60 {
        world.advance_within(timeout).await;
    }
    assert_eq!(host.stored(&run).await.run.status, RunStatus::Running);
    stored.open();
    let finished = world.advance_until(timeout, run.finished()).await.unwrap();
    let nodes = [("a", NodeStatus::Skipped), ("b", NodeStatus::Success)];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    assert_eq!(host.floret.abandoned(), 1);
    release.send(()).unwrap();
}

async fn a_dry_run_waits_for_a_service_like_a_run(store: Store) {
    let waits = Node::new("b", ONE).config("timeout", 5);
    let mut world = World::quiet(store)
        .pipeline(Pipeline::new("holds").node("a", ONE))
        .pipeline(Pipeline::new("waits").with(waits).node("c", STEP));
    world.limits.nodes_run_max = 1;
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let (host, waits) = start_one_at_a_time(&world).await;
    let holds = host.trigger("holds").await;
    world.script.started("a").await;
    let mut dry_runs = JoinSet::new();
    dry_runs.spawn(host.floret.dry_run("waits").into_future());
    wait_for_one(&waits).await;
    // The waiting node takes no slot from `c`, and its timeout has not started.
    world.script.started("c").await;
    world.clock.advance(Duration::from_secs(7));
    gate.open();
    let report = dry_runs.join_next().await.unwrap().unwrap().unwrap();
    for id in ["b", "c"] {
        let node = report.node(id).unwrap();
        assert_eq!((node.status, &node.error), (NodeStatus::Success, &None));
    }
    holds.finished().await.unwrap();
}

/// A service whose readiness fails, then panics, then succeeds.
#[derive(Clone)]
struct Unready(Arc<AtomicUsize>);

impl Service<NodeCall> for Unready {
    type Response = Output;
    type Error = BoxError;
    type Future = Ready<Result<Output, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Poll::Ready(Err("not ready".into())),
            1 => panic!("not at all"),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: NodeCall) -> Self::Future {
        ready(Ok(Output::Nothing))
    }
}

async fn a_service_that_never_becomes_ready_fails_the_attempt(store: Store) {
    let world = World::quiet(store).pipeline(retried("unready"));
    let service = Unready(Arc::new(AtomicUsize::new(0)));
    let build = |builder: Builder| builder.node_service("unready", service);
    let host = world.start_with(build).await;
    let finished = host.run("p").await;
    assert_statuses(&finished, RunStatus::Success, &[("a", NodeStatus::Success)]);
    assert_eq!(node(&finished, "a").attempt, Some(3));
    let events = host.events_of(finished.run.id).await;
    let errors: Vec<_> = events.iter().filter_map(|e| e.error.as_deref()).collect();
    assert_eq!(errors, ["not ready", "the executor panicked: not at all"]);
}

async fn service_errors_are_retried_unless_they_are_permanent(store: Store) {
    let world = World::quiet(store).pipeline(retried(ONE));
    world
        .script
        .script("a", [Step::retryable("later"), Step::permanent("never")]);
    let layered = ServiceBuilder::new()
        .buffer(4)
        .timeout(Duration::from_secs(3_600))
        .service(scripted(&world.script));
    let host = world
        .start_with(|builder| builder.node_service(ONE, layered))
        .await;
    let finished = host.run("p").await;
    assert_statuses(&finished, RunStatus::Failed, &[("a", NodeStatus::Failed)]);
    let row = node(&finished, "a");
    assert_eq!(
        (row.attempt, row.error.as_deref()),
        (Some(2), Some("never"))
    );
}

async fn the_response_of_a_layered_service_is_the_output_of_the_node(store: Store) {
    let pipeline = Pipeline::new("p").node("a", "typed").node("b", "sink");
    let world = World::quiet(store).pipeline(pipeline.after("a"));
    let typed = service_fn(async |call: NodeCall| Ok::<_, Infallible>(vec![call.ctx.params]));
    let sink = service_fn(async |call: NodeCall| {
        let rows = call.inputs[0]
            .dataset
            .as_ref()
            .map_or(0, |rows| rows.row_count());
        call.ctx.log.info(format!("{rows} rows")).await;
        Err::<(), _>(ExecutorError::permanent("the disk is broken"))
    });
    let build = |builder: Builder| {
        let builder = builder.node_service("typed", typed);
        builder.sink_service("sink", sink)
    };
    let host = world.start_with(build).await;
    let finished = host.run("p").await;
    let nodes = [("a", NodeStatus::Success), ("b", NodeStatus::Failed)];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    assert_eq!(node(&finished, "a").row_count, Some(1));
    assert_eq!(
        node(&finished, "b").error.as_deref(),
        Some("the disk is broken")
    );
}
