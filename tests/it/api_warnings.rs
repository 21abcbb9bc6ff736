//! Warnings about definitions: on validate, POST and PUT, with what was most likely meant.
//!
//! Definitions that are refused are left to `bad_input`.

use async_trait::async_trait;
use floret::executor::{Asset, Ctx, Effect, Executor, ExecutorError, NodeCall, Output};
use floret::nodes::CommandNode;
use floret::testing::Step;
use floret::{Clock, Issue, Node};
use http::Method;
use serde_json::{Map, Value, json};

use crate::wire::{Backend, Host, request};

async fn copy(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

/// An executor that panics when it is asked about a config with the key `panics`.
struct Fragile;

#[async_trait]
impl Executor for Fragile {
    async fn execute(&self, _: NodeCall) -> Result<Output, ExecutorError> {
        Ok(Output::Nothing)
    }

    fn effect(&self, _: &Node) -> Effect {
        Effect::Transform
    }

    fn validate(&self, _: &Map<String, Value>) -> Vec<Issue> {
        Vec::new()
    }

    fn assets(&self, _: &Node) -> Vec<Asset> {
        Vec::new()
    }

    fn warnings(&self, config: &Map<String, Value>) -> Vec<Issue> {
        assert!(!config.contains_key("panics"), "fragile warnings");
        Vec::new()
    }
}

async fn host() -> Host {
    Host::build(Backend::Memory, |builder| {
        builder
            .executor("command", CommandNode::new(Clock::system()))
            .node("copy", copy)
            .executor("fragile", Fragile)
    })
    .await
}

/// Returns the pointers and details of the warnings in a response.
fn warnings(body: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let listed = body["warnings"].as_array().cloned().unwrap_or_default();
    let pairs = listed
        .iter()
        .map(|warning| (text(&warning["pointer"]), text(&warning["detail"])));
    pairs.collect()
}

/// Saves a definition, and returns its warnings, which POST, PUT and validate must agree on.
async fn warnings_of(host: &Host, definition: &Value) -> Vec<(String, String)> {
    let created = host.post("/api/pipelines", Some(definition)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let created = created.json();
    let path = format!("/api/pipelines/{}", created["id"].as_str().unwrap());
    // The answer is accepted as a definition, and its warnings do not become a part of it.
    let replaced = host.send(request(Method::PUT, &path, Some(&created))).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    assert_eq!(replaced.json(), created);
    let checked = host.get(&format!("{path}/validate")).await.json();
    assert_eq!(checked["valid"], true, "{checked}");
    assert_eq!(warnings(&checked), warnings(&created));
    assert_eq!(host.get(&path).await.json().get("warnings"), None);
    let deleted = host.send(request(Method::DELETE, &path, None)).await;
    assert_eq!(deleted.status, 204);
    warnings(&created)
}

/// Returns a definition with one command, after `edit` has changed it.
fn definition(edit: impl FnOnce(&mut Value)) -> Value {
    let mut definition = json!({
        "id": "odd", "name": "odd",
        "nodes": [{"id": "load", "type": "command", "config": {"command": ["true"]}}],
    });
    edit(&mut definition);
    definition
}

/// Returns odd keys by their pointers, with a value and what the warning says.
fn odd_keys() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/cron", json!("@daily"), "did you mean \"schedule\"?"),
        (
            "/Timezone",
            json!("UTC"),
            "did you mean \"schedule_timezone\"?",
        ),
        (
            "/max_concurent_runs",
            json!(1),
            "did you mean \"max_concurrent_runs\"?",
        ),
        (
            "/zzz",
            json!(1),
            "is not a field of the pipeline that Floret reads, and has no effect",
        ),
        (
            "/nodes/0/max_retries",
            json!(3),
            "\"max_retries\" belongs in the node's config",
        ),
        (
            "/nodes/0/effect",
            json!("sink"),
            "\"effect\" belongs in the node's config",
        ),
        (
            "/nodes/0/retries",
            json!(3),
            "did you mean \"max_retries\" in the node's config?",
        ),
        (
            "/nodes/0/depends_on",
            json!(["a"]),
            "the edges of the pipeline connect nodes",
        ),
        ("/nodes/0/conifg", json!({}), "did you mean \"config\"?"),
        ("/nodes/0/x~1y", json!(7), "is not a field of a node"),
        (
            "/nodes/0/config/effct",
            json!("sink"),
            "did you mean \"effect\"?",
        ),
        (
            "/nodes/0/config/retries",
            json!(3),
            "did you mean \"max_retries\"?",
        ),
        (
            "/nodes/0/config/timeout_seconds",
            json!(3),
            "did you mean \"timeout\"?",
        ),
        (
            "/nodes/0/config/zzz",
            json!(3),
            "known are command, effect, output",
        ),
    ]
}

