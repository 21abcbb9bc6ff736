//! Previews of resumes: they say what the resume then does, and create nothing.
//!
//! What a resume does is in `resumes`, `resume_choices`, `lost_outputs` and `branches`.

use floret::executor::Effect;
use floret::storage::RunDetail;
use floret::testing::{Gate, Step};
use floret::{
    Access, Decision, NodeStatus, Permission, Pipeline, ResumeAction, ResumePreview, RunHandle,
    RunStatus, Scope, TenantId,
};
use http::Method;
use serde_json::json;

use crate::harness::{Host, STEP, Store, World, node, step};
use crate::wire::{request, send};

on_every_backend! {
    a_preview_says_what_the_resume_then_does,
    a_preview_names_what_is_lost,
    a_preview_of_the_current_definition_knows_its_new_nodes,
    a_preview_shows_an_edge_that_is_not_taken,
    a_branch_that_executes_again_stands_in_a_preview,
    a_preview_creates_nothing,
    a_preview_shows_a_run_to_those_who_see_it,
    a_preview_is_shown_during_a_shutdown,
}

use ResumeAction::{Execute, Never, Reuse, Skip};

/// Returns the pipeline load → (save, clean → sum), whose node `save` is a sink.
fn pipeline() -> Pipeline {
    let pipeline = Pipeline::new("p").node("load", STEP);
    let pipeline = pipeline.node("save", STEP).after("load");
    let pipeline = pipeline.node("clean", STEP).after("load");
    pipeline.node("sum", STEP).after("clean")
}

fn world(store: Store) -> World {
    let world = World::quiet(store).pipeline(pipeline());
    let rows = || Step::rows([json!({"id": 1}), json!({"id": 2})]);
    world.script.script("load", [rows(), rows()]);
    world.script.script("save", vec![Step::nothing(); 4]);
    let broken = std::iter::repeat_n(Step::permanent("broken"), 8);
    world.script.script("sum", broken);
    world.script.effect("save", Effect::Sink);
    world
}

async fn failed_run(host: &Host) -> RunHandle {
    let run = host.trigger("p").await;
    assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Failed);
    run
}

fn actions(preview: &ResumePreview) -> Vec<(&str, ResumeAction)> {
    let nodes = preview.nodes.iter();
    nodes
        .map(|node| (node.node_id.as_str(), node.action))
        .collect()
}

fn reasons(preview: &ResumePreview) -> Vec<&str> {
    let nodes = preview.nodes.iter();
    nodes.map(|node| node.reason.as_str()).collect()
}

/// Asserts that a run did with each node what the preview said.
#[track_caller]
fn assert_as_previewed(preview: &ResumePreview, run: &RunDetail) {
    for previewed in &preview.nodes {
        let id = previewed.node_id.as_str();
        let found = node(run, id);
        let done = match (found.status, found.reused_from) {
            (NodeStatus::Success | NodeStatus::Failed, None) => vec![Execute],
            (NodeStatus::Skipped, Some(_)) => vec![Reuse, Never],
            (NodeStatus::Skipped, None) => vec![Skip],
            other => panic!("{id}: {other:?}"),
        };
        assert!(done.contains(&previewed.action), "{id}: {preview:?}");
    }
}

async fn a_preview_says_what_the_resume_then_does(store: Store) {
    let world = world(store);
    let host = world
        .start_with(floret::Builder::allow_pipeline_edits)
        .await;
    let failed = failed_run(&host).await;
    let in_run = format!("it has succeeded in run {}", failed.id());
    let sink = format!("it is a sink that has succeeded in run {}", failed.id());
    let above = "a node above it executes again on purpose";
    let all = |actions: [ResumeAction; 4]| {
        let ids = ["load", "save", "clean", "sum"];
        ids.into_iter().zip(actions).collect::<Vec<_>>()
    };
    let expected = [
        (
            None,
            [Reuse, Never, Reuse, Execute],
            [&*in_run, &sink, &in_run, "it has not succeeded"],
        ),
        (
            Some("clean"),
            [Reuse, Never, Execute, Execute],
            [&*in_run, &sink, "from_node names it", above],
        ),
        (
            Some("load"),
            [Execute; 4],
            ["from_node names it", above, above, above],
        ),
    ];
    let mut last = failed.clone();
    for (from, expected, why) in expected {
        let mut resume = last.resume();
        if let Some(from) = from {
            resume = resume.from_node(from);
        }
        let preview = resume.clone().preview().await.unwrap();
        assert_eq!(actions(&preview), all(expected));
        if last.id() == failed.id() {
            assert_eq!(reasons(&preview), why);
        }
        last = resume.await.unwrap();
        assert_as_previewed(&preview, &last.finished().await.unwrap());
    }
    let mut changed = pipeline();
    changed.nodes[2] = step("clean").config("changed", true);
    host.floret.pipelines().put(changed).await.unwrap();
    let resume = last.resume().current();
    let preview = resume.clone().preview().await.unwrap();
    assert_eq!(actions(&preview), all([Reuse, Never, Execute, Execute]));
    assert_eq!(
        reasons(&preview)[2..],
        ["its definition or an edge from it has changed", above]
    );
    let resumed = resume.await.unwrap();
    assert_as_previewed(&preview, &resumed.finished().await.unwrap());
}

