//! What the rows that are data find: two tenants' objects, runs that have ended, and what is gone.
//!
//! Whatever needs a host of its own is left to the set-ups.

use std::collections::BTreeMap;

use bytes::Bytes;
use floret::storage::{Events, Purge, System};
use floret::testing::Step;
use floret::{Access, RunsService};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use super::row::{BACKFILL, Bad, RUN, Row, Told, get, post};
use crate::wire::{Answer, Backend, Host, send};

/// The host for which the service answers.
const NAME: &str = "floret.example.com";

const NODES: &str = r#""nodes":[{"id":"load","type":"any"}]"#;
const DAY: &str = r#"{"start_date":"2024-01-01","end_date":"2024-01-01"}"#;

/// A host where everything that is done has ended.
pub(super) struct World {
    host: Host,
    service: RunsService,
    /// What stands for a name in a path: `{ended}` is a run that succeeded, `{failed}` one that
    /// failed.
    names: BTreeMap<&'static str, String>,
}

impl World {
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

    /// Leaves a run and a backfill that were purged: `{purged}`, `{purged_backfill}`.
    async fn purge(&mut self) {
        self.run("{purged}", post(RUN, "")).await;
        let backfill = post(BACKFILL, DAY);
        self.backfill("{purged_backfill}", backfill).await;
        let later = "2999-01-01T00:00:00Z".parse().unwrap();
        let purged = self.host.faults.purge(Purge::new(later, 100)).await;
        assert_eq!(purged.unwrap().deleted, 2);
    }

    /// Leaves objects that were deleted, each called `deleted`, and a failed run of such a
    /// pipeline: `{orphan}`.
    async fn delete(&mut self) {
        self.objects("deleted", |bad| bad).await;
        let steps = [Step::permanent("no"), Step::pass_on()];
        self.host.executor.script("load", steps);
        self.run("{orphan}", post("/api/pipelines/deleted/run", ""))
            .await;
        for kind in ["pipelines", "connections", "variables"] {
            let path = format!("/api/{kind}/deleted");
            let answer = self.send(&get(path).method("DELETE")).await;
            assert_eq!(answer.status, 204, "{answer:?}");
        }
    }

    /// Leaves objects of a tenant, each called as the tenant: `{theirs}` is a run,
    /// `{their_backfill}` a backfill.
    async fn fill_for(&mut self, tenant: &'static str) {
        self.objects(tenant, |bad| bad.of(tenant)).await;
        let path = format!("/api/pipelines/{tenant}");
        let run = post(format!("{path}/run"), "").of(tenant);
        self.run("{theirs}", run).await;
        let backfill = post(format!("{path}/backfill"), DAY).of(tenant);
        self.backfill("{their_backfill}", backfill).await;
        let objects = ["pipelines", "connections", "variables"];
        let objects = objects.map(|kind| format!("/api/{kind}/{tenant}"));
        let made = ["/api/runs/{theirs}", "/api/backfills/{their_backfill}"];
        for path in objects.into_iter().chain(made.map(str::to_owned)) {
            self.make(&get(path).of(tenant)).await;
        }
    }

    /// Leaves `{ended}`, `{failed}`, a connection and a variable `taken`, and the pipelines
    /// `weekly`, whose slug is `each-week`, and `odd`, whose node no executor knows.
    async fn fill(&mut self) {
        self.objects("taken", |bad| bad).await;
        let weekly = format!(r#"{{"id":"weekly","pipeline_id":"each-week","name":"w",{NODES}}}"#);
        self.make(&post("/api/pipelines", weekly)).await;
        let odd = r#"{"id":"odd","name":"odd","nodes":[{"id":"a","type":"teleport"}]}"#;
        self.make(&post("/api/pipelines", odd)).await;
        self.run("{ended}", post(RUN, "")).await;
        self.host.executor.script("load", [Step::permanent("no")]);
        self.run("{failed}", post(RUN, "")).await;
    }

    /// A pipeline, a connection and a variable of one name.
    async fn objects(&self, name: &str, by: impl Fn(Bad) -> Bad) {
        let pipeline = format!(r#"{{"id":"{name}","name":"{name}",{NODES}}}"#);
        let connection = format!(r#"{{"conn_id":"{name}","type":"http"}}"#);
        let variable = format!(r#"{{"key":"{name}","value":"v"}}"#);
        for (kind, body) in [
            ("pipelines", pipeline),
            ("connections", connection),
            ("variables", variable),
        ] {
            self.make(&by(post(format!("/api/{kind}"), body))).await;
        }
    }

    /// Sends what is let through.
    async fn make(&self, good: &Bad) -> Answer {
        let answer = self.send(good).await;
        assert!(answer.status.is_success(), "{good:?}: {answer:?}");
        answer
    }

    async fn run(&mut self, name: &'static str, good: Bad) {
        let made = self.make(&good).await.json();
        let id = made["id"].as_str().unwrap();
        self.host.finish(id).await;
        self.names.insert(name, id.to_owned());
    }

    async fn backfill(&mut self, name: &'static str, good: Bad) {
        let made = self.make(&good).await;
        self.host.finish(made.json()[0].as_str().unwrap()).await;
        let id = made.header("location").rsplit('/').next().unwrap();
        self.names.insert(name, id.to_owned());
    }

    /// Sends a request as its caller.
    async fn send(&self, bad: &Bad) -> Answer {
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

    /// A name that stands for nothing would not be found whatever is done.
    fn path(&self, bad: &Bad) -> String {
        let names = self.names.iter();
        let path = names.fold(bad.path.clone(), |path, (name, id)| path.replace(name, id));
        assert!(!path.contains('{'), "{path} has a name that nothing has");
        path
    }

    /// Asks a row, and answers what is wrong with what it got.
    pub(super) async fn ask(&self, (bad, status, slug): &Row, told: &mut Told) -> Option<String> {
        let answer = self.send(bad).await;
        let problem = answer.json();
        let is_expected = answer.status == *status
            && problem["type"] == format!("urn:floret:problem:{slug}")
            && bad.is_told_by(&problem);
        if is_expected {
            told.refused(&answer, *status, slug);
            return None;
        }
        let body: String = String::from_utf8_lossy(&bad.body)
            .chars()
            .take(80)
            .collect();
        let path = self.path(bad);
        Some(format!("{} {path} {body} gave {problem}", bad.method))
    }

    /// All that a refused request must not change.
    pub(super) async fn state(&self) -> Value {
        let mut state = Vec::new();
        for path in ["runs", "pipelines", "connections", "variables"] {
            state.push(self.send(&get(format!("/api/{path}"))).await.json());
        }
        json!([state, self.host.faults.newest_seq().await.unwrap()])
    }
}
