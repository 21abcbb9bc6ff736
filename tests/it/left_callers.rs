//! Callers that leave: a command that has begun is finished, with its wake-ups.
//!
//! Each command is left at each call of storage that it makes. What it does otherwise is left to
//! the tests of its noun.

use std::collections::BTreeSet;
use std::time::Duration;

use floret::testing::{Gate, Method, Step, routes};
use floret::{Access, Builder, EventKind, RunStatus};
use futures_util::FutureExt as _;
use http::HeaderValue;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{Host, Store, World, chain, park_dead_letter};
use crate::wire::{request, send};

on_every_backend! {
    pipelines_are_saved_and_deleted_and_their_schedules_fire,
    runs_are_created_and_execute,
    runs_are_edited,
    cancel_requests_reach_the_executing_nodes,
    connections_are_saved_and_deleted,
    variables_are_saved_and_deleted,
    a_purge_is_finished,
    backfills_are_paused,
    dead_letters_are_retried_and_dropped,
}

const SAVES: &[&str] = &[
    "POST /pipelines",
    "PUT /pipelines/{id}",
    "DELETE /pipelines/{id}",
    "POST /pipelines/{id}/rollback",
    "POST /pipelines/{id}/pause",
    "POST /pipelines/{id}/unpause",
];
const BACKFILL_PAUSES: &[&str] = &[
    "POST /backfills/{backfill_id}/pause",
    "POST /backfills/{backfill_id}/unpause",
];
const CREATIONS: &[&str] = &[
    "POST /pipelines/{id}/run",
    "POST /pipelines/{id}/webhook",
    "POST /pipelines/{id}/backfill",
    "POST /backfills/{backfill_id}/rerun",
    "POST /runs/{run_id}/resume",
    "POST /runs/{run_id}/rerun",
    "POST /runs/rerun",
];
const EDITS: &[&str] = &["PATCH /runs/{run_id}"];
const CANCELS: &[&str] = &[
    "POST /runs/{run_id}/cancel",
    "POST /runs/cancel",
    "POST /backfills/{backfill_id}/cancel",
];
const CONNECTIONS: &[&str] = &[
    "POST /connections",
    "PUT /connections/{conn_id}",
    "DELETE /connections/{conn_id}",
];
const VARIABLES: &[&str] = &[
    "POST /variables",
    "PUT /variables/{key}",
    "DELETE /variables/{key}",
];
const PURGES: &[&str] = &["POST /system/purge"];
const DELIVERIES: &[&str] = &[
    "POST /deliveries/{delivery_id}/retry",
    "DELETE /deliveries/{delivery_id}",
];

/// A dry run stores nothing. It ends with its caller.
const NOT_FINISHED: &[&str] = &["POST /pipelines/{id}/dry-run"];

/// The calls of storage that commands make and that no loop of the engine makes.
const CALLS: &[Method] = &[
    Method::FindPipeline,
    Method::PutPipeline,
    Method::SetPause,
    Method::DeletePipeline,
    Method::FindIdempotent,
    Method::CreateRuns,
    Method::FindRun,
    Method::FindChain,
    Method::RequestCancel,
    Method::EditRun,
    Method::FindVersion,
    Method::CancelBackfill,
    Method::SetBackfillPause,
    Method::FindConnection,
    Method::PutConnection,
    Method::DeleteConnection,
    Method::FindVariables,
    Method::PutVariable,
    Method::DeleteVariable,
    Method::Purge,
    Method::ChangeDeadLetter,
];

/// The token of the webhook.
const TOKEN: &str = "a-token-of-the-tests-17";

/// Longer than the sleep of the scheduler, and shorter than all other sleeps in a quiet world.
const MINUTE: Duration = Duration::from_secs(60);

/// The state before a command, and the command.
struct Scene {
    world: World,
    host: Host,
    command: &'static str,
    path: String,
    body: Option<Value>,
}

/// Where a command is left: before or after the effect of a call.
#[derive(Debug, Clone, Copy)]
enum At {
    Before,
    After,
}

impl Scene {
    async fn new(store: Store, command: &'static str) -> Self {
        let pipeline = chain("p", &["a", "b"]).webhook_token(TOKEN);
        let world = World::quiet(store).pipeline(pipeline);
        let host = world.start_with(Builder::allow_pipeline_edits).await;
        let mut scene = Self {
            world,
            host,
            command,
            path: command.split_once(' ').unwrap().1.to_owned(),
            body: None,
        };
        scene.prepare().await;
        scene
    }

