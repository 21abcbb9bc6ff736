//! Secrets of a pipeline that writes them everywhere it can: they appear in no response, event,
//! log, trace or file.
//!
//! Panics, failing stores and copies of a store are left to the modules of this folder.

mod copies;
mod drivers;
mod failing;
mod levels;
mod panics;
mod requests;
mod responses;

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use floret::executor::{Ctx, ExecutorError, NodeCall, Output};
use floret::notifier::HookPolicy;
use floret::testing::Scratch;
use floret::{Builder, SecretKey};
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tower::{BoxError, Service};
use tracing_subscriber::fmt;

use self::responses::collect_responses;
use crate::harness::{CapturedTrace, all_events};
use crate::stream::open;
use crate::wire::{Backend, Host, request};

const PASSWORD: &str = "canary-password-47118153";
const TOKEN: &str = "canary-token-\"47128153\"";
/// The token of the webhook of each pipeline.
const HOOK_TOKEN: &str = "canary-webhook-47158153";
/// The secret of the hooks of each pipeline: its text contains no other one.
const HOOK_SECRET: &str = "whsec_47168153AAAAAAAAAAAAAAAAAAAAAAAA";
/// The value of a secret parameter of the runs.
const PARAM: &str = "canary-param-47178153";
const VARIABLE: &str = "canary-variable-47138153";
/// The prefix of every secret.
const CANARY: &str = "canary-";

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes([byte; 32])
}

/// Returns the secrets in every form that the node can read.
async fn secrets(ctx: &Ctx) -> Result<Vec<String>, ExecutorError> {
    let warehouse = ctx.connection("warehouse").await?;
    let text = |secret: Option<floret::Secret<String>>| secret.unwrap().expose().clone();
    let token = warehouse.extra_json().unwrap().expose()["token"].clone();
    Ok(vec![
        text(warehouse.password),
        text(warehouse.extra),
        token.as_str().unwrap().to_owned(),
        ctx.node.config["token"].as_str().unwrap().to_owned(),
        ctx.param("code").unwrap_or_default().to_owned(),
    ])
}

/// Writes secrets into its log and its rows. Fails with them if its config has `fail`.
async fn leak(call: NodeCall, seen: Arc<Mutex<Vec<String>>>) -> Result<Vec<Value>, ExecutorError> {
    let secrets = secrets(&call.ctx).await?;
    seen.lock().clone_from(&secrets);
    let all = secrets.join(" ");
    call.ctx.log.info(format!("with {all}")).await;
    call.ctx
        .log
        .info(format!("{}{all}", "x".repeat(16_375)))
        .await;
    tracing::info!(?call, "called");
    if call.ctx.node.config.contains_key("fail") {
        return Err(ExecutorError::retryable(format!("refused: {all}")));
    }
    let long = format!("{}{all}", "x".repeat(4_090));
    Ok(vec![
        json!({"a": all, "b": {"c": secrets}, "d": long, (all.clone()): 1}),
    ])
}

fn with_node(builder: Builder, seen: &Arc<Mutex<Vec<String>>>) -> Builder {
    let seen = Arc::clone(seen);
    with_hooks(builder).node("leaky", move |call: NodeCall| leak(call, Arc::clone(&seen)))
}

/// Lets a pipeline have [`hook`].
fn with_hooks(builder: Builder) -> Builder {
    builder.hooks(HookPolicy::default().allow_private())
}

/// Returns a hook that reaches nobody: nothing listens at the port.
fn hook() -> Value {
    json!({"type": "webhook", "url": "https://localhost:9/", "secret": HOOK_SECRET})
}

async fn store_secrets(host: &Host) {
    let extra = json!({"token": TOKEN});
    let body =
        json!({"conn_id": "warehouse", "type": "postgres", "password": PASSWORD, "extra": extra});
    let created = host.post("/api/connections", Some(&body)).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_hidden("the response", &created.body);
    let body = json!({"key": "TOKEN", "value": VARIABLE, "type": "secret"});
    let created = host.post("/api/variables", Some(&body)).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_hidden("the response", &created.body);
    for (id, config) in [
        ("fine", json!({"token": "${var.TOKEN}"})),
        (
            "fails",
            json!({"token": "${var.TOKEN}", "fail": true, "max_retries": 1, "retry_delay": 0}),
        ),
    ] {
        let nodes = json!([{"id": "leaky", "type": "leaky", "config": config}, {"id": "next", "type": "any"}]);
        let edges = json!([{"from": "leaky", "to": "next"}]);
        let pipeline = json!({
            "id": id, "name": id, "nodes": nodes, "edges": edges, "webhook_token": HOOK_TOKEN,
            "param_defs": [{"name": "code", "type": "string", "secret": true}],
            "hooks": {"on_start": hook(), "on_success": hook(), "on_failure": hook()},
        });
        let created = host.post("/api/pipelines", Some(&pipeline)).await;
        assert_eq!(created.status, 201, "{created:?}");
        assert_hidden("the response", &created.body);
    }
}

