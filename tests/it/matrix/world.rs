//! A tenant with pipelines and runs, and the callers of its routes.
//!
//! The expected statuses are left to `cases`, and the checks to the tests.

use std::collections::BTreeMap;

use floret::storage::{EventFilter, Events};
use floret::testing::{FaultyStorage, Gate, Route, Scratch, ScriptedExecutor, Step, scratch};
use floret::{
    Access, Event, EventKind, Floret, Permission, Permissions, RunsService, Scope, TenantId,
};
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::cases::{Case, TOKEN};
use crate::harness::{park_dead_letter, until};
use crate::wire::{Backend, TestResponse, request, send};

/// A kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// A caller that the host does not know.
    Unknown,
    /// An administrator of another tenant.
    OtherTenant,
    /// Can only read.
    ReadOnly,
    /// Can read, and start, cancel and resume runs.
    Operator,
    /// Can do everything.
    Admin,
}

impl Caller {
    pub(super) const ALL: [Self; 5] = [
        Self::Unknown,
        Self::OtherTenant,
        Self::ReadOnly,
        Self::Operator,
        Self::Admin,
    ];

    pub(super) fn permissions(self) -> Option<Permissions> {
        match self {
            Self::Unknown => None,
            Self::OtherTenant => Some(Permissions::all().scope(tenant("other"))),
            Self::ReadOnly => Some(Permissions::read_only()),
            Self::Operator => {
                let acts = [
                    Permission::PipelinesRun,
                    Permission::RunsCancel,
                    Permission::RunsResume,
                ];
                let views = Permission::ALL.iter().copied();
                let views = views.filter(|permission| permission.is_view());
                Some(Permissions::of(views.chain(acts)))
            }
            Self::Admin => Some(Permissions::all()),
        }
    }
}

pub(super) fn tenant(name: &str) -> Scope {
    Scope::Tenant(TenantId::new(name).unwrap())
}

/// The tenant `acme` with a pipeline and three runs: one succeeded, one failed and one executes.
pub(super) struct World {
    storage: FaultyStorage,
    service: RunsService,
    ids: BTreeMap<&'static str, String>,
    pub(super) floret: Floret,
    _folder: Scratch,
}

impl World {
    pub(super) async fn open(backend: Backend) -> Self {
        let folder = scratch();
        let storage = FaultyStorage::new(backend.open(folder.path()).await);
        let executor = ScriptedExecutor::new();
        executor.script(
            "load",
            [
                Step::rows([json!({"acme": "acme-row"})]).logs("acme-line"),
                Step::permanent("acme-failure"),
                Step::pass_on().at(&Gate::new()),
                Step::pass_on(),
            ],
        );
        let builder = Floret::builder(storage.clone());
        let floret = builder.executor("any", executor).start().await.unwrap();
        let service = floret.service(Access::from_extensions());
        let mut world = Self {
            storage,
            service,
            ids: BTreeMap::from([
                ("id", "acme-daily".to_owned()),
                ("node_id", "load".to_owned()),
                ("conn_id", "acme-db".to_owned()),
                ("key", "acme-key".to_owned()),
                ("version", "1".to_owned()),
                ("to", "1".to_owned()),
            ]),
            floret: floret.clone(),
            _folder: folder,
        };
        world.fill(&floret).await;
        world
    }

    async fn fill(&mut self, floret: &Floret) {
        let pipeline = json!({"id": "acme-daily", "name": "acme daily", "webhook_token": TOKEN, "nodes": [{"id": "load", "type": "any"}]});
        self.create("/api/pipelines", &pipeline).await;
        let connection = json!({"conn_id": "acme-db", "type": "http", "host": "acme.example"});
        self.create("/api/connections", &connection).await;
        let variable = json!({"key": "acme-key", "value": "acme", "type": "string"});
        self.create("/api/variables", &variable).await;
        for run in ["finished", "failed", "running"] {
            let created = self
                .create("/api/pipelines/acme-daily/run", &json!({}))
                .await;
            let id = created["id"].as_str().unwrap().to_owned();
            if run == "running" {
                wait_until_started(floret, &id).await;
            } else {
                floret
                    .run_by_id(id.parse().unwrap())
                    .finished()
                    .await
                    .unwrap();
            }
            self.ids.insert(run, id);
        }
        let finished = self.ids["finished"].parse().unwrap();
        let dead = park_dead_letter(&self.storage, "acme-pager", finished, 0).await;
        self.ids.insert("delivery_id", dead);
        let days = json!({"start_date": "2023-01-01", "end_date": "2023-01-02"});
        let path = "/api/pipelines/acme-daily/backfill";
        let created = self.create(path, &days).await;
        for run in created.as_array().unwrap() {
            let run = floret.run_by_id(run.as_str().unwrap().parse().unwrap());
            run.finished().await.unwrap();
        }
        let listed = self.get("/api/pipelines/acme-daily/backfills").await;
        let id = listed[0]["id"].as_str().unwrap().to_owned();
        self.ids.insert("backfill_id", id);
    }