    /// Creates what the command needs, and sets its path and body.
    async fn prepare(&mut self) {
        let every_minute = |id: &str| {
            let pipeline = chain(id, &["a", "b"]).schedule("* * * * *");
            serde_json::to_value(pipeline).unwrap()
        };
        self.path = self.path.replace("{id}", "p");
        self.path = self.path.replace("{conn_id}", "c").replace("{key}", "k");
        let connection = |host| json!({"conn_id": "c", "type": "postgres", "host": host});
        let variable = |value| json!({"key": "k", "value": value});
        match self.command {
            "POST /pipelines" => self.body = Some(every_minute("new")),
            "PUT /pipelines/{id}" => self.body = Some(every_minute("p")),
            "POST /pipelines/{id}/rollback" => {
                self.send("PUT", "/pipelines/p", &every_minute("p")).await;
                let without = serde_json::to_value(chain("p", &["a", "b"])).unwrap();
                self.send("PUT", "/pipelines/p", &without).await;
                self.body = Some(json!({"version": 2}));
            }
            "POST /pipelines/{id}/unpause" => {
                self.send("POST", "/pipelines/p/pause", &json!({})).await;
                self.host.trigger("p").await;
            }
            "POST /pipelines/{id}/backfill" => self.body = Some(two_dates()),
            command if command.contains("/runs/") || command.contains("/backfills/") => {
                self.prepare_run().await;
            }
            "POST /connections" => self.body = Some(connection("new")),
            "PUT /connections/{conn_id}" | "DELETE /connections/{conn_id}" => {
                self.send("POST", "/connections", &connection("old")).await;
                self.body = Some(connection("new"));
            }
            "POST /variables" => self.body = Some(variable("new")),
            "PUT /variables/{key}" | "DELETE /variables/{key}" => {
                self.send("POST", "/variables", &variable("old")).await;
                self.body = Some(variable("new"));
            }
            command if DELIVERIES.contains(&command) => {
                let run = self.host.run("p").await.run.id;
                let dead = park_dead_letter(&self.host.storage, "pager", run, 0).await;
                self.path = self.path.replace("{delivery_id}", &dead);
            }
            "POST /system/purge" => {
                self.host.run("p").await;
                self.world.clock.advance(3 * 24 * 60 * MINUTE);
                self.body = Some(json!({"days": 1}));
            }
            _ => {}
        }
    }

    /// Creates the run that the command is about, and sets its path and body.
    async fn prepare_run(&mut self) {
        match self.command {
            "POST /runs/{run_id}/rerun" | "POST /runs/rerun" => {
                let steps = [Step::permanent("no"), Step::pass_on()];
                self.world.script.script("a", steps);
                let failed = self.host.run("p").await.run.id.to_string();
                self.path = self.path.replace("{run_id}", &failed);
                let all = json!({"run_ids": [failed]});
                self.body = (self.command == "POST /runs/rerun").then_some(all);
            }
            "POST /runs/{run_id}/resume" => {
                let steps = [Step::permanent("no"), Step::pass_on()];
                self.world.script.script("a", steps);
                let failed = self.host.run("p").await.run;
                assert_eq!(failed.status, RunStatus::Failed);
                self.path = self.path.replace("{run_id}", &failed.id.to_string());
            }
            "PATCH /runs/{run_id}" => {
                let run = self.host.run("p").await.run.id;
                self.path = self.path.replace("{run_id}", &run.to_string());
                self.body = Some(json!({"note": "new"}));
            }
            "POST /runs/{run_id}/cancel" => {
                self.hold_first_node();
                let run = self.host.trigger("p").await.id().to_string();
                self.world.script.started("a").await;
                self.path = self.path.replace("{run_id}", &run) + "?force=true";
            }
            "POST /runs/cancel" => {
                self.hold_first_node();
                let run = self.host.trigger("p").await.id().to_string();
                self.world.script.started("a").await;
                self.body = Some(json!({"run_ids": [run], "force": true}));
            }
            "POST /backfills/{backfill_id}/rerun" => {
                let steps = [Step::permanent("no"), Step::pass_on(), Step::pass_on()];
                self.world.script.script("a", steps);
                self.send("POST", "/pipelines/p/backfill", &two_dates())
                    .await;
                self.host.wait_for_events(EventKind::RunCompleted, 1).await;
                let run = self.host.runs().await.remove(0);
                let id = run.backfill_id.unwrap().to_string();
                self.path = self.path.replace("{backfill_id}", &id);
                self.body = Some(json!({"only": "all"}));
            }
            command if BACKFILL_PAUSES.contains(&command) => self.prepare_pause().await,
            "POST /backfills/{backfill_id}/cancel" => {
                self.hold_first_node();
                self.send("POST", "/pipelines/p/backfill", &two_dates())
                    .await;
                self.world.script.started("a").await;
                let run = self.host.runs().await.remove(0);
                let id = run.backfill_id.unwrap().to_string();
                self.path = self.path.replace("{backfill_id}", &id) + "?force=true";
            }
            _ => {}
        }
    }