async fn a_preview_names_what_is_lost(store: Store) {
    let mut world = world(store);
    world.limits.output_bytes_max = 16;
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let preview = failed.resume().from_node("clean").preview().await.unwrap();
    let lost = "its output was not kept, and a node below it needs it";
    assert_eq!(reasons(&preview)[0], lost);
    assert_eq!(preview.nodes[0].action, Execute);
    world.script.effect("load", Effect::Sink);
    let resume = failed.resume().from_node("clean");
    let preview = resume.clone().preview().await.unwrap();
    assert_eq!(preview.nodes[0].action, Never);
    let fails = "it will fail: the output of the sink load that it needs was not kept";
    assert_eq!(reasons(&preview)[2..], [fails, "a node above it will fail"]);
    let run = resume.await.unwrap().finished().await.unwrap();
    assert_eq!(node(&run, "clean").status, NodeStatus::Failed);
    assert_as_previewed(&preview, &run);
}

async fn a_preview_of_the_current_definition_knows_its_new_nodes(store: Store) {
    let world = world(store);
    let host = world
        .start_with(floret::Builder::allow_pipeline_edits)
        .await;
    let failed = failed_run(&host).await;
    let mut changed = pipeline().node("extra", STEP).after("clean");
    changed.nodes[3] = step("sum").config("changed", true);
    host.floret.pipelines().put(changed).await.unwrap();
    let resume = failed.resume().current();
    let preview = resume.clone().preview().await.unwrap();
    let nodes = preview.nodes.iter();
    let executed: Vec<_> = nodes
        .filter(|node| node.action == Execute)
        .map(|node| (node.node_id.as_str(), node.reason.as_str()))
        .collect();
    let changed = "its definition or an edge from it has changed";
    assert_eq!(
        executed,
        [("sum", changed), ("extra", "it has not succeeded")]
    );
    let run = resume.await.unwrap().finished().await.unwrap();
    assert_as_previewed(&preview, &run);
}

async fn a_preview_shows_an_edge_that_is_not_taken(store: Store) {
    let pipeline = Pipeline::new("p").node("ask", STEP);
    let pipeline = pipeline.node("yes", STEP).after_if("ask", true);
    let pipeline = pipeline.node("no", STEP).after_if("ask", false);
    let world = World::quiet(store).pipeline(pipeline);
    let no = Step::pass_on().branch(false);
    world.script.script("ask", [no]);
    world
        .script
        .script("no", [Step::permanent("broken"), Step::nothing()]);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let preview = failed.resume().preview().await.unwrap();
    assert_eq!(
        actions(&preview),
        [("ask", Reuse), ("yes", Skip), ("no", Execute)]
    );
    assert_eq!(reasons(&preview)[1], "no edge to it is taken");
    let run = failed.resume().await.unwrap().finished().await.unwrap();
    assert_as_previewed(&preview, &run);
}

