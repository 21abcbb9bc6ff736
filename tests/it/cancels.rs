//! Cancel requests: executing nodes finish and no other node starts. A forced cancel also stops
//! executing nodes and abandons those that ignore the stop signal.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::testing::{Gate, Method, Step};
use floret::{ErrorKind, EventKind, NodeStatus, Pipeline, RunId, RunStatus};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::harness::{
    Host, STEP, Store, World, assert_statuses, chain, kinds, node, statuses, step, until,
};

on_every_backend! {
    executing_nodes_finish_and_no_other_node_starts,
    a_cancel_that_races_with_the_last_node_finishes_the_run_once,
    a_pending_run_is_cancelled_at_once,
    a_cancel_request_between_claim_and_execution_takes_effect,
    a_forced_cancel_drops_a_deaf_executor_after_the_grace_period,
    the_late_result_of_a_blocking_executor_changes_nothing,
    a_cancel_can_be_escalated_to_a_forced_one,
    a_cancel_between_two_nodes_releases_no_run,
    a_node_that_succeeds_within_the_grace_period_counts,
    a_node_between_attempts_is_cancelled,
    a_repeated_cancel_returns_the_same_status,
    cancelling_a_run_that_succeeded_or_failed_is_refused,
}

const HOUR: Duration = Duration::from_secs(3_600);

fn wide(nodes: usize) -> Pipeline {
    (0..nodes).fold(Pipeline::new("p"), |wide, index| {
        wide.node(format!("n{index}"), STEP)
    })
}

async fn executing_nodes_finish_and_no_other_node_starts(store: Store) {
    let mut world = World::new(store).pipeline(wide(20).node("below", STEP).after("n0"));
    world.limits.nodes_run_max = 3;
    let gate = Gate::new();
    for index in 0..20 {
        world
            .script
            .script(format!("n{index}"), [Step::pass_on().at(&gate)]);
    }
    let host = world.start().await;
    let run = host.trigger("p").await;
    host.wait_for_events(EventKind::NodeStarted, 3).await;
    assert_eq!(run.cancel().await.unwrap(), RunStatus::Running);
    gate.open();
    let finished = run.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Cancelled);
    assert_eq!(finished.run.error, None);
    let count = |status| {
        statuses(&finished)
            .values()
            .filter(|node_status| **node_status == status)
            .count()
    };
    assert_eq!(count(NodeStatus::Success), 3);
    assert_eq!(count(NodeStatus::Cancelled), 18);
    assert_eq!(world.script.calls().len(), 3);
}

async fn a_cancel_that_races_with_the_last_node_finishes_the_run_once(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    for round in 1..=300 {
        let gate = Gate::new();
        world.script.script("a", [Step::pass_on().at(&gate)]);
        let run = host.trigger("p").await;
        world.script.started_times("a", round).await;
        let floret = host.floret.clone();
        let id = run.id();
        let cancel = host.on_runtime(async move { floret.run_by_id(id).cancel().await });
        let open = async {
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
            gate.open();
        };
        let (answer, ()) = tokio::join!(cancel, open);
        let finished = run.finished().await.unwrap();
        match answer {
            Ok(status) => {
                assert!(matches!(status, RunStatus::Running | RunStatus::Cancelled));
                assert_eq!(finished.run.status, RunStatus::Cancelled, "round {round}");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::RunFinished, "round {round}");
                assert_eq!(finished.run.status, RunStatus::Success, "round {round}");
            }
        }
        assert_finishes_once(&host, id).await;
    }
}

async fn assert_finishes_once(host: &Host, run: RunId) {
    let kinds = kinds(&host.events_of(run).await);
    let terminal = kinds.iter().filter(|kind| kind.is_terminal()).count();
    assert_eq!(terminal, 1, "{kinds:?}");
    assert!(
        kinds.last().is_some_and(|kind| kind.is_terminal()),
        "{kinds:?}"
    );
}

async fn a_pending_run_is_cancelled_at_once(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a", "b"]));
    world.limits.runs_max = 0;
    let host = world.start().await;
    let run = host.trigger("p").await;
    let waiter = run.finished();
    let cancel = run.cancel();
    let (finished, answer) = tokio::join!(waiter, cancel);
    assert_eq!(answer.unwrap(), RunStatus::Cancelled);
    let nodes = [("a", NodeStatus::Cancelled), ("b", NodeStatus::Cancelled)];
    assert_statuses(&finished.unwrap(), RunStatus::Cancelled, &nodes);
}

