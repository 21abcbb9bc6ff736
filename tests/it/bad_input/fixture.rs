//! The host that the rows query: objects of two tenants, finished runs, and deleted objects.
//!
//! The `set_ups` of each file cover the cases that need a host of their own.

use std::collections::BTreeMap;

use bytes::Bytes;
use floret::storage::{Events, Purge, System};
use floret::testing::Step;
use floret::{Access, RunsService};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use super::row::{BACKFILL, Coverage, RUN, Row, TestRequest, get, post, put};
use crate::harness::park_dead_letter;
use crate::wire::{Backend, Host, TestResponse, send};

/// The host name that the service accepts.
const NAME: &str = "floret.example.com";

const NODES: &str = r#""nodes":[{"id":"load","type":"any"}]"#;
const DAY: &str = r#"{"start_date":"2024-01-01","end_date":"2024-01-01"}"#;

/// A host whose runs have all finished.
pub(super) struct Fixture {
    host: Host,
    service: RunsService,
    /// The id for each placeholder in a path: `{finished}` is a run that succeeded, `{failed}` a
    /// run that failed.
    names: BTreeMap<&'static str, String>,
}

impl Fixture {
    pub(super) async fn open(backend: Backend) -> Self {
        let host = Host::start(backend).await;
        let service = host.floret.service(Access::from_extensions());
        let service = service.allow_host(NAME);
        let names = BTreeMap::new();
        let mut world = Self {
            host,
            service,
            names,
        };
        world.purge().await;
        world.delete().await;
        world.fill_for("ann").await;
        world.fill().await;
        world
    }

    /// Creates and purges a run and a backfill: `{purged}`, `{purged_backfill}`.
    async fn purge(&mut self) {
        self.run("{purged}", post(RUN, "")).await;
        let backfill = post(BACKFILL, DAY);
        self.backfill("{purged_backfill}", backfill).await;
        let later = "2999-01-01T00:00:00Z".parse().unwrap();
        let purged = self.host.faults.purge(Purge::new(later, 100)).await;
        assert_eq!(purged.unwrap().deleted, 2);
    }

    /// Creates and deletes objects named `deleted`, and leaves a failed run of the pipeline:
    /// `{orphan}`.
    async fn delete(&mut self) {
        self.objects("deleted", |bad| bad).await;
        let steps = [Step::permanent("no"), Step::pass_on()];
        self.host.executor.script("load", steps);
        self.run("{orphan}", post("/api/pipelines/deleted/run", ""))
            .await;
        for kind in ["pipelines", "connections", "variables"] {
            let path = format!("/api/{kind}/deleted");
            let response = self.send(&get(path).method("DELETE")).await;
            assert_eq!(response.status, 204, "{response:?}");
        }
    }

    /// Creates objects of a tenant under the tenant's name and under `shared`, a run `{theirs}`, a
    /// dead letter of it `{their_delivery}` and a backfill `{their_backfill}`.
    async fn fill_for(&mut self, tenant: &'static str) {
        for name in [tenant, "shared"] {
            self.objects(name, |bad| bad.by_tenant(tenant)).await;
        }
        self.objects("shared", |bad| bad.by_tenant("cy")).await;
        let path = format!("/api/pipelines/{tenant}");
        let run = post(format!("{path}/run"), "").by_tenant(tenant);
        self.run("{theirs}", run).await;
        self.dead_letter("{their_delivery}", "{theirs}").await;
        let backfill = post(format!("{path}/backfill"), DAY).by_tenant(tenant);
        self.backfill("{their_backfill}", backfill).await;
        let objects = ["pipelines", "connections", "variables"];
        let objects = objects.map(|kind| format!("/api/{kind}/{tenant}"));
        let created = [
            "/api/runs/{theirs}",
            "/api/backfills/{their_backfill}",
            "/api/deliveries/{their_delivery}",
        ];
        for path in objects.into_iter().chain(created.map(str::to_owned)) {
            self.send_valid(&get(path).by_tenant(tenant)).await;
        }
    }

