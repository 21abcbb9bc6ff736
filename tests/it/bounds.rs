//! Concurrency limits: how many runs and nodes execute at once, however they were started.

use bytes::Bytes;
use floret::Access;
use floret::testing::{Gate, Step};
use floret::{Builder, Pipeline, RunHandle, RunStatus};
use http_body_util::Full;
use tower::ServiceExt as _;

use crate::harness::{Host, STEP, Store, World, chain};

on_every_backend! {
    no_more_runs_execute_at_once_than_the_engine_allows,
    no_more_runs_of_a_pipeline_execute_at_once_than_it_allows,
    a_resume_waits_for_a_slot_of_its_pipeline,
    a_pipeline_at_its_limit_does_not_delay_others,
    no_more_nodes_of_a_run_execute_at_once_than_it_allows,
    no_more_nodes_execute_at_once_than_the_engine_allows,
    waiting_runs_start_in_order_of_creation,
    a_raised_limit_of_a_pipeline_starts_its_waiting_runs_at_once,
}

async fn trigger(host: &Host, pipeline: &str, count: usize) -> Vec<RunHandle> {
    let mut runs = Vec::new();
    for _ in 0..count {
        runs.push(host.trigger(pipeline).await);
    }
    runs
}

async fn assert_all_succeed(runs: Vec<RunHandle>) {
    for run in runs {
        assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Success);
    }
}

async fn count(host: &Host, status: RunStatus) -> usize {
    let runs = host.runs().await;
    runs.iter().filter(|run| run.status == status).count()
}

fn wide(id: &str, nodes: usize) -> Pipeline {
    (0..nodes).fold(Pipeline::new(id), |wide, index| {
        wide.node(format!("{id}{index}"), STEP)
    })
}

async fn no_more_runs_execute_at_once_than_the_engine_allows(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 3;
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let runs = trigger(&host, "p", 12).await;
    world.script.started_times("a", 3).await;
    assert_eq!(count(&host, RunStatus::Running).await, 3);
    assert_eq!(count(&host, RunStatus::Pending).await, 9);
    gate.open();
    assert_all_succeed(runs).await;
    assert_eq!(world.script.executing_max(), 3);
}

async fn no_more_runs_of_a_pipeline_execute_at_once_than_it_allows(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]).max_concurrent_runs(2));
    world.limits.runs_max = 10;
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let runs = trigger(&host, "p", 8).await;
    world.script.started_times("a", 2).await;
    assert_eq!(count(&host, RunStatus::Running).await, 2);
    gate.open();
    assert_all_succeed(runs).await;
    assert_eq!(world.script.executing_max(), 2);
}

async fn a_resume_waits_for_a_slot_of_its_pipeline(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]).max_concurrent_runs(2));
    world.limits.runs_max = 10;
    world.script.script("a", [Step::permanent("broken")]);
    let host = world.start().await;
    let failed = trigger(&host, "p", 4).await;
    for run in &failed {
        assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Failed);
    }
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let mut runs = Vec::new();
    for run in &failed {
        runs.push(run.resume().await.unwrap());
        runs.push(host.trigger("p").await);
    }
    world.script.started_times("a", 4 + 2).await;
    assert_eq!(count(&host, RunStatus::Running).await, 2);
    gate.open();
    assert_all_succeed(runs).await;
    assert!(world.script.executing_max() <= 2);
}

async fn a_pipeline_at_its_limit_does_not_delay_others(store: Store) {
    let world = World::new(store)
        .pipeline(chain("full", &["a"]).max_concurrent_runs(1))
        .pipeline(chain("free", &["b"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let waiting = trigger(&host, "full", 50).await;
    world.script.started("a").await;
    assert_all_succeed(trigger(&host, "free", 20).await).await;
    assert_eq!(world.calls()["a"], 1);
    gate.open();
    assert_all_succeed(waiting).await;
}

async fn no_more_nodes_of_a_run_execute_at_once_than_it_allows(store: Store) {
    let mut world = World::new(store).pipeline(wide("p", 20));
    world.limits.nodes_run_max = 2;
    let gate = Gate::new();
    for index in 0..20 {
        let step = Step::pass_on().at(&gate);
        world.script.script(format!("p{index}"), [step]);
    }
    let host = world.start().await;
    let runs = trigger(&host, "p", 1).await;
    world.script.executing_at_once(2).await;
    gate.open();
    assert_all_succeed(runs).await;
    assert_eq!(world.script.executing_max(), 2);
}

async fn no_more_nodes_execute_at_once_than_the_engine_allows(store: Store) {
    let mut world = World::new(store)
        .pipeline(wide("p", 10))
        .pipeline(wide("q", 10));
    world.limits.nodes_engine_max = 3;
    let gate = Gate::new();
    for index in 0..10 {
        for pipeline in ["p", "q"] {
            let step = Step::pass_on().at(&gate);
            world.script.script(format!("{pipeline}{index}"), [step]);
        }
    }
    let host = world.start().await;
    let mut runs = trigger(&host, "p", 1).await;
    runs.extend(trigger(&host, "q", 1).await);
    world.script.executing_at_once(3).await;
    gate.open();
    assert_all_succeed(runs).await;
    assert_eq!(world.script.executing_max(), 3);
}

async fn waiting_runs_start_in_order_of_creation(store: Store) {
    let mut world = World::new(store)
        .pipeline(chain("p", &["a"]))
        .pipeline(chain("q", &["a"]));
    world.limits.runs_max = 1;
    let host = world.start().await;
    let mut runs = Vec::new();
    for pipeline in ["p", "q", "q", "p", "q", "p", "p"] {
        runs.push(host.trigger(pipeline).await);
    }
    let ids: Vec<_> = runs.iter().map(RunHandle::id).collect();
    assert_all_succeed(runs).await;
    let executed: Vec<_> = world
        .script
        .calls()
        .iter()
        .map(|call| call.run_id)
        .collect();
    assert_eq!(executed, ids);
}

async fn a_raised_limit_of_a_pipeline_starts_its_waiting_runs_at_once(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]).max_concurrent_runs(1));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start_with(Builder::allow_pipeline_edits).await;
    let runs = trigger(&host, "p", 3).await;
    world.script.started("a").await;
    let raised = serde_json::to_vec(&chain("p", &["a"]).max_concurrent_runs(3)).unwrap();
    let put = http::Request::put("/api/pipelines/p")
        .header("content-type", "application/json")
        .body(Full::<Bytes>::from(raised))
        .unwrap();
    let service = host.floret.service(Access::allow_all());
    let answer = service.oneshot(put).await.unwrap();
    assert_eq!(answer.status(), 200);
    world.script.started_times("a", 3).await;
    gate.open();
    assert_all_succeed(runs).await;
}
