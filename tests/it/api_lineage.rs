//! Lineage over HTTP.

use std::sync::mpsc;

use floret::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use floret::storage::{Pipelines, PutPipeline, SlugChoice};
use floret::testing::{FaultyStorage, Scratch, scratch};
use floret::{
    Access, Decision, Floret, Issue, Limits, Node, Permission, Permissions, Pipeline, PipelineId,
    RunsService, Scope, Slug, TenantId,
};
use http::Method;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::wire::{Backend, TestResponse, request, send};

/// An executor that reads or writes the table named in a node's config.
struct Table(Effect);

#[async_trait::async_trait]
impl Executor for Table {
    async fn execute(&self, _: NodeCall) -> Result<Output, ExecutorError> {
        Ok(Output::Nothing)
    }

    fn effect(&self, _: &Node) -> Effect {
        self.0
    }

    fn validate(&self, _: &Map<String, Value>) -> Vec<Issue> {
        Vec::new()
    }

    fn assets(&self, node: &Node) -> Vec<Asset> {
        let name = node.config.get("table").and_then(Value::as_str);
        let is_written = self.0 == Effect::Sink;
        name.map(|name| Asset::new("table", name, is_written))
            .into_iter()
            .collect()
    }
}

struct LineageHost {
    floret: Floret,
    service: RunsService,
    storage: FaultyStorage,
    _folder: Scratch,
}

impl LineageHost {
    async fn start(backend: Backend, limits: Limits) -> Self {
        let folder = scratch();
        let storage = FaultyStorage::new(backend.open(folder.path()).await);
        let floret = Floret::builder(storage.clone())
            .executor("table_source", Table(Effect::Source))
            .executor("table_sink", Table(Effect::Sink))
            .limits(limits)
            .start()
            .await
            .unwrap();
        Self {
            service: floret.service(Access::allow_all()),
            floret,
            storage,
            _folder: folder,
        }
    }

    async fn save(&self, definition: Value) {
        let post = request(Method::POST, "/api/pipelines", Some(&definition));
        let response = send(&self.service, post).await;
        assert_eq!(response.status, 201, "{response:?}");
    }

    async fn lineage(&self) -> Value {
        self.response().await.json()
    }

    async fn response(&self) -> TestResponse {
        let response = send(&self.service, request(Method::GET, "/api/lineage", None)).await;
        assert_eq!(response.status, 200, "{response:?}");
        response
    }
}

#[expect(clippy::future_not_send, reason = "a tokio test stays on its thread")]
async fn on_each_backend(test: impl AsyncFn(&LineageHost)) {
    for backend in [Backend::Memory, Backend::Sqlite] {
        test(&LineageHost::start(backend, Limits::default()).await).await;
    }
}

fn writer() -> Value {
    json!({
        "id": "writer", "name": "Orders in",
        "nodes": [{"id": "save", "type": "table_sink", "name": "Save", "config": {
            "table": "orders", "connection": "shop", "note": "since ${var.SINCE}",
        }}],
    })
}

fn reader() -> Value {
    json!({
        "id": "reader", "name": "Orders out",
        "nodes": [{"id": "load", "type": "table_source", "config": {"table": "orders", "connection": "shop"}}],
    })
}

/// Returns the edges as text, without the edges from a pipeline to its nodes.
fn edges(lineage: &Value) -> Vec<String> {
    let edges = lineage["edges"].as_array().unwrap().iter();
    edges
        .map(|edge| format!("{} > {}", edge["from"], edge["to"]).replace('"', ""))
        .filter(|edge| !edge.starts_with("pipeline:"))
        .collect()
}

#[tokio::test]
async fn a_table_connects_its_writer_to_its_reader() {
    on_each_backend(async |host: &LineageHost| {
        assert_eq!(host.lineage().await, json!({"nodes": [], "edges": []}));
        host.save(writer()).await;
        host.save(reader()).await;
        let lineage = host.lineage().await;
        assert_eq!(
            edges(&lineage),
            [
                "connection:shop > processing:reader/load",
                "processing:writer/save > connection:shop",
                "processing:writer/save > table:orders@shop",
                "table:orders@shop > processing:reader/load",
                "variable:SINCE > processing:writer/save",
            ]
        );
        let edge = json!({"from": "pipeline:writer", "to": "processing:writer/save", "pipeline_id": "writer", "pipeline": "Orders in"});
        assert!(lineage["edges"].as_array().unwrap().contains(&edge));
        let kinds: Vec<_> = lineage["nodes"].as_array().unwrap().iter().map(|node| &node["type"]).collect();
        assert_eq!(
            kinds,
            ["connection", "pipeline", "pipeline", "processing", "processing", "table", "variable"]
        );
        let table = json!({"id": "table:orders@shop", "type": "table", "name": "orders"});
        assert!(lineage["nodes"].as_array().unwrap().contains(&table));
    })
    .await;
}