async fn run(host: &Host, pipeline: &str) -> String {
    run_with(host, pipeline, &json!({})).await
}

async fn run_with(host: &Host, pipeline: &str, params: &Value) -> String {
    let path = format!("/api/pipelines/{pipeline}/run");
    let body = json!({"params": params});
    let created = host.post(&path, Some(&body)).await.json();
    let id = created["id"].as_str().unwrap().to_owned();
    host.wait_finished(&id).await;
    id
}

/// Runs `fine` in a backfill and returns the ids of the backfill and its run.
async fn backfill(host: &Host) -> (String, String) {
    let body = json!({
        "start_date": "2024-01-01", "end_date": "2024-01-01", "params": {"code": PARAM},
    });
    let created = host
        .post("/api/pipelines/fine/backfill", Some(&body))
        .await
        .json();
    let run = created[0].as_str().unwrap().to_owned();
    host.wait_finished(&run).await;
    let path = format!("/api/runs/{run}");
    let backfill = host.get(&path).await.json()["backfill_id"].clone();
    (backfill.as_str().unwrap().to_owned(), run)
}

#[track_caller]
fn assert_hidden(what: &str, text: &[u8]) {
    // Invalid UTF-8 is replaced; a canary stays unchanged.
    let text = String::from_utf8_lossy(text);
    for canary in [
        CANARY, "47118153", "47128153", "47138153", "47168153", "47178153",
    ] {
        let Some(at) = text.find(canary) else {
            continue;
        };
        let from = text.floor_char_boundary(at.saturating_sub(200));
        let to = text.ceil_char_boundary(text.len().min(at + 200));
        panic!("{what} has {canary}: {}", &text[from..to]);
    }
}

async fn assert_secrets_stay_hidden(backend: Backend) {
    let written = CapturedTrace::default();
    let subscriber = fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(written.clone());
    // The test and the engine's tasks all execute on this thread.
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let host = Host::build(backend, |builder| {
        with_node(builder, &seen).secret_key(key(7))
    })
    .await;
    store_secrets(&host).await;
    let params = json!({"code": PARAM});
    let fine = run_with(&host, "fine", &params).await;
    let fails = run_with(&host, "fails", &params).await;
    let (backfill, again) = backfill(&host).await;
    let extra = json!({"token": TOKEN}).to_string();
    assert_eq!(*seen.lock(), [PASSWORD, &extra, TOKEN, VARIABLE, PARAM]);

    let text = collect_responses(&host, &[fine, fails, again], &backfill).await;
    for shown in ["with ***", "refused: ***", "\"drift\"", "variable:TOKEN"] {
        assert!(text.contains(shown), "{shown} is missing: {text}");
    }
    assert_hidden("a response", text.as_bytes());
    let events = all_events(&host.faults).await;
    assert!(events.len() > 10);
    assert_hidden("an event", format!("{events:?}").as_bytes());
    let mut stream = open(&host.service, "/api/ws?since=0").await;
    let streamed = format!("{:?}", stream.events(events.len()).await);
    assert!(streamed.contains("with ***"), "{streamed}");
    assert_hidden("a stream", streamed.as_bytes());
    let traced = written.text();
    assert_hidden("what was traced", traced.as_bytes());
    assert!(traced.contains("called"));
    assert_files_hidden(&host);
}

/// Asserts that no file of the open store exposes a secret: the database, its WAL and its shared
/// memory.
fn assert_files_hidden(host: &Host) {
    let mut count = 0;
    for entry in std::fs::read_dir(host.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_hidden(&path.display().to_string(), &std::fs::read(&path).unwrap());
        count += 1;
    }
    let stored = std::fs::read(host.folder.path().join("runs.db-wal"));
    if let Ok(wal) = stored {
        // The search finds plain text.
        assert!(count >= 3 && wal.windows(9).any(|part| part == b"warehouse"));
    }
}

#[tokio::test]
async fn secrets_stay_hidden_in_memory() {
    assert_secrets_stay_hidden(Backend::Memory).await;
}

#[tokio::test]
async fn secrets_stay_hidden_in_sqlite() {
    assert_secrets_stay_hidden(Backend::Sqlite).await;
}