#[tokio::test]
async fn a_key_that_nothing_reads_is_warned_of_with_what_was_meant() {
    let host = host().await;
    for (pointer, value, meant) in odd_keys() {
        let odd = definition(|definition| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            definition.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value;
        });
        let found = warnings_of(&host, &odd).await;
        assert_eq!(found.len(), 1, "{pointer}: {found:?}");
        assert_eq!(found[0].0, pointer);
        assert!(found[0].1.contains(meant), "{pointer}: {}", found[0].1);
    }
    let known = definition(|definition| {
        for (key, value) in [("max_retries", 3), ("retry_delay", 3), ("timeout", 3)] {
            definition["nodes"][0]["config"][key] = json!(value);
        }
    });
    assert_eq!(warnings_of(&host, &known).await, []);
}

#[tokio::test]
async fn a_node_type_without_declared_keys_is_warned_only_of_words_for_engine_keys() {
    let host = host().await;
    let odd = definition(|definition| {
        definition["nodes"][0] = json!({
            "id": "copy", "type": "copy", "config": {"anything": 1, "retries": 3},
        });
        definition["edges"] = json!([]);
    });
    let found = warnings_of(&host, &odd).await;
    let detail = "the engine does not read the key \"retries\"; did you mean \"max_retries\"? (correct if nodes of type \"copy\" read it)";
    assert_eq!(
        found,
        [("/nodes/0/config/retries".to_owned(), detail.to_owned())]
    );
}

#[tokio::test]
async fn parameters_that_a_run_lacks_or_that_nothing_names_are_warned_of() {
    let host = host().await;
    let odd = definition(|definition| {
        definition["params"] = json!({"region": "eu", "shop": "a", "zone": "b"});
        definition["nodes"][0]["config"]["command"] = json!([
            "load",
            "${param.regoin}",
            "${param.date}",
            "$FLORET_PARAM_SHOP",
            "${param.dat}"
        ]);
    });
    let found = warnings_of(&host, &odd).await;
    let expected = [
        (
            "/nodes/0/config/command/1",
            "the pipeline has no parameter \"regoin\", so each run must be given it; did you mean \"region\"?",
        ),
        (
            "/nodes/0/config/command/4",
            "the pipeline has no parameter \"dat\", so each run must be given it; did you mean \"date\"?",
        ),
        (
            "/params/region",
            "no node's config names the parameter \"region\"",
        ),
        (
            "/params/zone",
            "no node's config names the parameter \"zone\"",
        ),
    ];
    assert_eq!(
        found,
        expected.map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned()))
    );
}

