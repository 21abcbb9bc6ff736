//! Code of the host that panics with a canary in its text: no client is told of it, no loud line
//! has it.
//!
//! Why a node failed is the exception: the reason is shown, with what the run has opened masked in
//! it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use floret::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use floret::storage::{EventFilter, Events as _};
use floret::testing::routes;
use floret::{Access, Issue, Node, Pipeline};
use http::Method;
use serde_json::{Map, Value, json};

use super::levels::Levels;
use super::{assert_hidden, key, run, secrets, store_secrets};
use crate::wire::{Backend, Host, request, send};

const TEXT: &str = "canary-panic 47148153 in SELECT canary FROM /var/lib/canary/runs.db";

async fn panics(call: NodeCall) -> Result<(), ExecutorError> {
    let all = secrets(&call.ctx).await?.join(" ");
    panic!("refused: {all}");
}

async fn a_panicking_node_on(backend: Backend) {
    let logs = Levels::default();
    let _guard = logs.listen();
    let build = |builder: floret::Builder| builder.node("tells", panics).secret_key(key(7));
    let host = Host::build(backend, build).await;
    store_secrets(&host).await;
    let id = run(&host, "fine").await;
    let shown = host.get(&format!("/api/runs/{id}")).await;
    let error = shown.json()["error"].as_str().unwrap().to_owned();
    assert!(
        error.starts_with("node tells: the executor panicked: refused: ***"),
        "{error}"
    );
    assert_hidden("a run", &shown.body);
    for export in ["ndjson", "csv"] {
        let path = format!("/api/runs/{id}/logs/export?format={export}");
        assert_hidden("an export", &host.get(&path).await.body);
    }
    let events = host.faults.events(EventFilter::default(), 0, 1_000).await;
    assert_hidden("an event", format!("{events:?}").as_bytes());
    assert_hidden("a loud line", logs.loud.text().as_bytes());
    assert_hidden("a quiet line", logs.quiet.text().as_bytes());
}

#[tokio::test]
async fn secrets_in_the_panic_of_a_node_are_masked_in_memory() {
    a_panicking_node_on(Backend::Memory).await;
}

#[tokio::test]
async fn secrets_in_the_panic_of_a_node_are_masked_in_sqlite() {
    a_panicking_node_on(Backend::Sqlite).await;
}

/// Panics with the text whenever it is asked about a node, once it is told to.
#[derive(Clone, Default)]
struct Unanswering(Arc<AtomicBool>);

impl Unanswering {
    fn asked(&self) {
        assert!(!self.0.load(Ordering::Relaxed), "{TEXT}");
    }
}

#[async_trait]
impl Executor for Unanswering {
    async fn execute(&self, _: NodeCall) -> Result<Output, ExecutorError> {
        Ok(Output::Nothing)
    }

    fn effect(&self, _: &Node) -> Effect {
        self.asked();
        Effect::Transform
    }

    fn validate(&self, _: &Map<String, Value>) -> Vec<Issue> {
        self.asked();
        Vec::new()
    }

    fn assets(&self, _: &Node) -> Vec<Asset> {
        self.asked();
        Vec::new()
    }
}

#[tokio::test]
async fn what_an_executor_panics_with_when_it_is_asked_is_told_to_nobody() {
    let logs = Levels::default();
    let _guard = logs.listen();
    let executor = Unanswering::default();
    let build = |builder: floret::Builder| {
        let pipeline = Pipeline::new("p").node("a", "unanswering");
        builder
            .executor("unanswering", executor.clone())
            .pipeline(pipeline)
    };
    let host = Host::build(Backend::Memory, build).await;
    executor.0.store(true, Ordering::Relaxed);
    let body = json!({"name": "x", "nodes": [{"id": "a", "type": "unanswering"}]});
    for (method, path, body) in [
        (Method::POST, "/api/pipelines", Some(&body)),
        (Method::PUT, "/api/pipelines/p", Some(&body)),
        (Method::GET, "/api/pipelines/p/validate", None),
        (Method::POST, "/api/pipelines/p/dry-run", None),
        (Method::GET, "/api/lineage", None),
    ] {
        let answer = host.send(request(method, path, body)).await;
        answer.assert_problem(500, "internal-error");
        assert_hidden(path, &answer.body);
        assert_hidden(path, format!("{:?}", answer.headers).as_bytes());
    }
    let loud = logs.loud.text();
    assert_eq!(loud.matches("a request failed").count(), 5, "{loud}");
    assert_hidden("a loud line", loud.as_bytes());
}

#[tokio::test]
async fn what_the_rule_of_access_panics_with_is_told_to_nobody() {
    let logs = Levels::default();
    let _guard = logs.listen();
    let host = Host::start(Backend::Memory).await;
    let service = host.floret.service(Access::custom(|_, _| panic!("{TEXT}")));
    for route in routes() {
        let path = format!("/api{}", route.path.replace(['{', '}'], ""));
        let answer = send(&service, request(route.method.clone(), &path, None)).await;
        let told = format!("{:?} {}", answer.headers, answer.text());
        assert_hidden(&path, told.as_bytes());
        if route.path != "/health" {
            answer.assert_problem(500, "internal-error");
        }
    }
    let loud = logs.loud.text();
    assert!(loud.contains("a request failed"), "{loud}");
    assert_hidden("a loud line", loud.as_bytes());
}