/// Restarts the host on its store and returns the error of a run of `fine`, if any.
async fn error_after_reopen(
    host: Host,
    build: impl FnOnce(Builder) -> Builder,
) -> (Host, Option<String>) {
    let Host {
        floret,
        folder,
        service,
        faults,
        ..
    } = host;
    floret.shutdown(std::time::Duration::ZERO).await.unwrap();
    drop((floret, service, faults));
    error_on(folder, build).await
}

/// Starts a host on a closed store and returns the error of a run of `fine`, if any.
async fn error_on(
    folder: Scratch,
    build: impl FnOnce(Builder) -> Builder,
) -> (Host, Option<String>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let host = Host::build_in(folder, Backend::Sqlite, |builder| {
        build(with_node(builder, &seen))
    })
    .await;
    let id = run(&host, "fine").await;
    let run = host.get(&format!("/api/runs/{id}")).await.json();
    let error = run["error"].as_str().map(str::to_owned);
    assert_eq!(seen.lock().is_empty(), error.is_some(), "{run}");
    (host, error)
}

#[tokio::test]
async fn a_wrong_key_is_reported_and_an_old_key_still_reads() {
    let host = Host::build(Backend::Sqlite, |builder| {
        with_hooks(builder).secret_key(key(7))
    })
    .await;
    store_secrets(&host).await;
    let (host, error) = error_after_reopen(host, |builder| builder.secret_key(key(8))).await;
    let error = error.unwrap();
    assert!(
        error.contains("sealed with a key that is not configured"),
        "{error}"
    );
    let (host, error) = error_after_reopen(host, |builder| builder).await;
    let error = error.unwrap();
    assert!(error.contains("no encryption key is configured"), "{error}");
    let both = |builder: Builder| builder.secret_key(key(8)).old_secret_key(key(7));
    let (host, error) = error_after_reopen(host, both).await;
    assert_eq!(error, None);

    // Saving again seals a secret under the current key.
    for (path, body) in [
        (
            "/api/connections/warehouse",
            json!({"type": "x", "password": PASSWORD, "extra": {"token": TOKEN}}),
        ),
        (
            "/api/variables/TOKEN",
            json!({"value": VARIABLE, "type": "secret"}),
        ),
    ] {
        let put = host.send(request(Method::PUT, path, Some(&body))).await;
        assert_eq!(put.status, 200, "{put:?}");
    }
    let (_host, error) = error_after_reopen(host, |builder| builder.secret_key(key(8))).await;
    assert_eq!(error, None);
}

#[tokio::test]
async fn swapped_secrets_in_the_file_are_refused() {
    let host = Host::build(Backend::Sqlite, |builder| {
        with_hooks(builder).secret_key(key(7))
    })
    .await;
    store_secrets(&host).await;
    let other = json!({"conn_id": "other", "type": "x", "password": "another"});
    host.post("/api/connections", Some(&other)).await;
    let path = host.folder.path().join("runs.db");
    let (host, error) = error_after_reopen(host, |builder| builder.secret_key(key(7))).await;
    assert_eq!(error, None);
    let swap = "UPDATE connections SET password = (SELECT password FROM connections WHERE id = 'other') WHERE id = 'warehouse'";
    rusqlite::Connection::open(path)
        .unwrap()
        .execute(swap, [])
        .unwrap();
    let (_host, error) = error_after_reopen(host, |builder| builder.secret_key(key(7))).await;
    let error = error.unwrap();
    let text = "the password of the connection warehouse cannot be opened";
    assert!(error.contains(text), "{error}");
}

/// A service that fails a call and exposes its secret in the readiness error that follows, as a
/// buffer does after its service is gone.
#[derive(Clone, Default)]
struct Gone(Arc<Mutex<Option<String>>>);

impl Service<NodeCall> for Gone {
    type Response = Output;
    type Error = BoxError;
    type Future = Ready<Result<Output, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let error = self.0.lock().take();
        Poll::Ready(error.map_or(Ok(()), |error| Err(error.into())))
    }

    fn call(&mut self, call: NodeCall) -> Self::Future {
        let token = call.ctx.node.config["token"].as_str().unwrap();
        *self.0.lock() = Some(format!("refused: {token}"));
        ready(Err("gone".into()))
    }
}

#[tokio::test]
async fn a_readiness_error_exposes_no_secret() {
    let build = |builder: Builder| {
        let builder = with_hooks(builder).secret_key(key(7));
        builder.node_service("leaky", Gone::default())
    };
    let host = Host::build(Backend::Memory, build).await;
    store_secrets(&host).await;
    let id = run(&host, "fails").await;
    let run = host.get(&format!("/api/runs/{id}")).await.json();
    assert_eq!(run["error"], "node leaky: refused: ***");
}