#[tokio::test]
async fn objects_that_the_caller_may_not_view_are_hidden() {
    on_each_backend(async |host: &LineageHost| {
        host.save(writer()).await;
        let service = host.floret.service(Access::from_extensions());
        let get_with = async |permissions: &[Permission]| {
            let mut get = request(Method::GET, "/api/lineage", None);
            get.extensions_mut()
                .insert(Permissions::of(permissions.iter().copied()));
            send(&service, get).await
        };
        let pipelines = get_with(&[Permission::PipelinesView]).await;
        assert_eq!(
            edges(&pipelines.json()),
            ["processing:writer/save > table:orders"]
        );
        assert!(
            !pipelines.text().contains("shop") && !pipelines.text().contains("SINCE"),
            "{}",
            pipelines.text()
        );
        let both = get_with(&[Permission::PipelinesView, Permission::VariablesView]).await;
        assert_eq!(
            edges(&both.json()),
            [
                "processing:writer/save > table:orders",
                "variable:SINCE > processing:writer/save"
            ]
        );
        get_with(&[Permission::RunsView])
            .await
            .assert_problem(403, "forbidden");
    })
    .await;
}

#[tokio::test]
async fn a_caller_sees_the_pipelines_of_its_tenant() {
    on_each_backend(async |host: &LineageHost| {
        host.save(writer()).await;
        let ann = Scope::Tenant(TenantId::new("ann").unwrap());
        let mut put = PutPipeline::new(
            PipelineId::new("own").unwrap(),
            SlugChoice::Given(Slug::new("own").unwrap()),
            Pipeline::new("own").node("load", "table_source").into(),
            "2024-01-15T06:00:00Z".parse().unwrap(),
        );
        put.scope = ann.clone();
        host.storage.put_pipeline(put).await.unwrap();
        let service = host
            .floret
            .service(Access::custom(move |_, _| Decision::Allow(ann.clone())));
        let lineage = send(&service, request(Method::GET, "/api/lineage", None))
            .await
            .json();
        let ids: Vec<_> = lineage["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| &node["id"])
            .collect();
        assert_eq!(ids, ["pipeline:own", "processing:own/load"]);
    })
    .await;
}

#[tokio::test]
async fn a_lineage_over_its_limit_shows_the_newest_pipelines() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let mut limits = Limits::default();
        limits.lineage_nodes_max = 3;
        let host = LineageHost::start(backend, limits).await;
        for n in 1..=5 {
            let nodes = json!([{"id": "load", "type": "table_source"}]);
            host.save(json!({"id": format!("p-{n}"), "name": format!("P {n}"), "nodes": nodes}))
                .await;
        }
        let response = host.response().await;
        assert_eq!(response.header("floret-truncated"), "true");
        let lineage = response.json();
        let ids: Vec<_> = lineage["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| &node["id"])
            .collect();
        assert_eq!(
            ids,
            [
                "pipeline:p-3",
                "pipeline:p-4",
                "pipeline:p-5",
                "processing:p-3/load",
                "processing:p-4/load",
                "processing:p-5/load"
            ]
        );
    }
}

#[tokio::test]
async fn invalid_parameters_are_refused() {
    on_each_backend(async |host: &LineageHost| {
        let get = request(Method::GET, "/api/lineage?pipeline_id=x", None);
        send(&host.service, get)
            .await
            .assert_problem(400, "invalid-parameter");
        let post = request(Method::POST, "/api/lineage", None);
        send(&host.service, post)
            .await
            .assert_problem(405, "method-not-allowed");
    })
    .await;
}

/// An executor that reports each call of `assets` and blocks it until the test releases it.
struct Slow {
    calls: UnboundedSender<()>,
    release: Mutex<mpsc::Receiver<()>>,
}

#[async_trait::async_trait]
impl Executor for Slow {
    async fn execute(&self, _: NodeCall) -> Result<Output, ExecutorError> {
        Ok(Output::Nothing)
    }

    fn effect(&self, _: &Node) -> Effect {
        Effect::Source
    }

    fn validate(&self, _: &Map<String, Value>) -> Vec<Issue> {
        Vec::new()
    }

    fn assets(&self, _: &Node) -> Vec<Asset> {
        self.calls.send(()).unwrap();
        self.release.lock().recv().unwrap();
        Vec::new()
    }
}

#[tokio::test]
async fn one_lineage_is_built_at_a_time_even_if_callers_disconnect() {
    let (calls, mut called) = unbounded_channel();
    let (releases, release) = mpsc::channel();
    let release = Mutex::new(release);
    let floret = Floret::builder(floret::storage::MemoryStorage::default())
        .executor("slow", Slow { calls, release })
        .pipeline(Pipeline::new("own").node("load", "slow"))
        .start()
        .await
        .unwrap();
    let service = floret.service(Access::allow_all());
    let get = async || send(&service, request(Method::GET, "/api/lineage", None)).await;
    tokio::select! {
        response = get() => panic!("nothing released the executor: {response:?}"),
        _ = called.recv() => {}
    }
    let releasing = async {
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        assert!(called.try_recv().is_err(), "a second build started");
        for _ in 0..2 {
            releases.send(()).unwrap();
        }
    };
    let (response, ()) = tokio::join!(get(), releasing);
    assert_eq!(response.status, 200, "{response:?}");
}
