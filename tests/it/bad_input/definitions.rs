//! Definitions with an invalid graph or invalid fields.
//!
//! `schedules` covers their schedules, and `conflicts` covers ids that are taken.

use http::Method;
use serde_json::{Value, json};

use super::row::{BACKFILL, DRY_RUN, RUN, Row, TestRequest, all, post, put};
use crate::wire::{Backend, Host, request};

const MANY: usize = 1_000;

/// Returns a definition with these nodes and edges.
pub(super) fn graph(nodes: &[&str], edges: &[(&str, &str)]) -> Value {
    let node = |id: &&str| json!({"id": id, "type": "any"});
    let edge = |(from, to): &(&str, &str)| json!({"from": from, "to": to});
    json!({
        "name": "x",
        "nodes": nodes.iter().map(node).collect::<Vec<_>>(),
        "edges": edges.iter().map(edge).collect::<Vec<_>>(),
    })
}

/// Returns the requests that create a pipeline from this definition and replace one with it.
pub(super) fn create_and_replace(definition: &Value) -> [TestRequest; 2] {
    let body = definition.to_string();
    let replace = put("/api/pipelines/daily", body.as_str());
    [post("/api/pipelines", body), replace]
}

/// Returns a definition of `count` nodes without edges.
fn wide(count: usize) -> Value {
    let nodes: Vec<_> = (0..count).map(|index| format!("n{index}")).collect();
    let nodes: Vec<_> = nodes.iter().map(String::as_str).collect();
    graph(&nodes, &[])
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (definition, slug, detail) in graphs() {
        let bad = create_and_replace(&definition).map(|bad| bad.with_detail(detail));
        rows.extend(all(422, slug, bad));
    }
    for (member, value, at) in fields() {
        let mut definition = graph(&["a"], &[]);
        definition[member] = value;
        let bad = create_and_replace(&definition).map(|bad| bad.at(format!("/{at}")));
        rows.extend(all(422, "invalid-field", bad));
    }
    // In a replacement, the mismatch with the id in the path is reported first.
    for id in ["", "a b", "x/y"] {
        let mut definition = graph(&["a"], &[]);
        definition["id"] = json!(id);
        let [create, replace] = create_and_replace(&definition);
        rows.push((create.at("/id"), 422, "invalid-field"));
        rows.push((replace, 400, "id-mismatch"));
    }
    rows.extend(sizes());
    let nameless = json!({"nodes": [{"id": "a", "type": "any"}]});
    for body in [json!([]), json!(5), nameless] {
        rows.extend(all(422, "invalid-field", create_and_replace(&body)));
    }
    for condition in [json!("yes"), json!(1), json!(null), json!([true])] {
        let mut definition = graph(&["a", "b"], &[("a", "b")]);
        definition["edges"][0]["condition"] = condition;
        let bad = create_and_replace(&definition);
        let bad = bad.map(|bad| bad.at("/edges/0/condition").with_detail("true or false"));
        rows.extend(all(422, "invalid-field", bad));
    }
    let days = r#"{"start_date":"2024-01-01","end_date":"2024-01-02"}"#;
    let actions = [(RUN, "{}"), (DRY_RUN, ""), (BACKFILL, days)];
    let actions = actions
        .map(|(path, body)| post(path.replace("daily", "odd"), body).with_detail("teleport"));
    rows.extend(all(422, "node-type-unknown", actions));
    rows
}

/// Returns the nodes of a definition whose config names this many variables.
fn naming(count: usize) -> Value {
    let names: String = (0..count)
        .map(|index| format!("${{var.v{index}}}"))
        .collect();
    json!([{"id": "a", "type": "any", "config": {"text": names}}])
}

/// Definitions and parameters beyond a limit on their size.
fn sizes() -> Vec<Row> {
    let mut rows = Vec::new();
    let many: Vec<_> = (0..101).map(|index| format!("tag {index}")).collect();
    let node = json!([{"id": "a", "type": "any", "config": {"text": "x".repeat(1024 * 1024)}}]);
    for (member, value, at) in [
        ("nodes", node, ""),
        ("nodes", naming(1_001), "/nodes/0/config"),
        ("tags", json!(many), "/tags"),
        ("tags", json!(["ok", "é".repeat(65)]), "/tags/1"),
    ] {
        let mut definition = graph(&["a"], &[]);
        definition[member] = value;
        let bad = create_and_replace(&definition).map(|bad| bad.at(at));
        rows.extend(all(422, "definition-too-large", bad));
    }
    let params = json!({"a": "x".repeat(64 * 1024)});
    let mut definition = graph(&["a"], &[]);
    definition["params"] = params.clone();
    let bad = create_and_replace(&definition).map(|bad| bad.at("/params"));
    rows.extend(all(422, "params-too-large", bad));
    let given = json!({"params": params}).to_string();
    let days = json!({"start_date": "2024-01-01", "end_date": "2024-01-02", "params": params});
    let actions = [
        (RUN, given.clone()),
        (DRY_RUN, given),
        (BACKFILL, days.to_string()),
    ];
    let actions = actions.map(|(path, body)| post(path, body).at("/params"));
    rows.extend(all(422, "params-too-large", actions));
    rows
}