async fn a_cancel_request_between_claim_and_execution_takes_effect(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    let (_host, run) = world.hold_claim("p", &gate).await;
    let answer = run.cancel().await.unwrap();
    assert_eq!(answer, RunStatus::Running);
    gate.open();
    let finished = run.finished().await.unwrap();
    assert_statuses(
        &finished,
        RunStatus::Cancelled,
        &[("a", NodeStatus::Cancelled)],
    );
    assert!(world.script.calls().is_empty());
}

async fn a_forced_cancel_drops_a_deaf_executor_after_the_grace_period(store: Store) {
    let mut world = World::quiet(store).pipeline(chain("p", &["a", "b"]));
    world.limits.runs_max = 1;
    world.limits.nodes_engine_max = 1;
    let gate = Gate::new();
    let deaf = Step::pass_on().at(&gate).ignores_cancel();
    world.script.script("a", [deaf, Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    let answer = run.cancel().force().await.unwrap();
    assert_eq!(answer, RunStatus::Running);
    let waited = world.advance_within(HOUR).await;
    assert_eq!(waited, world.limits.force_grace);
    let finished = run.finished().await.unwrap();
    let nodes = [("a", NodeStatus::Cancelled), ("b", NodeStatus::Cancelled)];
    assert_statuses(&finished, RunStatus::Cancelled, &nodes);
    gate.open();
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
    assert_eq!(host.floret.abandoned(), 0, "the executor could be dropped");
    assert_finishes_once(&host, run.id()).await;
}

/// Blocks its thread until it is released, and ignores the stop signal.
async fn block(
    _: Ctx,
    held: Arc<Mutex<mpsc::Receiver<()>>>,
    started: Arc<Notify>,
) -> Result<(), ExecutorError> {
    started.notify_one();
    held.lock().recv()?;
    Ok(())
}

async fn the_late_result_of_a_blocking_executor_changes_nothing(store: Store) {
    let pipeline = Pipeline::new("p")
        .node("a", "block")
        .node("b", STEP)
        .after("a");
    let world = World::quiet(store)
        .pipeline(pipeline)
        .pipeline(chain("other", &["c"]));
    let (release, held) = mpsc::channel();
    let (held, started) = (Arc::new(Mutex::new(held)), Arc::new(Notify::new()));
    let signal = Arc::clone(&started);
    let block = move |ctx| block(ctx, Arc::clone(&held), Arc::clone(&signal));
    let host = world
        .start_with(|builder| builder.node("block", block))
        .await;
    let run = host.trigger("p").await;
    started.notified().await;
    run.cancel().force().await.unwrap();
    assert_eq!(world.advance_within(HOUR).await, world.limits.force_grace);
    // The driver sleeps too, until it gives up the node itself.
    let grace = world.limits.stop_grace;
    assert_eq!(world.advance_within(grace).await, grace);
    let finished = run.finished().await.unwrap();
    let nodes = [("a", NodeStatus::Cancelled), ("b", NodeStatus::Cancelled)];
    assert_statuses(&finished, RunStatus::Cancelled, &nodes);
    assert_eq!(host.floret.abandoned(), 1);
    release.send(()).unwrap();
    host.run("other").await;
    assert_eq!(host.stored(&run).await, finished);
    assert_finishes_once(&host, run.id()).await;
}

async fn a_cancel_can_be_escalated_to_a_forced_one(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a", "b"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    assert_eq!(run.cancel().await.unwrap(), RunStatus::Running);
    host.wait_for_events(EventKind::NodeCancelled, 1).await;
    assert_eq!(
        node(&host.stored(&run).await, "a").status,
        NodeStatus::Running
    );
    let answer = run.cancel().force().await.unwrap();
    assert_eq!(answer, RunStatus::Running);
    let finished = run.finished().await.unwrap();
    let nodes = [("a", NodeStatus::Cancelled), ("b", NodeStatus::Cancelled)];
    assert_statuses(&finished, RunStatus::Cancelled, &nodes);
    assert_eq!(node(&finished, "a").error.as_deref(), Some("stopped"));
    let kinds = kinds(&host.events_of(run.id()).await);
    let requests = kinds
        .iter()
        .filter(|kind| **kind == EventKind::RunCancelling);
    assert_eq!(requests.count(), 1);
}

async fn a_node_that_succeeds_within_the_grace_period_counts(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a", "b"]));
    let gate = Gate::new();
    world
        .script
        .script("a", [Step::pass_on().at(&gate).ignores_cancel()]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    run.cancel().force().await.unwrap();
    gate.open();
    let finished = run.finished().await.unwrap();
    let nodes = [("a", NodeStatus::Success), ("b", NodeStatus::Cancelled)];
    assert_statuses(&finished, RunStatus::Cancelled, &nodes);
}

async fn a_node_between_attempts_is_cancelled(store: Store) {
    let pipeline = Pipeline::new("p").with(step("a").config("max_retries", 5));
    let world = World::new(store).pipeline(pipeline);
    world.script.script("a", [Step::retryable("not yet")]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    host.wait_for_events(EventKind::NodeRetrying, 1).await;
    run.cancel().await.unwrap();
    let finished = run.finished().await.unwrap();
    assert_statuses(
        &finished,
        RunStatus::Cancelled,
        &[("a", NodeStatus::Cancelled)],
    );
    assert_eq!(world.script.calls_of("a").len(), 1);
}

async fn a_repeated_cancel_returns_the_same_status(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    for _ in 0..2 {
        let answer = run.cancel().await.unwrap();
        assert_eq!(answer, RunStatus::Running);
    }
    gate.open();
    run.finished().await.unwrap();
    for _ in 0..2 {
        let answer = run.cancel().await.unwrap();
        assert_eq!(answer, RunStatus::Cancelled);
        let answer = run.cancel().force().await.unwrap();
        assert_eq!(answer, RunStatus::Cancelled);
    }
}

async fn cancelling_a_run_that_succeeded_or_failed_is_refused(store: Store) {
    let world = World::new(store)
        .pipeline(chain("good", &["a"]))
        .pipeline(chain("bad", &["b"]));
    world.script.script("b", [Step::permanent("broken")]);
    let host = world.start().await;
    for pipeline in ["good", "bad"] {
        let finished = host.run(pipeline).await;
        let refused = host
            .floret
            .run_by_id(finished.run.id)
            .cancel()
            .await
            .unwrap_err();
        assert_eq!(
            (refused.kind(), refused.slug()),
            (ErrorKind::RunFinished, "run-finished")
        );
        assert_eq!(host.find(finished.run.id).await, finished);
    }
}

/// Lets the commit of a node and a cancel request reach the driver at almost the same moment.
async fn race_with_commit(world: &World, host: &Host, delay: u32) {
    let (executing, committed, requested) = (Gate::new(), Gate::new(), Gate::new());
    let steps = [Step::pass_on().at(&executing)];
    world.script.script("a", steps);
    let started = world.script.calls_of("a").len();
    let mut events = host.floret.events();
    let run = host.trigger("p").await;
    let is_started = |event: &floret::Event| event.kind == EventKind::NodeStarted;
    until(&mut events, is_started).await.unwrap();
    world.script.started_times("a", started + 1).await;
    let calls = |method| host.storage.calls(method);
    let (appends, requests) = (calls(Method::Append), calls(Method::RequestCancel));
    host.storage.hold_after(Method::Append, &committed);
    host.storage.hold_after(Method::RequestCancel, &requested);
    executing.open();
    let floret = host.floret.clone();
    let id = run.id();
    let cancelling = host.on_runtime(async move { floret.run_by_id(id).cancel().await });
    let racing = async {
        while calls(Method::Append) == appends || calls(Method::RequestCancel) == requests {
            tokio::task::yield_now().await;
        }
        committed.open();
        for _ in 0..delay {
            std::hint::spin_loop();
        }
        requested.open();
    };
    let (cancelled, ()) = tokio::join!(cancelling, racing);
    let status = run.finished().await.unwrap().run.status;
    match cancelled {
        Ok(_) => assert_eq!(status, RunStatus::Cancelled),
        // The run was faster than the request.
        Err(error) => assert_eq!(error.kind(), ErrorKind::RunFinished),
    }
}

async fn a_cancel_between_two_nodes_releases_no_run(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a", "b"]));
    let host = world.start().await;
    for delay in 0..200 {
        race_with_commit(&world, &host, delay * 40).await;
    }
    assert_eq!(host.storage.calls(Method::Release), 0);
}
