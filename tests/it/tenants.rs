//! Two tenants on one store: whatever either does, the other reads nothing of it.
//!
//! What each route answers to a single foreign caller is left to `matrix`.

use floret::testing::{FaultyStorage, Scratch, ScriptedExecutor, routes, scratch};
use floret::{Access, Floret, Permissions, RunsService, Scope, TenantId};
use http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::wire::{Backend, TestResponse, request, send};

/// What a tenant may do; numbers choose among what there is.
#[derive(Debug, Clone, Copy)]
enum Act {
    Save(u8),
    Run(u8),
    Resume,
    Cancel,
    Keep(u8),
    Backfill(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tenant {
    Amber,
    Birch,
}

fn act() -> impl Strategy<Value = (bool, Act)> {
    let act = prop_oneof![
        2 => (0..4_u8).prop_map(Act::Save),
        4 => (0..4_u8).prop_map(Act::Run),
        1 => Just(Act::Resume),
        1 => Just(Act::Cancel),
        2 => (0..4_u8).prop_map(Act::Keep),
        1 => (0..4_u8).prop_map(Act::Backfill),
    ];
    (any::<bool>(), act)
}

#[test]
fn no_answer_to_one_tenant_has_anything_of_the_other() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 8,
        failure_persistence: None,
        ..Config::default()
    });
    let acts = proptest::collection::vec(act(), 12..40);
    let outcome = runner.run(&acts, |acts| {
        for backend in [Backend::Memory, Backend::Sqlite] {
            runtime.block_on(judge(backend, &acts));
        }
        Ok(())
    });
    outcome.unwrap();
}

async fn judge(backend: Backend, acts: &[(bool, Act)]) {
    let mut world = World::open(backend).await;
    for (is_amber, act) in acts {
        let tenant = if *is_amber {
            Tenant::Amber
        } else {
            Tenant::Birch
        };
        world.play(tenant, *act).await;
    }
    for tenant in [Tenant::Amber, Tenant::Birch] {
        world.reads_its_own_alone(tenant).await;
    }
}

struct World {
    service: RunsService,
    floret: Floret,
    /// Runs by their tenant, as they were made.
    runs: Vec<(Tenant, String)>,
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
        Permissions::all().scope(Scope::Tenant(TenantId::new(self.name()).unwrap()))
    }
}

impl World {
    async fn open(backend: Backend) -> Self {
        let folder = scratch();
        let storage = backend.open(folder.path()).await;
        let executor = ScriptedExecutor::new();
        let builder = Floret::builder(FaultyStorage::new(storage)).executor("any", executor);
        let floret = builder.start().await.unwrap();
        Self {
            service: floret.service(Access::from_extensions()),
            floret,
            runs: Vec::new(),
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

    /// One act of a tenant on its own objects; what has none yet is refused and changes nothing.
    async fn play(&mut self, tenant: Tenant, act: Act) {
        let name = tenant.name();
        match act {
            Act::Save(n) => {
                let node = json!({"id": format!("{name}-node"), "type": "any", "config": {"table": format!("{name}_table")}});
                let pipeline = json!({"id": format!("{name}-{n}"), "name": format!("{name} {n}"), "description": name, "nodes": [node], "schedule": "0 6 * * *"});
                self.post(tenant, "/api/pipelines", &pipeline).await;
            }
            Act::Run(n) => {
                let path = format!("/api/pipelines/{name}-{n}/run");
                let answer = self
                    .post(tenant, &path, &json!({"params": {"whose": name}}))
                    .await;
                self.made(tenant, &answer).await;
            }
            Act::Resume | Act::Cancel => {
                let verb = if matches!(act, Act::Resume) {
                    "resume"
                } else {
                    "cancel"
                };
                let own = self.runs.iter().rfind(|(owner, _)| *owner == tenant);
                if let Some((_, run)) = own {
                    let path = format!("/api/runs/{run}/{verb}");
                    let answer = self.post(tenant, &path, &json!({})).await;
                    self.made(tenant, &answer).await;
                }
            }
            Act::Keep(n) => {
                let connection = json!({"conn_id": format!("{name}-{n}"), "type": "http", "host": format!("{name}.example"), "description": name});
                self.post(tenant, "/api/connections", &connection).await;
                let variable =
                    json!({"key": format!("{name}-{n}"), "value": name, "type": "string"});
                self.post(tenant, "/api/variables", &variable).await;
            }
            Act::Backfill(n) => {
                let path = format!("/api/pipelines/{name}-{n}/backfill");
                let days = json!({"start_date": "2024-01-01", "end_date": "2024-01-03"});
                let answer = self.post(tenant, &path, &days).await;
                for run in answer.json().as_array().into_iter().flatten() {
                    self.end(tenant, run.as_str().unwrap()).await;
                }
            }
        }
    }

    async fn made(&mut self, tenant: Tenant, answer: &TestResponse) {
        if answer.status == 202 {
            let id = answer.json()["id"].as_str().unwrap().to_owned();
            self.end(tenant, &id).await;
        }
    }

    async fn end(&mut self, tenant: Tenant, id: &str) {
        self.floret
            .handle(id.parse().unwrap())
            .finished()
            .await
            .unwrap();
        self.runs.push((tenant, id.to_owned()));
    }

    /// Asks every route that reads for every object of both tenants.
    async fn reads_its_own_alone(&self, tenant: Tenant) {
        let foreign = self.names_of(tenant.other());
        let reads = routes()
            .into_iter()
            .filter(|route| route.method == Method::GET);
        for route in reads.filter(|route| route.permission.is_some()) {
            let names_an_object = route.path.contains('{');
            let others = self.paths(route.path, tenant.other());
            for path in self.paths(route.path, tenant).iter().chain(&others) {
                let answer = self.ask(tenant, Method::GET, path, None).await;
                if names_an_object && others.contains(path) {
                    assert_eq!(answer.status, 404, "{path} as {tenant:?}: {answer:?}");
                    continue;
                }
                let text = String::from_utf8_lossy(&answer.body);
                let told = foreign.iter().find(|name| text.contains(*name));
                assert_eq!(told, None, "{path} as {tenant:?}: {text}");
            }
        }
        self.counts_its_own_alone(tenant).await;
    }

    async fn counts_its_own_alone(&self, tenant: Tenant) {
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

    /// Every text that only this tenant's objects have.
    fn names_of(&self, tenant: Tenant) -> Vec<String> {
        let runs = self.runs.iter().filter(|(owner, _)| *owner == tenant);
        let runs = runs.map(|(_, run)| run.clone());
        runs.chain([tenant.name().to_owned()]).collect()
    }

    /// A route's path for each object of a tenant that it may name, and with what it must be asked
    /// for.
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
            .replace("{conn_id}", &format!("{name}-0"))
            .replace("{key}", &format!("{name}-0"))
            .replace("{id}", &format!("{name}-0"));
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
