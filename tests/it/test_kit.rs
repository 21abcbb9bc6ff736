//! The tools for tests of hosts: what `memory` keeps, and what `replace` leaves of a node type.
//!
//! The examples in the documentation show each tool.

use async_trait::async_trait;
use floret::executor::{Asset, Ctx, Effect, Executor, ExecutorError, NodeCall, Output};
use floret::testing::{ScriptedExecutor, Step, memory, run_to_end};
use floret::{Builder, Issue, Node, Pipeline, Problem, RunStatus};
use serde_json::{Map, Value, json};

async fn load(ctx: Ctx) -> Result<Vec<Value>, ExecutorError> {
    Ok(vec![json!({"date": ctx.date.to_string()})])
}

async fn pass(_: Ctx, rows: Vec<Value>) -> Result<Vec<Value>, ExecutorError> {
    Ok(rows)
}

#[tokio::test]
async fn a_run_in_memory_keeps_the_outputs_of_all_nodes() {
    let daily = Pipeline::new("daily").node("load", "load");
    let daily = daily.node("pass", "pass").after("load");
    let builder = memory().node("load", load).node("pass", pass);
    let date = "2024-01-15".parse().unwrap();
    let finished = run_to_end(builder, daily).date(date).await.unwrap();
    assert_eq!(finished.status(), RunStatus::Success);
    for node in ["load", "pass"] {
        let rows: Vec<Value> = finished.handle.output(node).await.unwrap();
        assert_eq!(rows, [json!({"date": "2024-01-15"})], "{node}");
    }
}

/// A node type of a host that refuses a config without a table, and writes.
struct Save;

#[async_trait]
impl Executor for Save {
    async fn execute(&self, _: NodeCall) -> Result<Output, ExecutorError> {
        Err(ExecutorError::permanent("a test must not write"))
    }

    fn effect(&self, _: &Node) -> Effect {
        Effect::Sink
    }

    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue> {
        let is_missing = !config.contains_key("table");
        let issue = || Issue::pointer("/table", "table is required");
        is_missing.then(issue).into_iter().collect()
    }

    fn assets(&self, _: &Node) -> Vec<Asset> {
        vec![Asset::new("table", "orders", true)]
    }

    fn config_keys(&self) -> Option<&[&str]> {
        Some(&["table"])
    }

    fn warnings(&self, _: &Map<String, Value>) -> Vec<Issue> {
        vec![Issue::pointer("/table", "is odd")]
    }
}

/// The function by which a host registers its node types.
fn node_types(builder: Builder) -> Builder {
    builder.node("load", load).executor("save", Save)
}

#[tokio::test]
async fn a_replaced_type_keeps_all_that_it_declares() {
    let script = ScriptedExecutor::new();
    script.script("save", [Step::nothing()]);
    let save = |node: Node| {
        Pipeline::new("daily")
            .node("load", "load")
            .with(node)
            .after("load")
    };
    let floret = node_types(memory())
        .replace("save", script.clone())
        .pipeline(save(Node::new("save", "save").config("table", "orders")))
        .allow_pipeline_edits()
        .start()
        .await
        .unwrap();

    let run = floret.run("daily").await.unwrap().finished().await.unwrap();
    assert_eq!(run.run.status, RunStatus::Success);
    assert_eq!(script.calls_of("save").len(), 1);

    let dry = floret.dry_run("daily").await.unwrap();
    let saved = dry
        .nodes
        .iter()
        .find(|node| node.node_id.as_str() == "save");
    assert_eq!(saved.unwrap().status, floret::NodeStatus::Skipped, "a sink");

    let refused = floret.pipelines().put(save(Node::new("save", "save")));
    assert!(
        refused
            .await
            .unwrap_err()
            .to_string()
            .contains("table is required")
    );

    let odd = Node::new("save", "save")
        .config("table", "orders")
        .config("tabel", 1);
    let saved = floret.pipelines().put(save(odd)).await.unwrap();
    let warnings: Vec<_> = saved
        .warnings
        .iter()
        .map(|issue| issue.detail.clone())
        .collect();
    assert!(
        warnings.iter().any(|detail| detail == "is odd"),
        "{warnings:?}"
    );
    assert!(
        warnings.iter().any(|detail| detail.contains("tabel")),
        "{warnings:?}"
    );

    let lineage = serde_json::to_value(floret.lineage().await.unwrap()).unwrap();
    assert!(lineage.to_string().contains("orders"), "{lineage}");
}

#[tokio::test]
async fn a_type_that_is_not_registered_cannot_be_replaced() {
    let refused = node_types(memory())
        .replace("svae", ScriptedExecutor::new())
        .start()
        .await
        .unwrap_err();
    assert_eq!(refused.problem(), Problem::NodeTypeUnknown);
    let detail = "replace names the node type svae, which is not registered";
    assert_eq!(refused.issues()[0].detail, detail);
}
