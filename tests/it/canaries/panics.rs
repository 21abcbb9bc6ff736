//! Panics of host code with a canary in their text: the text reaches neither a client nor a log
//! line at `info` or above.
//!
//! The reason of a failed node is the exception: clients see it, with the secrets of the run
//! masked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use floret::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use floret::testing::routes;
use floret::{Access, Issue, Node, Pipeline};
use http::Method;
use serde_json::{Map, Value, json};

use super::levels::Levels;
use super::{assert_hidden, key, run, secrets, store_secrets, with_hooks};
use crate::harness::all_events;
use crate::wire::{Backend, Host, request, send};

const TEXT: &str = "canary-panic 47148153 in SELECT canary FROM /var/lib/canary/runs.db";

async fn panic_with_secrets(call: NodeCall) -> Result<(), ExecutorError> {
    let all = secrets(&call.ctx).await?.join(" ");
    panic!("refused: {all}");
}

async fn assert_panic_is_masked(backend: Backend) {
    let logs = Levels::default();
    let _guard = logs.capture();
    let build = |builder: floret::Builder| {
        with_hooks(builder)
            .node("leaky", panic_with_secrets)
            .secret_key(key(7))
    };
    let host = Host::build(backend, build).await;
    store_secrets(&host).await;
    let id = run(&host, "fine").await;
    let shown = host.get(&format!("/api/runs/{id}")).await;
    let error = shown.json()["error"].as_str().unwrap().to_owned();
    assert!(
        error.starts_with("node leaky: the executor panicked: refused: ***"),
        "{error}"
    );
    assert_hidden("a run", &shown.body);
    for export in ["ndjson", "csv"] {
        let path = format!("/api/runs/{id}/logs/export?format={export}");
        assert_hidden("an export", &host.get(&path).await.body);
    }
    let events = all_events(&host.faults).await;
    assert_hidden("an event", format!("{events:?}").as_bytes());
    assert_hidden("a loud line", logs.loud.text().as_bytes());
    assert_hidden("a quiet line", logs.quiet.text().as_bytes());
}

#[tokio::test]
async fn secrets_in_the_panic_of_a_node_are_masked_in_memory() {
    assert_panic_is_masked(Backend::Memory).await;
}

#[tokio::test]
async fn secrets_in_the_panic_of_a_node_are_masked_in_sqlite() {
    assert_panic_is_masked(Backend::Sqlite).await;
}

/// An executor that panics with [`TEXT`] in every method about a node, once its flag is set.
#[derive(Clone, Default)]
struct PanickingExecutor(Arc<AtomicBool>);

impl PanickingExecutor {
    fn panic_if_armed(&self) {
        assert!(!self.0.load(Ordering::Relaxed), "{TEXT}");
    }
}

#[async_trait]
impl Executor for PanickingExecutor {
    async fn execute(&self, _: NodeCall) -> Result<Output, ExecutorError> {
        Ok(Output::Nothing)
    }

    fn effect(&self, _: &Node) -> Effect {
        self.panic_if_armed();
        Effect::Transform
    }

    fn validate(&self, _: &Map<String, Value>) -> Vec<Issue> {
        self.panic_if_armed();
        Vec::new()
    }

    fn assets(&self, _: &Node) -> Vec<Asset> {
        self.panic_if_armed();
        Vec::new()
    }
}

#[tokio::test]
async fn the_text_of_a_panic_in_an_executor_reaches_no_client() {
    let logs = Levels::default();
    let _guard = logs.capture();
    let executor = PanickingExecutor::default();
    let build = |builder: floret::Builder| {
        let pipeline = Pipeline::new("p").node("a", "panicking");
        builder
            .executor("panicking", executor.clone())
            .pipeline(pipeline)
    };
    let host = Host::build(Backend::Memory, build).await;
    executor.0.store(true, Ordering::Relaxed);
    let body = json!({"name": "x", "nodes": [{"id": "a", "type": "panicking"}]});
    for (method, path, body) in [
        (Method::POST, "/api/pipelines", Some(&body)),
        (Method::PUT, "/api/pipelines/p", Some(&body)),
        (Method::GET, "/api/pipelines/p/validate", None),
        (Method::GET, "/api/lineage", None),
    ] {
        let answer = host.send(request(method, path, body)).await;
        answer.assert_problem(500, "internal-error");
        assert_hidden(path, &answer.body);
        assert_hidden(path, format!("{:?}", answer.headers).as_bytes());
    }
    // A node whose effect is unknown counts as a sink, which a dry run skips.
    let dry_run = request(Method::POST, "/api/pipelines/p/dry-run", None);
    let answer = host.send(dry_run).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["a"]["status"], "skipped");
    assert_hidden("a dry run", &answer.body);
    let loud = logs.loud.text();
    assert_eq!(loud.matches("a request failed").count(), 4, "{loud}");
    assert_hidden("a loud line", loud.as_bytes());
}

#[tokio::test]
async fn the_text_of_a_panic_in_an_access_rule_reaches_no_client() {
    let logs = Levels::default();
    let _guard = logs.capture();
    let host = Host::start(Backend::Memory).await;
    let service = host.floret.service(Access::custom(|_, _| panic!("{TEXT}")));
    for route in routes() {
        let path = format!("/api{}", route.path.replace(['{', '}'], ""));
        let answer = send(&service, request(route.method.clone(), &path, None)).await;
        let response = format!("{:?} {}", answer.headers, answer.text());
        assert_hidden(&path, response.as_bytes());
        // These ask no access rule.
        if !matches!(route.path, "/health" | "/pipelines/{id}/webhook") {
            answer.assert_problem(500, "internal-error");
        }
    }
    let loud = logs.loud.text();
    assert!(loud.contains("a request failed"), "{loud}");
    assert_hidden("a loud line", loud.as_bytes());
}
