//! Limits that change while Floret runs: how much executes and waits at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use floret::executor::Ctx;
use floret::testing::{Gate, Step};
use floret::{ErrorKind, EventKind, Limits, Pipeline, RunStatus};

use crate::harness::{Host, STEP, Store, World, chain};

on_every_backend! {
    a_raised_limit_of_runs_starts_waiting_runs_at_once,
    a_lowered_limit_of_runs_stops_none_and_starts_none,
    a_raised_limit_of_nodes_starts_waiting_nodes_at_once,
    a_lowered_limit_of_nodes_holds_once_the_executing_ones_have_finished,
    a_lowered_limit_of_the_queue_refuses_further_triggers,
    a_limit_that_is_fixed_at_the_start_is_refused,
}

/// Changes the limits of a host.
fn set(host: &Host, change: impl FnOnce(&mut Limits)) {
    let mut limits = host.floret.limits();
    change(&mut limits);
    host.floret.set_limits(&limits).unwrap();
    assert_eq!(host.floret.limits(), limits);
}

async fn statuses(host: &Host) -> [usize; 2] {
    let runs = host.runs().await;
    [RunStatus::Running, RunStatus::Pending]
        .map(|status| runs.iter().filter(|run| run.status == status).count())
}

/// Returns a pipeline with these nodes and no edges.
fn wide(id: &str, kind: &str, nodes: usize) -> Pipeline {
    (0..nodes).fold(Pipeline::new(id), |wide, index| {
        wide.node(format!("{id}{index}"), kind)
    })
}

async fn a_raised_limit_of_runs_starts_waiting_runs_at_once(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 1;
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    for _ in 0..4 {
        host.trigger("p").await;
    }
    world.script.started("a").await;
    assert_eq!(statuses(&host).await, [1, 3]);
    set(&host, |limits| limits.runs_max = 3);
    world.script.started_times("a", 3).await;
    assert_eq!(statuses(&host).await, [3, 1]);
    gate.open();
}

async fn a_lowered_limit_of_runs_stops_none_and_starts_none(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 2;
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let steps = gates.each_ref().map(|gate| Step::pass_on().at(gate));
    world.script.script("a", steps);
    let host = world.start().await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(host.trigger("p").await);
    }
    world.script.started_times("a", 2).await;
    set(&host, |limits| limits.runs_max = 1);
    assert_eq!(statuses(&host).await, [2, 1]);
    gates[0].open();
    host.wait_for_events(EventKind::RunCompleted, 1).await;
    assert_eq!(statuses(&host).await, [1, 1]);
    gates[1].open();
    world.script.started_times("a", 3).await;
    gates[2].open();
    for run in runs {
        assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Success);
    }
}

async fn a_raised_limit_of_nodes_starts_waiting_nodes_at_once(store: Store) {
    let mut world = World::new(store).pipeline(wide("p", STEP, 4));
    world.limits.nodes_engine_max = 1;
    let gate = Gate::new();
    for index in 0..4 {
        let step = Step::rows([]).at(&gate);
        world.script.script(format!("p{index}"), [step]);
    }
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.executing_at_once(1).await;
    set(&host, |limits| limits.nodes_engine_max = 3);
    world.script.executing_at_once(3).await;
    gate.open();
    run.finished().await.unwrap();
    assert_eq!(world.script.executing_max(), 3);
}

async fn a_lowered_limit_of_nodes_holds_once_the_executing_ones_have_finished(store: Store) {
    let busy = Arc::new(Busy::default());
    let counted = Arc::clone(&busy);
    let mut world = World::new(store).pipeline(wide("p", STEP, 3));
    world = world.pipeline(wide("q", "count", 8));
    world.limits.nodes_engine_max = 3;
    let gates = [Gate::new(), Gate::new()];
    for index in 0..3 {
        let steps = gates.each_ref().map(|gate| Step::rows([]).at(gate));
        world.script.script(format!("p{index}"), steps);
    }
    let count = move |_: Ctx| Arc::clone(&counted).count();
    let host = world
        .start_with(|builder| builder.node("count", count))
        .await;
    let held = host.trigger("p").await;
    world.script.executing_at_once(3).await;
    set(&host, |limits| limits.nodes_engine_max = 1);
    let run = host.trigger("q").await;
    assert_eq!(world.script.executing(), 3, "nothing is stopped");
    gates[0].open();
    held.finished().await.unwrap();
    let finished = run.finished().await.unwrap().run;
    assert_eq!(finished.status, RunStatus::Success, "{finished:?}");
    assert_eq!(busy.most.load(Ordering::SeqCst), 1);
    // All slots are there again.
    set(&host, |limits| limits.nodes_engine_max = 3);
    let again = host.trigger("p").await;
    world.script.executing_at_once(3).await;
    gates[1].open();
    again.finished().await.unwrap();
}

/// Counts the calls that are in progress at once.
#[derive(Debug, Default)]
struct Busy {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Busy {
    async fn count(self: Arc<Self>) -> Result<(), std::io::Error> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

async fn a_lowered_limit_of_the_queue_refuses_further_triggers(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 0;
    let host = world.start().await;
    for _ in 0..2 {
        host.trigger("p").await;
    }
    set(&host, |limits| limits.queued_pipeline_max = 2);
    let refused = host.floret.run("p").start().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    set(&host, |limits| limits.queued_pipeline_max = 3);
    host.trigger("p").await;
    set(&host, |limits| {
        (limits.queued_max, limits.queued_pipeline_max) = (3, 9)
    });
    let refused = host.floret.run("p").start().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
}

async fn a_limit_that_is_fixed_at_the_start_is_refused(store: Store) {
    let world = World::new(store);
    let host = world.start().await;
    let before = host.floret.limits();
    let mut limits = before.clone();
    (limits.runs_max, limits.body_bytes_max) = (1, 1);
    let refused = host.floret.set_limits(&limits).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("nodes_run_max"), "{refused}");
    assert_eq!(host.floret.limits(), before);
}
