//! What a caller may say of the nodes of a resume or a rerun: which to skip, with which parameters,
//! and from which one on.
//!
//! The node to start a resume from is in `resume_choices`, lost outputs are in `lost_outputs`.

use floret::executor::Effect;
use floret::storage::RunDetail;
use floret::testing::Step;
use floret::{
    Access, Node, NodeStatus, ParamDef, Pipeline, ResumeAction, RunHandle, RunId, RunStatus,
};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, STEP, Store, World, node};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    a_skipped_node_does_not_execute_and_those_below_it_do,
    a_node_that_has_succeeded_is_reused_though_it_is_named,
    an_output_that_is_lost_is_not_made_again_if_its_node_is_skipped,
    a_later_resume_leaves_a_skipped_node_out,
    names_that_cannot_be_skipped_are_refused,
    a_resume_takes_parameters,
    parameters_that_do_not_fit_a_resume_are_refused,
    a_given_parameter_replaces_one_that_the_current_definition_refuses,
    a_rerun_from_a_node_reuses_what_was_kept,
    a_rerun_from_a_node_makes_again_what_was_not_kept,
    a_rerun_repeats_no_sink_above_its_first_node,
    a_rerun_from_a_node_of_a_resume_reuses_what_that_reused,
    a_rerun_from_a_node_is_resumed_like_any_run,
    a_repeated_key_with_other_nodes_is_refused,
}

/// Returns the pipeline load → clean → (save, sum), whose node `save` is a sink.
fn pipeline() -> Pipeline {
    let pipeline = Pipeline::new("p").node("load", STEP);
    let pipeline = pipeline.node("clean", STEP).after("load");
    let pipeline = pipeline.node("save", STEP).after("clean");
    pipeline.node("sum", STEP).after("clean")
}

fn rows() -> Step {
    Step::rows([json!({"id": 1}), json!({"id": 2})])
}

/// A world in which `clean` fails the first time.
fn world(store: Store) -> World {
    let world = World::quiet(store).pipeline(pipeline());
    world.script.script("load", vec![rows(); 8]);
    let clean = [Step::permanent("broken"), rows(), rows(), rows()];
    world.script.script("clean", clean);
    world.script.script("save", vec![Step::nothing(); 8]);
    world.script.effect("save", Effect::Sink);
    world
}

async fn failed_run(host: &Host) -> RunHandle {
    let run = host.trigger("p").await;
    assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Failed);
    run
}

async fn finished(run: RunHandle) -> RunDetail {
    run.finished().await.unwrap()
}

/// Returns how often each node was called.
fn calls(world: &World) -> [usize; 4] {
    let calls = world.calls();
    ["load", "clean", "save", "sum"].map(|node| calls.get(node).copied().unwrap_or(0))
}

async fn post(host: &Host, run: RunId, verb: &str, body: &Value) -> TestResponse {
    let path = format!("/api/runs/{run}/{verb}");
    let service = host.floret.service(Access::allow_all());
    send(&service, request(Method::POST, &path, Some(body))).await
}

