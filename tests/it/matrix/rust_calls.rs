//! Every route and the Rust call that does the same: both give the same values, and the same
//! refusals to a caller of another tenant and for unknown objects.
//!
//! A route whose Rust call is not compared here fails the test.

use chrono::DateTime;
use floret::query::{NewConnection, NewVariable, SavedPipeline};
use floret::storage::{RunDetail, StoredPipeline};
use floret::testing::{Route, routes};
use floret::{BackfillHandle, Client, Error, Permissions, Pipeline, RunHandle, RunId, Scope};
use http::Method;
use serde::Serialize;
use serde_json::{Value, json};

use super::cases::{Case, TOKEN, case};
use super::world::{World, tenant};
use crate::wire::{Backend, TestResponse};

/// The value of an answer, or the slug of a refusal.
type Answer = Result<Value, String>;

#[tokio::test]
async fn every_route_gives_the_values_of_its_rust_call_in_memory() {
    compare_every_route(Backend::Memory).await;
}

#[tokio::test]
async fn every_route_gives_the_values_of_its_rust_call_in_sqlite() {
    compare_every_route(Backend::Sqlite).await;
}

async fn compare_every_route(backend: Backend) {
    let world = World::open(backend).await;
    let mut absent = World::open(backend).await;
    absent.forget_ids();
    for route in routes() {
        if matches!(route.path, "/ws" | "/events") {
            compare_first_event(&world, &route).await;
            continue;
        }
        // A token opens the webhook for every caller over HTTP, which would change this world.
        if !route.path.ends_with("/webhook") {
            compare(&world, &route, &tenant("other")).await;
        }
        compare(&absent, &route, &tenant("acme")).await;
        if route.method == Method::GET {
            compare(&world, &route, &tenant("acme")).await;
        } else {
            compare_writes(backend, &route).await;
        }
    }
}

/// Compares the answers of a route and of its Rust call in one world.
async fn compare(world: &World, route: &Route, scope: &Scope) {
    let case = case(route);
    let by_http = answer_by_http(world, route, &case, scope).await;
    let by_rust = answer_by_rust(world, route, &case, scope).await;
    let context = format!("{} {} in {scope:?}", route.method, route.path);
    if is_write(route) && by_http.is_ok() {
        // The second of two writes is refused, or gets another id.
        return;
    }
    assert_eq!(by_rust, by_http, "{context}");
}

/// Compares what a route and its Rust call do in two worlds that are alike.
async fn compare_writes(backend: Backend, route: &Route) {
    let (case, scope) = (case(route), tenant("acme"));
    let world = World::open(backend).await;
    let by_http = answer_by_http(&world, route, &case, &scope).await;
    let world = World::open(backend).await;
    let by_rust = answer_by_rust(&world, route, &case, &scope).await;
    let context = format!("{} {}", route.method, route.path);
    assert_eq!(masked_answer(by_rust), masked_answer(by_http), "{context}");
}

async fn compare_first_event(world: &World, route: &Route) {
    assert_eq!(route.rust, "Client::events_of");
    let client = world.floret.scoped(tenant("acme"));
    let event = client.events_after(0).next().await.unwrap().unwrap();
    assert_eq!(event, world.first_event().await);
}

fn is_write(route: &Route) -> bool {
    route.method != Method::GET
}

async fn answer_by_http(world: &World, route: &Route, case: &Case, scope: &Scope) -> Answer {
    let permissions = Permissions::all().scope(scope.clone());
    let answer = world.call_as(route, case, Some(permissions)).await;
    if !answer.status.is_success() {
        let problem = answer.json();
        let slug = problem["type"].as_str().unwrap().rsplit(':').next();
        return Err(slug.unwrap().to_owned());
    }
    Ok(value_of(world, route, &answer).await)
}

/// Returns the value of an answer: for a run that was created, the finished run.
async fn value_of(world: &World, route: &Route, answer: &TestResponse) -> Value {
    match route.path {
        "/pipelines/{id}/run"
        | "/pipelines/{id}/webhook"
        | "/runs/{run_id}/resume"
        | "/runs/{run_id}/rerun" => {
            let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
            finished(&world.floret.run_by_id(id)).await
        }
        "/pipelines/{id}/backfill" | "/backfills/{backfill_id}/rerun" => {
            let ids = answer.json();
            let mut runs = Vec::new();
            for id in ids.as_array().unwrap() {
                let id = id.as_str().unwrap().parse().unwrap();
                runs.push(finished(&world.floret.run_by_id(id)).await);
            }
            Value::from(runs)
        }
        "/runs/{run_id}/cancel" => answer.json()["status"].take(),
        "/runs/{run_id}/logs/export" => {
            let lines = answer.text().lines();
            lines
                .map(|line| -> Value { serde_json::from_str(line).unwrap() })
                .collect()
        }
        _ if answer.body.is_empty() => Value::Null,
        _ => without_uptime(answer.json()),
    }
}