    /// Creates an object of the tenant.
    async fn create(&self, path: &str, body: &Value) -> Value {
        let mut request = request(Method::POST, path, Some(body));
        let own = Permissions::all().scope(tenant("acme"));
        request.extensions_mut().insert(own);
        let answer = send(&self.service, request).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.json()
    }

    async fn get(&self, path: &str) -> Value {
        let mut request = request(Method::GET, path, None);
        request
            .extensions_mut()
            .insert(Permissions::all().scope(tenant("acme")));
        send(&self.service, request).await.json()
    }

    pub(super) async fn call(&self, route: &Route, case: &Case, caller: Caller) -> TestResponse {
        self.call_as(route, case, caller.permissions()).await
    }

    pub(super) async fn call_as(
        &self,
        route: &Route,
        case: &Case,
        permissions: Option<Permissions>,
    ) -> TestResponse {
        self.call_with(route, case, case.query, permissions).await
    }

    /// Calls a route with another query than that of the case.
    pub(super) async fn call_with(
        &self,
        route: &Route,
        case: &Case,
        query: &str,
        permissions: Option<Permissions>,
    ) -> TestResponse {
        let mut path = route.path.replace("{run_id}", &self.ids[case.run]);
        for (name, id) in &self.ids {
            path = path.replace(&format!("{{{name}}}"), id);
        }
        let path = format!("/api{path}{query}");
        let mut request = request(route.method.clone(), &path, case.body.as_ref());
        if let Some(token) = case.token {
            let token = HeaderValue::from_static(token);
            request.headers_mut().insert("x-floret-token", token);
        }
        if let Some(own) = permissions {
            request.extensions_mut().insert(own);
        }
        send(&self.service, request).await
    }

    /// Returns an id of the tenant's objects, by the name of the parameter, or by the kind of run.
    pub(super) fn id(&self, name: &str) -> &str {
        &self.ids[name]
    }

    /// Replaces every id with one that no object has.
    pub(super) fn forget_ids(&mut self) {
        for (name, id) in &mut self.ids {
            *id = match *name {
                "id" | "node_id" | "conn_id" | "key" => "absent".to_owned(),
                "delivery_id" => "absent.1".to_owned(),
                _ => "00000000-0000-7000-8000-000000000000".to_owned(),
            };
        }
    }

    /// Returns the oldest stored event.
    pub(super) async fn first_event(&self) -> Event {
        let page = self.storage.events(EventFilter::default(), 0, 1).await;
        page.unwrap().events.remove(0)
    }

    pub(super) async fn newest_seq(&self) -> u64 {
        self.storage.newest_seq().await.unwrap()
    }

    /// Returns the texts that no other tenant may read.
    pub(super) fn secrets(&self) -> Vec<String> {
        let ids = self.ids.iter();
        let ids = ids.filter(|(name, _)| !matches!(**name, "node_id" | "version" | "to"));
        ids.map(|(_, id)| id.clone())
            .chain(["acme".to_owned()])
            .collect()
    }
}

/// Waits until the start of the run's node is recorded. The run records nothing more after that.
async fn wait_until_started(floret: &Floret, run: &str) {
    let mut events = floret.events_after(0);
    let is_start =
        |event: &Event| event.kind == EventKind::NodeStarted && event.run_id.to_string() == run;
    until(&mut events, is_start).await.unwrap();
}
