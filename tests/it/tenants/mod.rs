//! Two tenants on one store, whose objects have the same ids: neither reads anything of the other,
//! and no answer reveals that the other has an object.
//!
//! `rust_calls` has the same for the calls of Rust. `matrix` tests how each route answers a caller
//! of another tenant, and `tenant_names` what a name stands for.

mod rust_calls;

use std::collections::BTreeSet;

use floret::notifier::{Notifier, NotifierError};
use floret::testing::{FaultyStorage, Scratch, ScriptedExecutor, routes, scratch};
use floret::{Access, Client, Event, Floret, Permissions, RunsService, Scope, TenantId};
use http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::wire::{Backend, TestResponse, request, send};

/// An action of a tenant. The numbers choose among its objects.
#[derive(Debug, Clone, Copy)]
enum Action {
    Save(u8),
    Run(u8),
    Resume,
    Cancel,
    Store(u8),
    Backfill(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tenant {
    Amber,
    Birch,
}

fn action() -> impl Strategy<Value = (bool, Action)> {
    let action = prop_oneof![
        2 => (0..4_u8).prop_map(Action::Save),
        4 => (0..4_u8).prop_map(Action::Run),
        1 => Just(Action::Resume),
        1 => Just(Action::Cancel),
        2 => (0..4_u8).prop_map(Action::Store),
        1 => (0..4_u8).prop_map(Action::Backfill),
    ];
    (any::<bool>(), action)
}

#[test]
fn no_response_to_one_tenant_contains_data_of_the_other() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 8,
        failure_persistence: None,
        ..Config::default()
    });
    let actions = proptest::collection::vec(action(), 12..40);
    let outcome = runner.run(&actions, |actions| {
        for backend in [Backend::Memory, Backend::Sqlite] {
            runtime.block_on(check(backend, &actions));
        }
        Ok(())
    });
    outcome.unwrap();
}

async fn check(backend: Backend, actions: &[(bool, Action)]) {
    let mut world = World::open(backend).await;
    for (is_amber, action) in actions {
        let tenant = if *is_amber {
            Tenant::Amber
        } else {
            Tenant::Birch
        };
        world.perform(tenant, *action).await;
    }
    for tenant in [Tenant::Amber, Tenant::Birch] {
        world.assert_reads_only_its_own(tenant).await;
    }
}

/// A notifier that delivers nothing.
struct Refuses;

#[async_trait::async_trait]
impl Notifier for Refuses {
    async fn notify(&self, _: &Event) -> Result<(), NotifierError> {
        Err(NotifierError::permanent("no"))
    }

    fn wants(&self, _: &Event) -> bool {
        true
    }
}

struct World {
    service: RunsService,
    floret: Floret,
    /// Runs by their tenant, as they were made.
    runs: Vec<(Tenant, String)>,
    /// What each tenant has created, by path.
    created: BTreeSet<(Tenant, String)>,
    _folder: Scratch,
}

impl Tenant {
    const fn name(self) -> &'static str {
        match self {
            Self::Amber => "amber",
            Self::Birch => "birch",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Amber => Self::Birch,
            Self::Birch => Self::Amber,
        }
    }

    fn permissions(self) -> Permissions {
        Permissions::all().scope(self.scope())
    }

    fn scope(self) -> Scope {
        Scope::Tenant(TenantId::new(self.name()).unwrap())
    }
}

impl World {
    async fn open(backend: Backend) -> Self {
        let folder = scratch();
        let storage = backend.open(folder.path()).await;
        let executor = ScriptedExecutor::new();
        // Every event becomes a dead letter of the tenant's run.
        let builder = Floret::builder(FaultyStorage::new(storage))
            .executor("any", executor)
            .notifier("refuses", Refuses);
        let floret = builder.start().await.unwrap();
        Self {
            service: floret.service(Access::from_extensions()),
            floret,
            runs: Vec::new(),
            created: BTreeSet::new(),
            _folder: folder,
        }
    }