async fn answer_by_rust(world: &World, route: &Route, case: &Case, scope: &Scope) -> Answer {
    let client = world.floret.scoped(scope.clone());
    let answer = Call {
        world,
        case,
        client: &client,
    }
    .answer(route)
    .await;
    answer
        .map(without_uptime)
        .map_err(|error| error.slug().to_owned())
}

/// A Rust call for a case.
struct Call<'a> {
    world: &'a World,
    case: &'a Case,
    client: &'a Client,
}

impl Call<'_> {
    async fn answer(&self, route: &Route) -> Result<Value, Error> {
        let client = self.client;
        let id = |name| self.world.id(name);
        let (pipeline, node) = (id("id"), id("node_id"));
        match route.rust {
            "System::health" => client
                .system()
                .health()
                .await
                .map(|()| json!({"status": "ok"})),
            "System::capabilities" => Ok(json(&client.system().capabilities())),
            "System::openapi" => client.system().openapi("/api"),
            "System::info" => client.system().info().await.map(|info| json(&info)),
            "System::purge" => {
                let deleted = client.system().purge().days(30).await?;
                Ok(json!({"deleted": deleted, "days": 30}))
            }
            "Client::runs" => Ok(json(&client.runs().await?.items)),
            "Client::audit" => Ok(json(&client.audit().await?.items)),
            "Client::calendar" => Ok(json(&client.calendar().await?)),
            "Client::lineage" => Ok(json(&client.lineage().await?)),
            "Client::schedules" => Ok(json(&client.schedules().await?)),
            "Client::search" => Ok(json(&client.search("acme").await?)),
            "Client::dashboard" => {
                let dashboard = client.dashboard().await?;
                let mut value = json(&dashboard);
                value["pipelines"] = summaries(&dashboard.pipelines);
                Ok(value)
            }
            "Client::run" => Ok(finished(&client.run(pipeline).await?).await),
            "RunBuilder::webhook" => {
                let run = client.run(pipeline).webhook(TOKEN).await?;
                Ok(finished(&run).await)
            }
            "Client::dry_run" => Ok(json(&client.dry_run(pipeline).await?)),
            "Client::backfill" => self.backfill(pipeline).await,
            "Backfills::of" => Ok(json(&client.backfills().of(pipeline).await?.items)),
            "Backfills::get" => Ok(json(&client.backfills().get(self.backfill_id()).await?)),
            "Backfills::rerun" => {
                let rerun = client.backfills().rerun(self.backfill_id());
                Ok(self.runs_of(&rerun.all().await?).await)
            }
            "Backfills::pause" => Ok(json(&client.backfills().pause(self.backfill_id()).await?)),
            "Backfills::unpause" => {
                let unpause = client.backfills().unpause(self.backfill_id());
                Ok(json(&unpause.await?))
            }
            "Backfills::cancel" => Ok(json(&client.backfills().cancel(self.backfill_id()).await?)),
            "Client::pipelines" => Ok(summaries(&client.pipelines().await?.items)),
            other if other.starts_with("RunHandle::") || other.starts_with("Logs::") => {
                self.about_run(other, node).await
            }
            other if other.starts_with("Runs::") => self.about_runs(other, pipeline).await,
            other if other.starts_with("Versions::") => self.about_versions(other, pipeline).await,
            other if other.starts_with("Pipelines::") => {
                self.about_pipelines(other, pipeline, node).await
            }
            other if other.ends_with("deliveries") || other.starts_with("Deliveries::") => {
                self.about_deliveries(other).await
            }
            other => self.about_secrets(other).await,
        }
    }

    async fn about_pipelines(
        &self,
        call: &str,
        pipeline: &str,
        node: &str,
    ) -> Result<Value, Error> {
        let pipelines = self.client.pipelines();
        match call {
            "Pipelines::get" => Ok(json(&pipelines.get(pipeline).await?)),
            "Pipelines::create" => {
                let created = pipelines.create(self.pipeline("")).await?;
                Ok(saved(&created))
            }
            "Pipelines::put" => {
                let put = pipelines.put(self.pipeline(pipeline)).await?;
                Ok(saved(&put))
            }
            "Pipelines::delete" => pipelines.delete(pipeline).await.map(Value::from),
            "Pipelines::validate" => self.validation(pipeline).await,
            "Pipelines::node_history" => {
                let history = pipelines.node_history(pipeline, node);
                Ok(json(&history.await?))
            }
            "Pipelines::grid" => Ok(json(&pipelines.grid(pipeline).await?)),
            "Pipelines::pause" | "Pipelines::unpause" => self.about_pauses(call, pipeline).await,
            "Pipelines::versions" => self.about_versions(call, pipeline).await,
            _ => panic!("no Rust call is compared with {call}"),
        }
    }

    async fn about_runs(&self, call: &str, pipeline: &str) -> Result<Value, Error> {
        let runs = self.client.runs();
        match call {
            "Runs::of" => Ok(json(&runs.of(pipeline).await?.items)),
            "Runs::cancel_all" => Ok(json(&runs.of("acme-daily").cancel_all().await?)),
            "Runs::rerun_all" => Ok(json(&runs.of("acme-daily").rerun_all().await?)),
            _ => panic!("no Rust call is compared with {call}"),
        }
    }

    async fn validation(&self, pipeline: &str) -> Result<Value, Error> {
        let report = self.client.pipelines().validate(pipeline).await?;
        let details = |issues: &[floret::Issue]| -> Vec<Value> {
            issues
                .iter()
                .map(|issue| json!({"detail": issue.detail}))
                .collect()
        };
        let valid = report.errors.is_empty();
        let (errors, warnings) = (details(&report.errors), details(&report.warnings));
        Ok(json!({"valid": valid, "errors": errors, "warnings": warnings}))
    }

    async fn about_pauses(&self, call: &str, pipeline: &str) -> Result<Value, Error> {
        let pipelines = self.client.pipelines();
        let stored = match call {
            "Pipelines::pause" => pipelines.pause(pipeline).await?,
            _ => pipelines.unpause(pipeline).await?,
        };
        Ok(json(&stored))
    }

    async fn about_versions(&self, call: &str, pipeline: &str) -> Result<Value, Error> {
        let client = self.client;
        match call {
            "Pipelines::versions" => {
                let versions = client.pipelines().versions(pipeline).await?;
                Ok(json(&versions.items))
            }
            "Versions::get" => Ok(json(&client.pipelines().versions(pipeline).get(1).await?)),
            "Versions::diff" => client.pipelines().versions(pipeline).diff(1, 1).await,
            "Versions::roll_back" => {
                let saved_again = client.pipelines().versions(pipeline).roll_back(1).await?;
                Ok(saved(&saved_again))
            }
            _ => panic!("no Rust call is compared with {call}"),
        }
    }

    async fn about_run(&self, call: &str, node: &str) -> Result<Value, Error> {
        let run = self.world.id(self.case.run).parse().unwrap();
        let run = self.client.run_by_id(run);
        match call {
            "RunHandle::get" => Ok(json::<RunDetail>(&run.get().await?)),
            "RunHandle::edit" => Ok(json(&run.edit().label("team", "data").await?)),
            "RunHandle::cancel" => Ok(json(&run.cancel().await?)),
            "RunHandle::rerun" => Ok(finished(&run.rerun().await?).await),
            "RunHandle::resume" => Ok(finished(&run.resume().await?).await),
            "RunHandle::preview" => Ok(json(&run.preview(node).await?)),
            "RunHandle::attempts" => Ok(json(&run.attempts(node).await?)),
            "RunHandle::profile" => Ok(json(&run.profile(node).await?)),
            "RunHandle::logs" => {
                let mut page = run.logs().await?;
                page.lines.iter_mut().for_each(|line| line.seq = None);
                Ok(json(&page.lines))
            }
            "Logs::stream" => {
                let (mut log, mut all) = (run.logs().stream().await?, Vec::new());
                while let Some(mut lines) = log.next().await? {
                    lines.iter_mut().for_each(|line| line.seq = None);
                    all.extend(lines);
                }
                Ok(json(&all))
            }
            _ => panic!("no Rust call is compared with {call}"),
        }
    }

    async fn about_deliveries(&self, call: &str) -> Result<Value, Error> {
        let deliveries = self.client.deliveries();
        let id = self.world.id("delivery_id").parse().unwrap();
        match call {
            "Client::deliveries" => Ok(json(&deliveries.await?.items)),
            "Deliveries::get" => Ok(json(&deliveries.get(&id).await?)),
            "Deliveries::retry" => Ok(json(&deliveries.retry(&id).await?)),
            "Deliveries::delete" => deliveries.delete(&id).await.map(Value::from),
            _ => panic!("no Rust call is compared with {call}"),
        }
    }

    async fn about_secrets(&self, call: &str) -> Result<Value, Error> {
        let (connections, variables) = (self.client.connections(), self.client.variables());
        let (id, key) = (self.world.id("conn_id"), self.world.id("key"));
        match call {
            "Client::connections" => Ok(json(&connections.await?.items)),
            "Connections::get" => Ok(json(&connections.get(id).await?)),
            "Connections::create" => Ok(json(
                &connections
                    .create(NewConnection::new("beta", "http"))
                    .await?,
            )),
            "Connections::put" => Ok(json(
                &connections.put(NewConnection::new(id, "http")).await?,
            )),
            "Connections::delete" => connections.delete(id).await.map(Value::from),
            "Client::variables" => Ok(json(&variables.await?.items)),
            "Variables::get" => Ok(json(&variables.get(key).await?)),
            "Variables::create" => Ok(json(
                &variables.create(NewVariable::new("beta", "b")).await?,
            )),
            "Variables::put" => Ok(json(&variables.put(NewVariable::new(key, "b")).await?)),
            "Variables::delete" => variables.delete(key).await.map(Value::from),
            _ => panic!("no Rust call is compared with {call}"),
        }
    }

    async fn backfill(&self, pipeline: &str) -> Result<Value, Error> {
        let (from, to) = ("2024-01-01".parse().unwrap(), "2024-01-02".parse().unwrap());
        let backfill = self.client.backfill(pipeline, from..=to).await?;
        Ok(self.runs_of(&backfill).await)
    }

    /// Waits for the runs of a backfill.
    async fn runs_of(&self, backfill: &BackfillHandle) -> Value {
        let mut runs = Vec::new();
        for run in backfill.run_ids() {
            runs.push(finished(&self.client.run_by_id(*run)).await);
        }
        Value::from(runs)
    }

    fn backfill_id(&self) -> floret::BackfillId {
        self.world.id("backfill_id").parse().unwrap()
    }

    /// Returns the pipeline of the case.
    fn pipeline(&self, id: &str) -> Pipeline {
        Pipeline::new(id).name("beta").node("load", "any")
    }
}