fn graphs() -> Vec<(Value, &'static str, &'static str)> {
    let ring: Vec<_> = (0..50).map(|index| format!("n{index}")).collect();
    let ring: Vec<_> = ring.iter().map(String::as_str).collect();
    let around: Vec<_> = ring.iter().zip(ring.iter().cycle().skip(1)).collect();
    let around: Vec<_> = around.into_iter().map(|(from, to)| (*from, *to)).collect();
    vec![
        (
            graph(&["a", "b"], &[("a", "b"), ("b", "a")]),
            "graph-cycle",
            "a",
        ),
        (graph(&ring, &around), "graph-cycle", "n0"),
        (graph(&["a"], &[("a", "a")]), "graph-invalid", "a"),
        (graph(&["a", "a"], &[]), "graph-invalid", "a"),
        (
            graph(&["load"], &[("laod", "load")]),
            "graph-invalid",
            "did you mean",
        ),
        (graph(&[], &[]), "graph-empty", ""),
        (wide(MANY + 1), "graph-too-large", "1000"),
        (
            graph(&["a", "b"], &[("a", "b"); 20_001]),
            "graph-too-large",
            "20000",
        ),
    ]
}

/// A member, its invalid value and the pointer to the problem.
fn fields() -> Vec<(&'static str, Value, &'static str)> {
    let node =
        |key: &str, value: Value| json!([{"id": "a", "type": "any", "config": {key: value}}]);
    let (retries, delay) = ("nodes/0/config/max_retries", "nodes/0/config/retry_delay");
    let keep = "nodes/0/config/keep_output";
    let timeout = "nodes/0/config/timeout";
    vec![
        ("name", json!(""), "name"),
        ("name", json!("x".repeat(256)), "name"),
        ("name", json!("a\nb"), "name"),
        ("name", json!(5), "name"),
        ("pipeline_id", json!("-x"), "pipeline_id"),
        ("description", json!("x".repeat(2_001)), "description"),
        ("nodes", json!({}), "nodes"),
        ("nodes", json!([5]), "nodes/0"),
        ("nodes", json!([{"type": "any"}]), "nodes/0/id"),
        ("nodes", json!([{"id": "a"}]), "nodes/0/type"),
        ("edges", json!([{"from": "a"}]), "edges/0/to"),
        ("params", json!({"a": []}), "params/a"),
        ("tags", json!([5]), "tags/0"),
        ("enabled", json!("yes"), "enabled"),
        ("timeout", json!(-1), "timeout"),
        ("timeout", json!(0), "timeout"),
        ("timeout", json!(1e300), "timeout"),
        ("timeout", json!(u64::MAX), "timeout"),
        ("timeout", json!("60"), "timeout"),
        ("max_concurrent_runs", json!(0), "max_concurrent_runs"),
        ("max_concurrent_runs", json!(-1), "max_concurrent_runs"),
        (
            "max_concurrent_runs",
            json!(u64::MAX),
            "max_concurrent_runs",
        ),
        ("nodes", node("max_retries", json!(101)), retries),
        ("nodes", node("max_retries", json!(-1)), retries),
        ("nodes", node("max_retries", json!(1.5)), retries),
        ("nodes", node("max_retries", json!(u64::MAX)), retries),
        ("nodes", node("keep_output", json!("yes")), keep),
        ("nodes", node("retry_delay", json!(-1)), delay),
        ("nodes", node("retry_delay", json!(1e300)), delay),
        ("nodes", node("retry_delay", json!(u64::MAX)), delay),
        ("nodes", node("timeout", json!(0)), timeout),
        ("nodes", node("timeout", json!("long")), timeout),
        ("nodes", node("timeout", json!(1e300)), timeout),
        ("nodes", node("timeout", json!(u64::MAX)), timeout),
    ]
}

pub(super) async fn set_ups(backend: Backend) {
    a_definition_of_a_thousand_nodes_is_accepted(backend).await;
}

async fn a_definition_of_a_thousand_nodes_is_accepted(backend: Backend) {
    let host = Host::start(backend).await;
    let create = request(Method::POST, "/api/pipelines", Some(&wide(MANY)));
    let response = host.send(create).await;
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.json()["nodes"].as_array().unwrap().len(), MANY);
}