#[tokio::test]
async fn a_save_whose_warnings_cannot_be_found_saves_nothing() {
    let host = host().await;
    let sound = definition(|definition| {
        definition["nodes"][0] = json!({"id": "load", "type": "fragile"});
    });
    let mut fragile = sound.clone();
    fragile["nodes"][0]["config"] = json!({"panics": true});
    let refused = host.post("/api/pipelines", Some(&fragile)).await;
    refused.assert_problem(500, "internal-error");
    let absent = host.get("/api/pipelines/odd").await;
    absent.assert_problem(404, "pipeline-not-found");
    let created = host.post("/api/pipelines", Some(&sound)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let put = request(Method::PUT, "/api/pipelines/odd", Some(&fragile));
    host.send(put).await.assert_problem(500, "internal-error");
    let stored = host.get("/api/pipelines/odd").await;
    assert_eq!(stored.json(), created.json());
}

#[tokio::test]
async fn a_text_that_looks_like_a_template_and_is_none_is_warned_of() {
    let host = host().await;
    let odd = definition(|definition| {
        let words = json!(["load", "${run.date", "${}", "$${}", "${HOME"]);
        definition["nodes"][0]["config"]["command"] = words;
        definition["concurrency"] = json!({"key": "${param.region"});
    });
    let rest = "and the text stays as it is ($${ stands for ${)";
    let expected = [
        (
            "/nodes/0/config/command/1".to_owned(),
            format!("the template \"${{run.date\" is never closed, {rest}"),
        ),
        (
            "/nodes/0/config/command/2".to_owned(),
            format!("\"${{}}\" names nothing, {rest}"),
        ),
        (
            "/concurrency/key".to_owned(),
            format!("the template \"${{param.region\" is never closed, {rest}"),
        ),
    ];
    assert_eq!(warnings_of(&host, &odd).await, expected);
}

#[tokio::test]
async fn at_most_twenty_warnings_are_reported() {
    let host = host().await;
    let odd = definition(|definition| {
        for index in 0..1_000 {
            definition[format!("field{index}")] = json!(index);
        }
    });
    assert_eq!(warnings_of(&host, &odd).await.len(), 20);
}

#[tokio::test]
async fn a_template_that_no_run_can_resolve_is_refused() {
    let host = host().await;
    for (template, meant) in [
        ("${run.dat}", "did you mean \"date\"?"),
        ("${params.date}", "did you mean \"${param.date}\"?"),
        ("${VAR.KEY}", "did you mean \"${var.KEY}\"?"),
        ("${var.}", "no variable is called \"\""),
    ] {
        let bad = definition(|definition| {
            definition["nodes"][0]["config"]["command"] = json!(["load", template]);
        });
        let refused = host.post("/api/pipelines", Some(&bad)).await;
        refused.assert_problem(422, "invalid-field");
        let error = &refused.json()["errors"][0];
        assert_eq!(error["pointer"], "/nodes/0/config/command/1");
        assert!(error["detail"].as_str().unwrap().contains(meant), "{error}");
    }
}

#[tokio::test]
async fn an_unknown_node_type_or_node_is_answered_with_the_nearest() {
    let host = host().await;
    let odd = definition(|definition| definition["nodes"][0]["type"] = json!("comand"));
    let created = host.post("/api/pipelines", Some(&odd)).await;
    assert_eq!(created.status, 201);
    let detail = "node \"load\" has the type \"comand\", for which no executor is registered; did you mean \"command\"?";
    let checked = host.get("/api/pipelines/odd/validate").await.json();
    assert_eq!(checked["errors"][0]["detail"], detail);
    let refused = host.post("/api/pipelines/odd/run", None).await;
    refused.assert_problem(422, "node-type-unknown");
    assert_eq!(refused.json()["detail"], detail);
    host.executor.script("load", [Step::permanent("no")]);
    let run = host.trigger().await;
    host.wait_finished(&run).await;
    let resumed = host
        .post(
            &format!("/api/runs/{run}/resume"),
            Some(&json!({"from_node": "laod"})),
        )
        .await;
    resumed.assert_problem(422, "invalid-field");
    assert_eq!(
        resumed.json()["errors"][0]["detail"],
        "from_node must name a node of the definition that runs, received \"laod\"; did you mean \"load\"?"
    );
}

async fn sum(_: Ctx, _: Vec<Value>) -> Result<Vec<Value>, ExecutorError> {
    Ok(Vec::new())
}

async fn join(_: Ctx, _: Vec<Value>, _: Vec<Value>) -> Result<Vec<Value>, ExecutorError> {
    Ok(Vec::new())
}

#[tokio::test]
async fn a_node_without_the_upstreams_that_its_function_takes_gets_a_warning() {
    let host = Host::build(Backend::Memory, |builder| {
        let builder = builder.node("copy", copy).node("sum", sum);
        builder.node("join", join)
    })
    .await;
    for (kind, edges, expected) in [
        ("copy", 0, None),
        ("copy", 1, None),
        ("sum", 0, Some("no edge leads to the node \"last\"")),
        ("sum", 1, None),
        ("sum", 2, None),
        ("join", 0, Some("no edge leads to the node \"last\"")),
        ("join", 1, Some("takes two inputs")),
        ("join", 2, None),
    ] {
        let mut nodes: Vec<_> = (0..edges)
            .map(|n| json!({"id": format!("n{n}"), "type": "copy"}))
            .collect();
        nodes.push(json!({"id": "last", "type": kind}));
        let edges: Vec<_> = (0..edges)
            .map(|n| json!({"from": format!("n{n}"), "to": "last"}))
            .collect();
        let pipeline = json!({"name": "odd", "nodes": nodes, "edges": edges});
        let created = host.post("/api/pipelines", Some(&pipeline)).await.json();
        let found = warnings(&created);
        let [(pointer, detail)] = found.as_slice() else {
            assert_eq!((found.len(), expected), (0, None), "{kind} {edges:?}");
            continue;
        };
        assert_eq!(*pointer, format!("/nodes/{}", edges.len()));
        assert!(detail.contains(expected.unwrap()), "{kind}: {detail}");
    }
}