async fn a_skipped_node_does_not_execute_and_those_below_it_do(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let preview = failed.resume().skip_node("clean").preview().await.unwrap();
    let shown: Vec<_> = preview
        .nodes
        .iter()
        .map(|it| (it.action, it.reason.as_str()))
        .collect();
    assert_eq!(shown[1], (ResumeAction::Skip, "skip_nodes names it"));
    assert_eq!(shown[0].0, ResumeAction::Reuse);
    assert_eq!([shown[2].0, shown[3].0], [ResumeAction::Execute; 2]);
    let body = json!({"skip_nodes": ["clean"]});
    let answer = post(&host, failed.id(), "resume?wait=60", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let run = answer.json();
    assert_eq!(run["status"], "success");
    let clean = &run["node_runs"][1];
    assert_eq!(
        (&clean["status"], &clean["reused_from"]),
        (&json!("skipped"), &run["id"])
    );
    assert_eq!(calls(&world), [1, 1, 1, 1]);
    assert!(
        world.script.calls_of("sum")[0]
            .inputs
            .iter()
            .all(Option::is_none)
    );
    let shown = post(
        &host,
        run["id"].as_str().unwrap().parse().unwrap(),
        "resume",
        &json!({}),
    )
    .await;
    shown.assert_problem(409, "run-not-resumable");
    let output = host
        .floret
        .run_by_id(run["id"].as_str().unwrap().parse().unwrap());
    let missing = output.output::<Value>("clean").await.unwrap_err();
    assert!(missing.to_string().contains("asked to skip"), "{missing}");
}

async fn a_node_that_has_succeeded_is_reused_though_it_is_named(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = failed.resume().skip_node("load").skip_node("load").await;
    let run = finished(resumed.unwrap()).await;
    assert_eq!(run.run.status, RunStatus::Success);
    assert_eq!(node(&run, "load").reused_from, Some(failed.id()));
    assert_eq!(calls(&world), [1, 2, 1, 1]);
    assert_eq!(
        world.script.calls_of("clean")[1].inputs[0]
            .as_ref()
            .unwrap()
            .len(),
        2
    );
}

async fn an_output_that_is_lost_is_not_made_again_if_its_node_is_skipped(store: Store) {
    let mut world = world(store);
    world.limits.output_bytes_max = 16;
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = failed.resume().skip_node("load").await.unwrap();
    let run = finished(resumed).await;
    assert_eq!(run.run.status, RunStatus::Success);
    assert_eq!(node(&run, "load").reused_from, Some(run.run.id));
    assert_eq!(calls(&world), [1, 2, 1, 1]);
}

async fn a_later_resume_leaves_a_skipped_node_out(store: Store) {
    let world = world(store);
    let sum = [Step::permanent("broken"), Step::pass_on(), Step::pass_on()];
    world.script.script("sum", sum);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let second = failed.resume().skip_node("clean").await.unwrap();
    assert_eq!(finished(second.clone()).await.run.status, RunStatus::Failed);
    let preview = second.resume().preview().await.unwrap();
    let [_, clean, _, sum] = preview.nodes.as_slice() else {
        panic!("{preview:?}");
    };
    assert_eq!(clean.action, ResumeAction::Skip);
    let named = format!("skip_nodes has named it in run {}", second.id());
    assert_eq!(clean.reason, named);
    assert!(
        sum.reason
            .ends_with("the node clean is skipped and gives it no rows"),
        "{preview:?}"
    );
    let third = finished(second.resume().await.unwrap()).await;
    assert_eq!(third.run.status, RunStatus::Success);
    assert_eq!(node(&third, "clean").reused_from, Some(second.id()));
    assert_eq!(calls(&world), [1, 1, 1, 2]);
    let again = third.run.id;
    let again = host
        .floret
        .run_by_id(again)
        .rerun()
        .from_node("clean")
        .await
        .unwrap();
    assert_eq!(finished(again).await.run.status, RunStatus::Success);
    assert_eq!(calls(&world)[1], 2, "a rerun executes what it names");
}

async fn names_that_cannot_be_skipped_are_refused(store: Store) {
    let decided = Pipeline::new("d").node("ask", STEP);
    let decided = decided.node("yes", STEP).after_if("ask", true);
    let world = world(store).pipeline(decided);
    world.script.script("ask", [Step::permanent("broken")]);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let body = json!({"from_node": "clean", "skip_nodes": ["lod", "sum", "load"]});
    let refused = post(&host, failed.id(), "resume", &body).await;
    refused.assert_problem(422, "invalid-field");
    let errors = refused.json()["errors"].clone();
    assert_eq!(errors.as_array().unwrap().len(), 2, "{errors}");
    assert_eq!(errors[0]["pointer"], "/skip_nodes/0");
    assert!(
        errors[0]["detail"]
            .as_str()
            .unwrap()
            .contains("did you mean"),
        "{errors}"
    );
    assert_eq!(errors[1]["pointer"], "/skip_nodes/1");
    assert!(
        errors[1]["detail"]
            .as_str()
            .unwrap()
            .contains("from_node or below it"),
        "{errors}"
    );
    for skips in [json!("clean"), json!([1]), json!({}), json!([null])] {
        let refused = post(&host, failed.id(), "resume", &json!({"skip_nodes": skips})).await;
        refused.assert_problem(422, "invalid-field");
    }
    let failed = host.run("d").await.run;
    let refused = post(&host, failed.id, "resume", &json!({"skip_nodes": ["ask"]})).await;
    refused.assert_problem(422, "invalid-field");
    assert!(
        refused.text().contains("decides which edges"),
        "{refused:?}"
    );
    let refused = post(&host, failed.id, "rerun", &json!({"skip_nodes": ["ask"]})).await;
    refused.assert_problem(422, "unknown-field");
}

/// Returns the pipeline load → send, whose nodes have the parameter `region` in their config.
fn regional() -> Pipeline {
    let with = |id: &str| Node::new(id, STEP).config("at", "${param.region}");
    let pipeline = Pipeline::new("p").with(with("load")).with(with("send"));
    pipeline
        .with_edge(floret::Edge::new("load", "send"))
        .param("region", "eu")
}

fn regional_world(store: Store, pipeline: Pipeline) -> World {
    let world = World::quiet(store).pipeline(pipeline);
    world.script.script("load", vec![rows(); 4]);
    let send = [Step::permanent("broken"), Step::nothing()];
    world.script.script("send", send);
    world
}

async fn a_resume_takes_parameters(store: Store) {
    let world = regional_world(store, regional());
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = failed
        .resume()
        .param("region", "us")
        .param("new", "1")
        .await;
    let run = finished(resumed.unwrap()).await.run;
    assert_eq!(run.status, RunStatus::Success);
    assert_eq!(
        (run.params["region"].as_str(), run.params["new"].as_str()),
        ("us", "1")
    );
    let sent = world.script.calls_of("send");
    let regions: Vec<_> = sent
        .iter()
        .map(|call| call.node.config["at"].clone())
        .collect();
    assert_eq!(regions, [json!("eu"), json!("us")]);
    // What is reused was made with the parameter of the run that is resumed.
    assert_eq!(world.script.calls_of("load").len(), 1);
    assert_eq!(failed.get().await.unwrap().run.params["region"], "eu");
}

async fn parameters_that_do_not_fit_a_resume_are_refused(store: Store) {
    let limit = ParamDef::integer("limit");
    let world = regional_world(
        store,
        regional()
            .param_def(ParamDef::string("region"))
            .param_def(limit),
    );
    let host = world.start().await;
    let failed = failed_run(&host).await.id();
    for (params, slug, at) in [
        (
            json!({"date": "2024-01-15"}),
            "invalid-field",
            "/params/date",
        ),
        (json!({"limit": "many"}), "param-invalid", "/params/limit"),
        (json!({"limt": 1}), "param-invalid", "/params/limt"),
        (json!({"region": {}}), "invalid-field", "/params/region"),
    ] {
        for body in [
            json!({"params": params}),
            json!({"params": params, "definition": "current"}),
        ] {
            let refused = post(&host, failed, "resume", &body).await;
            refused.assert_problem(422, slug);
            assert_eq!(refused.json()["errors"][0]["pointer"], at, "{refused:?}");
        }
    }
    assert_eq!(host.runs().await.len(), 1);
    let resumed = post(
        &host,
        failed,
        "resume?wait=60",
        &json!({"params": {"limit": 5}}),
    )
    .await;
    assert_eq!(resumed.json()["params"]["limit"], "5");
}

async fn a_given_parameter_replaces_one_that_the_current_definition_refuses(store: Store) {
    let mut world = regional_world(store, regional().param("limit", "many"));
    let host = world.start().await;
    let failed = failed_run(&host).await.id();
    host.stop().await;
    let typed = regional().param_def(ParamDef::string("region"));
    world.pipelines = vec![typed.param_def(ParamDef::integer("limit"))];
    let host = world.start().await;
    for (params, at) in [
        (json!({}), "/definition"),
        (json!({"region": "us"}), "/definition"),
        (json!({"limit": "none"}), "/params/limit"),
    ] {
        let body = json!({"params": params, "definition": "current"});
        let refused = post(&host, failed, "resume", &body).await;
        refused.assert_problem(422, "param-invalid");
        assert_eq!(refused.json()["errors"][0]["pointer"], at, "{refused:?}");
    }
    let body = json!({"params": {"limit": 5}, "definition": "current"});
    let resumed = post(&host, failed, "resume?wait=60", &body).await;
    assert_eq!(resumed.status, 200, "{resumed:?}");
    assert_eq!(resumed.json()["params"]["limit"], "5");
    assert_eq!(resumed.json()["status"], "success");
}

/// A world in which every node succeeds.
fn sound_world(store: Store, pipeline: Pipeline) -> World {
    let world = World::quiet(store).pipeline(pipeline);
    world.script.script("load", vec![rows(); 8]);
    world.script.script("clean", vec![rows(); 8]);
    world.script.script("save", vec![Step::nothing(); 8]);
    world.script.effect("save", Effect::Sink);
    world
}

fn keeping() -> Pipeline {
    let mut pipeline = pipeline();
    for node in &mut pipeline.nodes[..2] {
        *node = node.clone().keep_output();
    }
    pipeline
}

async fn a_rerun_from_a_node_reuses_what_was_kept(store: Store) {
    let world = sound_world(store, keeping());
    let host = world.start().await;
    let first = host.run("p").await.run.id;
    let answer = post(&host, first, "rerun?wait=60", &json!({"from_node": "sum"})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let run = answer.json();
    assert_eq!(
        (&run["status"], &run["rerun_of"]),
        (&json!("success"), &json!(first))
    );
    assert!(run.get("resumed_from").is_none(), "{run}");
    let nodes = run["node_runs"].as_array().unwrap();
    let reused: Vec<_> = nodes
        .iter()
        .map(|node| node.get("reused_from").cloned())
        .collect();
    assert_eq!(
        reused,
        [
            Some(json!(first)),
            Some(json!(first)),
            Some(json!(first)),
            None
        ]
    );
    assert_eq!(calls(&world), [1, 1, 1, 2]);
    let sums = world.script.calls_of("sum");
    assert_eq!(sums[0].inputs, sums[1].inputs);
    assert_ne!(sums[0].attempt_key, sums[1].attempt_key);
    // The sink repeats only where the caller names it, or a node above it.
    let again = host
        .floret
        .run_by_id(first)
        .rerun()
        .from_node("clean")
        .await
        .unwrap();
    assert_eq!(finished(again).await.run.status, RunStatus::Success);
    assert_eq!(calls(&world), [1, 2, 2, 3]);
    let refused = post(&host, first, "rerun", &json!({"from_node": "smu"})).await;
    refused.assert_problem(422, "invalid-field");
    assert_eq!(refused.json()["errors"][0]["pointer"], "/from_node");
}

async fn a_rerun_from_a_node_makes_again_what_was_not_kept(store: Store) {
    let world = sound_world(store, pipeline());
    let host = world.start().await;
    let first = host.run("p").await.run.id;
    let again = host
        .floret
        .run_by_id(first)
        .rerun()
        .from_node("sum")
        .await
        .unwrap();
    let run = finished(again).await;
    assert_eq!(run.run.status, RunStatus::Success);
    // `clean` needs the output of `load`, and `save` none.
    assert_eq!(calls(&world), [2, 2, 1, 2]);
    assert_eq!(node(&run, "save").reused_from, Some(first));
    assert_eq!(node(&run, "clean").status, NodeStatus::Success);
}

async fn a_rerun_repeats_no_sink_above_its_first_node(store: Store) {
    let pipeline = Pipeline::new("p").node("load", STEP);
    let pipeline = pipeline.node("save", STEP).after("load");
    let pipeline = pipeline.node("sum", STEP).after("save");
    let world = sound_world(store, pipeline);
    world.script.script("save", [rows()]);
    let host = world.start().await;
    let first = host.run("p").await.run.id;
    let again = host
        .floret
        .run_by_id(first)
        .rerun()
        .from_node("sum")
        .await
        .unwrap();
    let run = finished(again).await;
    assert_eq!(run.run.status, RunStatus::Failed);
    let error = node(&run, "sum").error.clone().unwrap();
    assert!(error.contains("the output of save is needed"), "{error}");
    assert_eq!(calls(&world), [1, 0, 1, 1]);
}

async fn a_rerun_from_a_node_of_a_resume_reuses_what_that_reused(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    world
        .script
        .script("sum", [Step::permanent("broken"), Step::pass_on()]);
    let resumed = failed.resume().await.unwrap();
    assert_eq!(
        finished(resumed.clone()).await.run.status,
        RunStatus::Failed
    );
    let again = resumed.rerun().from_node("clean").await.unwrap();
    let run = finished(again).await;
    assert_eq!(run.run.status, RunStatus::Success);
    assert_eq!(node(&run, "load").reused_from, Some(failed.id()));
    assert_eq!(calls(&world), [1, 3, 2, 2]);
}

async fn a_rerun_from_a_node_is_resumed_like_any_run(store: Store) {
    let world = sound_world(store, keeping());
    world.script.script(
        "sum",
        [Step::pass_on(), Step::permanent("broken"), Step::pass_on()],
    );
    let host = world.start().await;
    let first = host.run("p").await.run.id;
    let again = host
        .floret
        .run_by_id(first)
        .rerun()
        .from_node("sum")
        .await
        .unwrap();
    assert_eq!(finished(again.clone()).await.run.status, RunStatus::Failed);
    let resumed = finished(again.resume().await.unwrap()).await;
    assert_eq!(resumed.run.status, RunStatus::Success);
    assert_eq!(node(&resumed, "clean").reused_from, Some(first));
    assert_eq!(calls(&world), [1, 1, 1, 3]);
}

async fn a_repeated_key_with_other_nodes_is_refused(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let first = failed.resume().skip_node("clean").key("k").await.unwrap();
    let repeated = failed.resume().skip_node("clean").key("k").await.unwrap();
    assert_eq!(first.id(), repeated.id());
    for other in [
        failed.resume().key("k").await,
        failed.resume().skip_node("load").key("k").await,
        failed
            .resume()
            .skip_node("clean")
            .param("a", "1")
            .key("k")
            .await,
    ] {
        assert_eq!(other.unwrap_err().slug(), "idempotency-key-reused");
    }
    first.finished().await.unwrap();
    let first = failed.rerun().from_node("clean").key("k").await.unwrap();
    let repeated = failed.rerun().from_node("clean").key("k").await.unwrap();
    assert_eq!(first.id(), repeated.id());
    let other = failed.rerun().key("k").await.unwrap_err();
    assert_eq!(other.slug(), "idempotency-key-reused");
}