/// Waits until a run is finished and returns it.
async fn finished(run: &RunHandle) -> Value {
    json(&run.finished().await.unwrap())
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap()
}

fn saved(saved: &SavedPipeline) -> Value {
    assert!(saved.warnings.is_empty(), "{saved:?}");
    json(&saved.stored)
}

/// Returns pipelines as a list shows them.
fn summaries(pipelines: &[StoredPipeline]) -> Value {
    const ELSEWHERE: [&str; 5] = ["nodes", "edges", "params", "version", "webhook_token"];
    let summary = |pipeline: &StoredPipeline| {
        let mut value = json(pipeline);
        let fields = value.as_object_mut().unwrap();
        fields.retain(|name, _| !ELSEWHERE.contains(&name.as_str()));
        value["node_count"] = json!(pipeline.definition.nodes.len());
        value["edge_count"] = json!(pipeline.definition.edges.len());
        value
    };
    pipelines.iter().map(summary).collect()
}

fn without_uptime(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.remove("uptime_seconds");
    }
    value
}

fn masked_answer(answer: Answer) -> Answer {
    answer.map(masked)
}

/// Hides what differs between two worlds that are alike: ids, times and durations.
fn masked(value: Value) -> Value {
    const DURATIONS: [&str; 3] = ["duration_ms", "queue_ms", "profiling_ms"];
    match value {
        Value::String(text) => {
            let (id, rest) = text.split_at_checked(36).unwrap_or((&text, ""));
            if id.parse::<RunId>().is_ok() {
                Value::from(format!("(id){rest}"))
            } else if DateTime::parse_from_rfc3339(&text).is_ok() {
                Value::from("(time)")
            } else {
                Value::from(text)
            }
        }
        Value::Array(items) => items.into_iter().map(masked).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, _)| !DURATIONS.contains(&name.as_str()))
            .map(|(name, value)| (name, masked(value)))
            .collect(),
        other => other,
    }
}