    async fn ask(
        &self,
        tenant: Tenant,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> TestResponse {
        let mut request = request(method, path, body);
        request.extensions_mut().insert(tenant.permissions());
        let answer = send(&self.service, request).await;
        assert!(!answer.status.is_server_error(), "{path}: {answer:?}");
        answer
    }

    async fn post(&self, tenant: Tenant, path: &str, body: &Value) -> TestResponse {
        self.ask(tenant, Method::POST, path, Some(body)).await
    }

    /// Creates an object. The answer depends only on what this tenant has.
    async fn create(&mut self, tenant: Tenant, path: &str, id: &str, body: &Value) {
        let is_new = self.created.insert((tenant, format!("{path}/{id}")));
        let answer = self.post(tenant, path, body).await;
        let expected = if is_new { 201 } else { 409 };
        assert_eq!(
            answer.status, expected,
            "{path}/{id} as {tenant:?}: {answer:?}"
        );
        if is_new && path == "/api/pipelines" {
            assert_eq!(answer.json()["pipeline_id"], format!("daily-{id}"));
        }
    }

    /// Performs one action of a tenant on its own objects. The service refuses it if there is no
    /// object.
    async fn perform(&mut self, tenant: Tenant, action: Action) {
        let name = tenant.name();
        match action {
            Action::Save(n) => {
                let node = json!({"id": format!("{name}-node"), "type": "any", "config": {"table": format!("{name}_table")}});
                let id = format!("shared-{n}");
                let pipeline = json!({"id": id, "name": format!("daily {id}"), "description": name, "nodes": [node], "schedule": "0 6 * * *"});
                self.create(tenant, "/api/pipelines", &id, &pipeline).await;
            }
            // Every second run is triggered from Rust.
            Action::Run(n) if n % 2 == 1 => {
                let run = self.client(tenant).run(format!("shared-{n}"));
                if let Ok(run) = run.param("whose", name).await {
                    self.finish(tenant, &run.id().to_string()).await;
                }
            }
            Action::Run(n) => {
                let path = format!("/api/pipelines/shared-{n}/run");
                let answer = self
                    .post(
                        tenant,
                        &path,
                        &json!({"params": {"whose": name}, "labels": {"kind": "shared"}}),
                    )
                    .await;
                self.record_run(tenant, &answer).await;
            }
            Action::Resume | Action::Cancel => {
                let verb = if matches!(action, Action::Resume) {
                    "resume"
                } else {
                    "cancel"
                };
                let own = self.runs.iter().rfind(|(owner, _)| *owner == tenant);
                if let Some((_, run)) = own {
                    let path = format!("/api/runs/{run}/{verb}");
                    let answer = self.post(tenant, &path, &json!({})).await;
                    self.record_run(tenant, &answer).await;
                }
            }
            Action::Store(n) => {
                let id = format!("shared-{n}");
                let connection = json!({"conn_id": id, "type": "http", "host": format!("{name}.example"), "description": name});
                self.create(tenant, "/api/connections", &id, &connection)
                    .await;
                let variable = json!({"key": id, "value": name, "type": "string"});
                self.create(tenant, "/api/variables", &id, &variable).await;
            }
            Action::Backfill(n) => {
                let path = format!("/api/pipelines/shared-{n}/backfill");
                let days = json!({"start_date": "2024-01-01", "end_date": "2024-01-03"});
                let answer = self.post(tenant, &path, &days).await;
                for run in answer.json().as_array().into_iter().flatten() {
                    self.finish(tenant, run.as_str().unwrap()).await;
                }
            }
        }
    }

    async fn record_run(&mut self, tenant: Tenant, answer: &TestResponse) {
        if answer.status == 202 {
            let id = answer.json()["id"].as_str().unwrap().to_owned();
            self.finish(tenant, &id).await;
        }
    }

    async fn finish(&mut self, tenant: Tenant, id: &str) {
        self.floret
            .run_by_id(id.parse().unwrap())
            .finished()
            .await
            .unwrap();
        self.runs.push((tenant, id.to_owned()));
    }

    /// Calls every route that reads, for every object of both tenants.
    async fn assert_reads_only_its_own(&self, tenant: Tenant) {
        let foreign = self.names_of(tenant.other());
        let reads = routes()
            .into_iter()
            .filter(|route| route.method == Method::GET);
        for route in reads.filter(|route| route.permission.is_some()) {
            let names_an_object = route.path.contains('{');
            let own = self.paths(route.path, tenant);
            let others = self.paths(route.path, tenant.other());
            for path in own.iter().chain(&others) {
                let answer = self.ask(tenant, Method::GET, path, None).await;
                if names_an_object && !own.contains(path) {
                    assert_eq!(answer.status, 404, "{path} as {tenant:?}: {answer:?}");
                    continue;
                }
                let text = String::from_utf8_lossy(&answer.body);
                let leaked = foreign.iter().find(|name| text.contains(*name));
                assert_eq!(leaked, None, "{path} as {tenant:?}: {text}");
            }
        }
        self.assert_counts_only_its_own(tenant).await;
        rust_calls::assert_reach_only_its_own(self, tenant).await;
    }

    fn client(&self, tenant: Tenant) -> Client {
        self.floret.scoped(tenant.scope())
    }

    async fn assert_counts_only_its_own(&self, tenant: Tenant) {
        let own = self
            .runs
            .iter()
            .filter(|(owner, _)| *owner == tenant)
            .count();
        let page = self
            .ask(tenant, Method::GET, "/api/runs?page=1", None)
            .await
            .json();
        assert_eq!(page["total"], own, "{tenant:?}");
        let days = self
            .ask(tenant, Method::GET, "/api/runs/calendar?days=2", None)
            .await
            .json();
        let days = days.as_array().unwrap().iter();
        let counted: u64 = days.map(|day| day["total"].as_u64().unwrap()).sum();
        assert_eq!(counted, own as u64, "{tenant:?}");
    }

    /// Returns every text that occurs only in objects of this tenant.
    fn names_of(&self, tenant: Tenant) -> Vec<String> {
        let runs = self.runs.iter().filter(|(owner, _)| *owner == tenant);
        let runs = runs.map(|(_, run)| run.clone());
        runs.chain([tenant.name().to_owned()]).collect()
    }

    /// Returns the path of a route for each object of a tenant, with the query that the route
    /// needs.
    fn paths(&self, template: &str, tenant: Tenant) -> Vec<String> {
        let name = tenant.name();
        let runs = self.runs.iter().filter(|(owner, _)| *owner == tenant);
        let runs: Vec<_> = runs.map(|(_, run)| run.as_str()).take(3).collect();
        let query = if template == "/search" {
            format!("?q={name}")
        } else {
            String::new()
        };
        let filled = template
            .replace("{node_id}", &format!("{name}-node"))
            .replace("{backfill_id}", &format!("{name}-0"))
            .replace("{delivery_id}", &format!("{name}.1"))
            .replace("{conn_id}", "shared-0")
            .replace("{key}", "shared-0")
            .replace("{id}", "shared-0")
            .replace("{version}", "1")
            .replace("{to}", "1");
        let filled = format!("/api{filled}{query}");
        if filled.contains("{run_id}") {
            runs.iter()
                .map(|run| filled.replace("{run_id}", run))
                .collect()
        } else {
            vec![filled]
        }
    }
}