    /// Creates `{finished}`, `{failed}`, objects named `taken`, the pipeline `weekly` with the slug
    /// `each-week`, the pipeline `odd` with a node type that no executor has, the pipeline `typed`
    /// with definitions of its parameters, `{untyped}`, a failed run of it without them, and
    /// `{waiting}`, a delivery that waits. `{backfill}` is a backfill that succeeded.
    async fn fill(&mut self) {
        self.objects("taken", |bad| bad).await;
        let weekly = format!(r#"{{"id":"weekly","pipeline_id":"each-week","name":"w",{NODES}}}"#);
        self.send_valid(&post("/api/pipelines", weekly)).await;
        let odd = r#"{"id":"odd","name":"odd","nodes":[{"id":"a","type":"teleport"}]}"#;
        self.send_valid(&post("/api/pipelines", odd)).await;
        self.run("{finished}", post(RUN, "")).await;
        self.backfill("{backfill}", post(BACKFILL, DAY)).await;
        let broken = || Step::permanent("no");
        self.host.executor.script("load", [broken(), broken()]);
        self.run("{failed}", post(RUN, "")).await;
        self.dead_letter("{waiting}", "{failed}").await;
        let retry = post("/api/deliveries/{waiting}/retry", "");
        self.send_valid(&retry).await;
        let untyped = format!(r#"{{"id":"typed","name":"t",{NODES}}}"#);
        self.send_valid(&post("/api/pipelines", untyped)).await;
        let run = post("/api/pipelines/typed/run", r#"{"params":{"rows":"many"}}"#);
        self.run("{untyped}", run).await;
        let defs = r#"[{"name":"rows","type":"integer","max":9,"default":1},{"name":"region","type":"enum","values":["north","south"]},{"name":"table","type":"string","required":true,"pattern":"[a-z]+"}]"#;
        let typed = format!(r#"{{"name":"t",{NODES},"param_defs":{defs}}}"#);
        self.send_valid(&put("/api/pipelines/typed", typed)).await;
    }

    /// Parks the first event of a run as a dead letter.
    async fn dead_letter(&mut self, name: &'static str, run: &str) {
        let run = self.names[run].parse().unwrap();
        let id = park_dead_letter(&self.host.faults, "pager", run, 0).await;
        self.names.insert(name, id);
    }

    /// Creates a pipeline, a connection and a variable of one name.
    async fn objects(&self, name: &str, modify: impl Fn(TestRequest) -> TestRequest) {
        let pipeline = format!(r#"{{"id":"{name}","name":"{name}",{NODES}}}"#);
        let connection = format!(r#"{{"conn_id":"{name}","type":"http"}}"#);
        let variable = format!(r#"{{"key":"{name}","value":"v"}}"#);
        for (kind, body) in [
            ("pipelines", pipeline),
            ("connections", connection),
            ("variables", variable),
        ] {
            self.send_valid(&modify(post(format!("/api/{kind}"), body)))
                .await;
        }
    }

    /// Sends a request that must succeed.
    async fn send_valid(&self, request: &TestRequest) -> TestResponse {
        let response = self.send(request).await;
        assert!(response.status.is_success(), "{request:?}: {response:?}");
        response
    }

    async fn run(&mut self, name: &'static str, request: TestRequest) {
        let created = self.send_valid(&request).await.json();
        let id = created["id"].as_str().unwrap();
        self.host.wait_finished(id).await;
        self.names.insert(name, id.to_owned());
    }

    async fn backfill(&mut self, name: &'static str, request: TestRequest) {
        let created = self.send_valid(&request).await;
        self.host
            .wait_finished(created.json()[0].as_str().unwrap())
            .await;
        let id = created.header("location").rsplit('/').next().unwrap();
        self.names.insert(name, id.to_owned());
    }

    /// Sends a request as its caller.
    async fn send(&self, bad: &TestRequest) -> TestResponse {
        let mut request = Request::builder().method(bad.method).uri(self.path(bad));
        if bad.headers.iter().all(|(name, _)| *name != "host") {
            request = request.header("host", NAME);
        }
        for (name, value) in &bad.headers {
            request = request.header(*name, value.as_slice());
        }
        if let Some(caller) = &bad.caller {
            request = request.extension(caller.clone());
        }
        let body = Full::from(Bytes::from(bad.body.clone()));
        send(&self.service, request.body(body).unwrap()).await
    }

    /// Fills in the placeholders. Panics on an unknown placeholder, whose path would never be
    /// found.
    fn path(&self, bad: &TestRequest) -> String {
        let names = self.names.iter();
        let path = names.fold(bad.path.clone(), |path, (name, id)| path.replace(name, id));
        assert!(!path.contains('{'), "{path} has an unknown placeholder");
        path
    }

    /// Sends the request of a row. Returns a message if the response is not the expected one.
    pub(super) async fn check(
        &self,
        (bad, status, slug): &Row,
        coverage: &mut Coverage,
    ) -> Option<String> {
        let response = self.send(bad).await;
        let problem = response.json();
        let is_expected = response.status == *status
            && problem["type"] == format!("urn:floret:problem:{slug}")
            && bad.matches(&problem);
        if is_expected {
            coverage.assert_problem(&response, *status, slug);
            return None;
        }
        let body: String = String::from_utf8_lossy(&bad.body)
            .chars()
            .take(80)
            .collect();
        let path = self.path(bad);
        Some(format!("{} {path} {body} gave {problem}", bad.method))
    }

    /// Returns everything that a refused request must not change.
    pub(super) async fn state(&self) -> Value {
        let mut state = Vec::new();
        let lists = [
            "runs",
            "pipelines",
            "connections",
            "variables",
            "deliveries",
        ];
        for path in lists {
            state.push(self.send(&get(format!("/api/{path}"))).await.json());
        }
        json!([state, self.host.faults.newest_seq().await.unwrap()])
    }
}