/// A node whose output is lost executes again, and its first branch stands: nothing that the other
/// one leads to executes.
async fn a_branch_that_executes_again_stands_in_a_preview(store: Store) {
    let pipeline = Pipeline::new("p").node("ask", STEP);
    let pipeline = pipeline.node("yes", STEP).after_if("ask", true);
    let pipeline = pipeline.node("below", STEP).after("yes");
    let pipeline = pipeline.node("no", STEP).after_if("ask", false);
    let mut world = World::quiet(store).pipeline(pipeline);
    world.limits.output_bytes_max = 16;
    let no = || Step::rows([json!({"id": 1}), json!({"id": 2})]).branch(false);
    world.script.script("ask", [no(), no()]);
    let script = [Step::permanent("broken"), Step::nothing()];
    world.script.script("no", script);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let preview = failed.resume().preview().await.unwrap();
    let expected = [
        ("ask", Execute),
        ("yes", Skip),
        ("below", Skip),
        ("no", Execute),
    ];
    let mut shown = actions(&preview);
    shown.sort_unstable_by_key(|(id, _)| {
        ["ask", "yes", "below", "no"].iter().position(|it| it == id)
    });
    assert_eq!(shown, expected);
    let run = failed.resume().await.unwrap().finished().await.unwrap();
    assert_as_previewed(&preview, &run);
}

/// Returns a world whose `sum` fails at once the first time, and at the gate the second time.
fn world_that_fails_again_at(gate: &Gate, store: Store) -> World {
    let world = world(store);
    let held = Step::permanent("broken").at(gate);
    world
        .script
        .script("sum", [Step::permanent("broken"), held]);
    world
}

async fn a_preview_creates_nothing(store: Store) {
    let gate = Gate::new();
    let world = world_that_fails_again_at(&gate, store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let succeeded = world.calls();
    let events = host.events().await.len();
    let service = host.floret.service(Access::allow_all());
    let preview = async |body: serde_json::Value| {
        let path = format!("/api/runs/{}/resume?wait=1", failed.id());
        send(&service, request(Method::POST, &path, Some(&body))).await
    };
    let shown = preview(json!({"preview": true})).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let nodes = shown.json()["nodes"].as_array().unwrap().clone();
    assert_eq!(nodes[0]["action"], "reuse");
    assert_eq!(
        nodes[3],
        json!({"node_id": "sum", "action": "execute", "reason": "it has not succeeded"})
    );
    let in_rust = failed.resume().preview().await.unwrap();
    assert_eq!(shown.json(), json!(in_rust));
    let unknown = preview(json!({"preview": true, "from_node": "other"})).await;
    unknown.assert_problem(422, "invalid-field");
    assert_eq!(
        (host.runs().await.len(), host.events().await.len()),
        (1, events)
    );
    assert_eq!(world.calls(), succeeded);
    failed.resume().await.unwrap();
    world.script.started_times("sum", 2).await;
    let blocked = preview(json!({"preview": true})).await;
    blocked.assert_problem(409, "run-not-resumable");
    gate.open();
}

/// A caller may resume runs and not see them, or see those of another tenant.
async fn a_preview_shows_a_run_to_those_who_see_it(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let preview = async |view: Decision| {
        let access = Access::custom(move |_, permission| match permission {
            Permission::RunsView => view.clone(),
            _ => Decision::allow(Scope::All),
        });
        let path = format!("/api/runs/{}/resume", failed.id());
        let post = request(Method::POST, &path, Some(&json!({"preview": true})));
        send(&host.floret.service(access), post).await
    };
    preview(Decision::Forbidden)
        .await
        .assert_problem(403, "forbidden");
    let ann = Scope::Tenant(TenantId::new("ann").unwrap());
    let absent = preview(Decision::allow(ann)).await;
    absent.assert_problem(404, "run-not-found");
    assert_eq!(preview(Decision::allow(Scope::NoTenant)).await.status, 200);
}

async fn a_preview_is_shown_during_a_shutdown(store: Store) {
    let gate = Gate::new();
    let world = world_that_fails_again_at(&gate, store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let other = host.trigger("p").await;
    world.script.started_times("sum", 2).await;
    let stop = host.floret.shutdown(std::time::Duration::from_secs(60));
    let ask = async {
        while other.resume().await.unwrap_err().slug() != "shutting-down" {
            tokio::task::yield_now().await;
        }
        let preview = failed.resume().preview().await.unwrap();
        gate.open();
        preview
    };
    let (stopped, preview) = tokio::join!(stop, ask);
    stopped.unwrap();
    assert_eq!(preview.nodes.len(), 4);
}