    /// Creates a backfill whose runs wait, and sets the path.
    async fn prepare_pause(&mut self) {
        self.send("POST", "/pipelines/p/pause", &json!({})).await;
        self.send("POST", "/pipelines/p/backfill", &two_dates())
            .await;
        let run = self.host.runs().await.remove(0);
        let id = run.backfill_id.unwrap().to_string();
        self.path = self.path.replace("{backfill_id}", &id);
        if self.command.ends_with("unpause") {
            let pause = self.path.replace("unpause", "pause");
            self.send("POST", &pause, &json!({})).await;
            self.send("POST", "/pipelines/p/unpause", &json!({})).await;
        }
    }

    fn hold_first_node(&self) {
        let never = Gate::new();
        let held = Step::pass_on().at(&never);
        self.world.script.script("a", [held.clone(), held]);
    }

    async fn send(&self, method: &str, path: &str, body: &Value) {
        let service = self.host.floret.service(Access::allow_all());
        let path = format!("/api{path}");
        let answer = send(
            &service,
            request(method.parse().unwrap(), &path, Some(body)),
        )
        .await;
        assert!(answer.status.is_success(), "{answer:?}");
    }

    fn request(&self) -> http::Request<http_body_util::Full<bytes::Bytes>> {
        let method = self.command.split_once(' ').unwrap().0.parse().unwrap();
        let has_body = method != http::Method::DELETE;
        let body = self.body.as_ref().filter(|_| has_body);
        let mut request = request(method, &format!("/api{}", self.path), body);
        let token = HeaderValue::from_static(TOKEN);
        request.headers_mut().insert("x-floret-token", token);
        request
    }

    /// Executes the command and returns the calls of storage that it makes.
    async fn calls(&self) -> Vec<Method> {
        let counts = || CALLS.iter().map(|call| self.host.storage.calls(*call));
        let before: Vec<_> = counts().collect();
        let service = self.host.floret.service(Access::allow_all());
        let answer = send(&service, self.request()).await;
        assert!(answer.status.is_success(), "{answer:?}");
        let rows = CALLS.iter().zip(before.into_iter().zip(counts()));
        rows.filter(|(_, (before, after))| before < after)
            .map(|(call, _)| *call)
            .collect()
    }

    /// Sends the command and drops its future while it waits for a call of storage.
    async fn leave(&self, call: Method, at: At) {
        let storage = &self.host.storage;
        let gate = Gate::new();
        match at {
            At::Before => storage.hold(call, &gate),
            At::After => storage.hold_after(call, &gate),
        }
        let before = storage.calls(call);
        let service = self.host.floret.service(Access::allow_all());
        let mut answer = Box::pin(service.oneshot(self.request()));
        while storage.calls(call) == before {
            assert!((&mut answer).now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        drop(answer);
        gate.open();
    }

    /// Waits until everything that the command causes has happened.
    async fn effect(&self) {
        match self.command {
            "POST /pipelines" | "PUT /pipelines/{id}" => {
                self.world.clock.sleeper_within(MINUTE).await;
                self.world.clock.advance(MINUTE);
                self.host.wait_for_events(EventKind::RunCompleted, 1).await;
            }
            "POST /pipelines/{id}/rollback" => {
                until(async || {
                    let found = self.find("/api/pipelines/p").await;
                    found.is_some_and(|pipeline| pipeline["schedule"].is_string())
                })
                .await;
                // The scheduler may still sleep for the version before.
                until(async || {
                    self.world.clock.advance(MINUTE);
                    let events = self.host.events().await;
                    events
                        .iter()
                        .any(|event| event.kind == EventKind::RunCompleted)
                })
                .await;
            }
            "DELETE /pipelines/{id}" => {
                until(async || self.find("/api/pipelines/p").await.is_none()).await;
            }
            "POST /pipelines/{id}/pause" | "POST /backfills/{backfill_id}/pause" => {
                let path = format!("/api{}", self.path.trim_end_matches("/pause"));
                until(async || {
                    let found = self.find(&path).await;
                    found.is_some_and(|found| found["paused"].is_object())
                })
                .await;
            }
            "POST /pipelines/{id}/run"
            | "POST /pipelines/{id}/webhook"
            | "POST /pipelines/{id}/unpause"
            | "POST /runs/{run_id}/resume"
            | "POST /runs/{run_id}/rerun"
            | "POST /runs/rerun" => {
                self.host.wait_for_events(EventKind::RunCompleted, 1).await;
            }
            "POST /pipelines/{id}/backfill" | "POST /backfills/{backfill_id}/unpause" => {
                self.host.wait_for_events(EventKind::RunCompleted, 2).await;
            }
            "POST /backfills/{backfill_id}/rerun" => {
                self.host.wait_for_events(EventKind::RunCompleted, 3).await;
            }
            command if CANCELS.contains(&command) => {
                until(async || {
                    let runs = self.host.runs().await;
                    runs.iter().all(|run| run.status == RunStatus::Cancelled)
                })
                .await;
            }
            "PATCH /runs/{run_id}" => {
                let path = format!("/api{}", self.path);
                self.setting_is_changed(&path, "note").await;
            }
            "POST /system/purge" => until(async || self.host.runs().await.is_empty()).await,
            command if CONNECTIONS.contains(&command) => {
                self.setting_is_changed("/api/connections/c", "host").await;
            }
            command if DELIVERIES.contains(&command) => {
                until(async || self.find("/api/deliveries?state=dead").await == Some(json!([])))
                    .await;
            }
            _ => self.setting_is_changed("/api/variables/k", "value").await,
        }
    }

    /// Waits until a field has its new value, or until a setting to delete is gone.
    async fn setting_is_changed(&self, path: &str, field: &str) {
        let value = (!self.command.starts_with("DELETE")).then(|| json!("new"));
        until(async || self.find(path).await.map(|found| found[field].clone()) == value).await;
    }

    async fn find(&self, path: &str) -> Option<Value> {
        let service = self.host.floret.service(Access::allow_all());
        let answer = send(&service, request(http::Method::GET, path, None)).await;
        (answer.status != 404).then(|| answer.json())
    }
}

fn two_dates() -> Value {
    json!({"start_date": "2024-01-01", "end_date": "2024-01-02"})
}

async fn until(is_met: impl AsyncFn() -> bool) {
    while !is_met().await {
        tokio::task::yield_now().await;
    }
}

fn fresh(store: &Store) -> Store {
    match store {
        Store::Memory(_) => Store::memory(),
        Store::Sqlite(_) => Store::sqlite(),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "cargo shows the last case beside a failure"
)]
fn print_case(command: &str, case: &str) {
    eprintln!("{command}: {case}");
}

/// Leaves each command at each of its calls, and waits for its effect.
async fn leave_everywhere(store: &Store, commands: &[&'static str]) {
    for command in commands {
        print_case(command, "not left");
        let finished = Scene::new(fresh(store), command).await;
        let calls = finished.calls().await;
        finished.effect().await;
        assert!(!calls.is_empty(), "{command} makes no call");
        for call in calls {
            for at in [At::Before, At::After] {
                print_case(command, &format!("left {at:?} {call:?}"));
                let scene = Scene::new(fresh(store), command).await;
                scene.leave(call, at).await;
                scene.effect().await;
            }
        }
    }
}

async fn pipelines_are_saved_and_deleted_and_their_schedules_fire(store: Store) {
    leave_everywhere(&store, SAVES).await;
}

async fn runs_are_created_and_execute(store: Store) {
    leave_everywhere(&store, CREATIONS).await;
}

async fn runs_are_edited(store: Store) {
    leave_everywhere(&store, EDITS).await;
}

async fn cancel_requests_reach_the_executing_nodes(store: Store) {
    leave_everywhere(&store, CANCELS).await;
}

async fn backfills_are_paused(store: Store) {
    leave_everywhere(&store, BACKFILL_PAUSES).await;
}

async fn connections_are_saved_and_deleted(store: Store) {
    leave_everywhere(&store, CONNECTIONS).await;
}

async fn variables_are_saved_and_deleted(store: Store) {
    leave_everywhere(&store, VARIABLES).await;
}

async fn dead_letters_are_retried_and_dropped(store: Store) {
    leave_everywhere(&store, DELIVERIES).await;
}

async fn a_purge_is_finished(store: Store) {
    leave_everywhere(&store, PURGES).await;
}

#[test]
fn every_route_that_writes_is_left() {
    let writes = routes()
        .into_iter()
        .filter(|route| !route.method.is_safe())
        .map(|route| format!("{} {}", route.method, route.path));
    let left = [
        SAVES,
        BACKFILL_PAUSES,
        CREATIONS,
        EDITS,
        CANCELS,
        CONNECTIONS,
        VARIABLES,
        DELIVERIES,
        PURGES,
        NOT_FINISHED,
    ];
    let left = left.concat().into_iter().map(str::to_owned);
    assert_eq!(writes.collect::<BTreeSet<_>>(), left.collect());
}
