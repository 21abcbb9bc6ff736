//! Secret parameters: given once, sealed in the store, masked in every answer, and read by the
//! nodes of the run and of those that repeat it.
//!
//! `canaries` searches everything that a host writes.

use std::sync::Arc;
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::{Access, Builder, RunId, RunStatus, SecretKey};
use http::Method as Verb;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::harness::{Host, Store, World};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    a_node_reads_a_secret_that_no_answer_shows,
    a_repeated_run_has_the_secret_of_its_run,
    a_backfill_and_its_rerun_have_the_secret,
    a_secret_needs_the_key_of_the_host,
    a_repeated_request_has_the_same_secret,
    a_secret_outlives_the_definition_that_made_it_secret,
    a_dry_run_hides_a_secret,
}

pub(crate) const FIRST: &str = "hunter2-47211853";
pub(crate) const SECOND: &str = "hunter2-47221853";
pub(crate) const MASK: &str = "********";

/// What the nodes have read: the parameter, and the config that names it.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes([byte; 32])
}

async fn read(ctx: Ctx, seen: Seen) -> Result<Vec<Value>, ExecutorError> {
    let token = ctx.param("token").unwrap_or("none").to_owned();
    let header = ctx.node.config["header"].as_str().unwrap().to_owned();
    ctx.log.info(format!("{ctx:?} read {token}")).await;
    seen.lock().push((token.clone(), header));
    match ctx.node.config.contains_key("fail") {
        true => Err(ExecutorError::permanent(format!("refused {token}"))),
        false => Ok(vec![json!({"row": token})]),
    }
}

fn with_node(builder: Builder, seen: &Seen) -> Builder {
    let seen = Arc::clone(seen);
    builder.node("read", move |ctx: Ctx| read(ctx, Arc::clone(&seen)))
}

pub(crate) struct Secrets {
    pub(crate) world: World,
    seen: Seen,
}

impl Secrets {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            world: World::quiet(store),
            seen: Seen::default(),
        }
    }

    pub(crate) async fn start(&self, byte: Option<u8>) -> Host {
        let build = |builder| {
            let builder = with_node(builder, &self.seen);
            match byte {
                Some(byte) => builder.secret_key(key(byte)),
                None => builder,
            }
        };
        self.world.start_with(build).await
    }

    /// Asserts what the nodes have read since the last call.
    #[track_caller]
    pub(crate) fn assert_read(&self, expected: &[&str]) {
        let seen = std::mem::take(&mut *self.seen.lock());
        let pairs = expected.iter();
        let pairs: Vec<_> = pairs
            .map(|token| ((*token).to_owned(), format!("Bearer {token}")))
            .collect();
        assert_eq!(seen, pairs);
    }
}

pub(crate) fn definition(fail: bool) -> Value {
    let mut config = json!({"header": "Bearer ${param.token}"});
    if fail {
        config["fail"] = json!(true);
    }
    json!({
        "id": "p", "name": "p", "nodes": [{"id": "a", "type": "read", "config": config}],
        "param_defs": [{"name": "token", "type": "string", "min": 8, "secret": true}],
    })
}

pub(crate) async fn ask(
    host: &Host,
    method: Verb,
    path: &str,
    body: Option<&Value>,
) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    let answer = send(&service, request(method, path, body)).await;
    let text = String::from_utf8_lossy(&answer.body);
    for hidden in ["47211853", "47221853", "\"sealed\""] {
        assert!(!text.contains(hidden), "{path}: {text}");
    }
    answer
}

pub(crate) async fn save(host: &Host, fail: bool) {
    let body = definition(fail);
    let answer = ask(host, Verb::PUT, "/api/pipelines/p", Some(&body)).await;
    if answer.status == 404 {
        let created = ask(host, Verb::POST, "/api/pipelines", Some(&body)).await;
        assert_eq!(created.status, 201, "{created:?}");
    }
}

pub(crate) async fn post(host: &Host, path: &str, body: &Value) -> TestResponse {
    ask(host, Verb::POST, path, Some(body)).await
}

pub(crate) fn with_token(token: &str) -> Value {
    json!({"params": {"token": token}})
}

/// Starts a run by a request, waits for its end, and returns its id.
pub(crate) async fn run(host: &Host, path: &str, body: &Value) -> String {
    let created = post(host, path, body).await;
    assert!(created.status.is_success(), "{created:?}");
    let created = created.json();
    let id = created["run_id"].as_str().or(created["id"].as_str());
    let id = id.unwrap().to_owned();
    let run: RunId = id.parse().unwrap();
    host.floret.run_by_id(run).finished().await.unwrap();
    id
}

#[track_caller]
pub(crate) fn assert_pointer(refused: &TestResponse, pointer: &str, part: &str) {
    let issue = &refused.json()["errors"][0];
    assert_eq!(issue["pointer"], pointer, "{refused:?}");
    assert!(issue["detail"].as_str().unwrap().contains(part), "{issue}");
}

async fn a_node_reads_a_secret_that_no_answer_shows(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(Some(7)).await;
    save(&host, false).await;
    let id = run(&host, "/api/pipelines/p/run", &with_token(FIRST)).await;
    secrets.assert_read(&[FIRST]);
    let shown = ask(&host, Verb::GET, &format!("/api/runs/{id}"), None)
        .await
        .json();
    assert_eq!(shown["params"]["token"], MASK);
    for part in ["", "/logs", "/events", "/nodes/a/preview", "/attempts"] {
        ask(&host, Verb::GET, &format!("/api/runs/{id}{part}"), None).await;
    }
    let logs = ask(&host, Verb::GET, &format!("/api/runs/{id}/logs"), None).await;
    assert!(logs.text().contains("read ***"), "{logs:?}");
    // In Rust, a run has the mask as well, and its `Debug` shows no sealed bytes.
    let detail = host.find(id.parse().unwrap()).await;
    assert_eq!(detail.run.params["token"], MASK);
    assert!(format!("{detail:?}").contains("\"token\": \"***\""));
    // A mask, a misfit and a misspelled name reveal nothing and store nothing.
    for (body, pointer, part) in [
        (
            with_token(MASK),
            "/params/token",
            "stands for a stored value",
        ),
        (
            with_token("short"),
            "/params/token",
            "its value is secret and not shown",
        ),
        (
            json!({"params": {"tokn": FIRST}}),
            "/params/tokn",
            "did you mean \"token\"?",
        ),
    ] {
        let refused = post(&host, "/api/pipelines/p/run", &body).await;
        refused.assert_problem(422, "param-invalid");
        assert_pointer(&refused, pointer, part);
    }
    // A run without it has none.
    run(&host, "/api/pipelines/p/run", &json!({"params": {}})).await;
    assert_eq!(secrets.seen.lock().len(), 0, "its template has no value");
}

async fn a_repeated_run_has_the_secret_of_its_run(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(Some(7)).await;
    save(&host, true).await;
    let first = run(&host, "/api/pipelines/p/run", &with_token(FIRST)).await;
    secrets.assert_read(&[FIRST]);
    let path = |action: &str| format!("/api/runs/{first}/{action}");
    for (body, expected) in [
        (json!({}), FIRST),
        (with_token(MASK), FIRST),
        (with_token(SECOND), SECOND),
        (json!({"params": {"date": "2024-01-01"}}), FIRST),
    ] {
        run(&host, &path("rerun"), &body).await;
        secrets.assert_read(&[expected]);
    }
    let resumed = run(&host, &path("resume"), &json!({})).await;
    secrets.assert_read(&[FIRST]);
    let resumed = run(
        &host,
        &format!("/api/runs/{resumed}/resume"),
        &with_token(SECOND),
    )
    .await;
    secrets.assert_read(&[SECOND]);
    let current = json!({"definition": "current", "params": {"token": MASK}});
    run(&host, &format!("/api/runs/{resumed}/resume"), &current).await;
    secrets.assert_read(&[SECOND]);
}

async fn a_backfill_and_its_rerun_have_the_secret(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(Some(7)).await;
    save(&host, true).await;
    let mut body = with_token(FIRST);
    (body["start_date"], body["end_date"]) = (json!("2024-01-01"), json!("2024-01-02"));
    let path = "/api/pipelines/p/backfill";
    let mut preview = body.clone();
    preview["preview"] = json!(true);
    let preview = post(&host, path, &preview).await;
    assert!(preview.status.is_success(), "{preview:?}");
    let created = post(&host, path, &body).await.json();
    let mut backfill = Value::Null;
    for id in created.as_array().unwrap() {
        let id: RunId = id.as_str().unwrap().parse().unwrap();
        let run = host.floret.run_by_id(id).finished().await.unwrap().run;
        assert_eq!(run.params["token"], MASK);
        backfill = json!(run.backfill_id.unwrap().to_string());
    }
    secrets.assert_read(&[FIRST, FIRST]);
    let path = format!("/api/backfills/{}/rerun", backfill.as_str().unwrap());
    let again = post(&host, &path, &json!({})).await;
    assert!(again.status.is_success(), "{again:?}");
    for run in host.runs().await {
        host.floret.run_by_id(run.id).finished().await.unwrap();
    }
    secrets.assert_read(&[FIRST, FIRST]);
}

async fn a_secret_needs_the_key_of_the_host(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(None).await;
    save(&host, false).await;
    let refused = post(&host, "/api/pipelines/p/run", &with_token(FIRST)).await;
    refused.assert_problem(409, "encryption-key-missing");
    assert!(host.runs().await.is_empty());
    host.stop().await;
    let host = secrets.start(Some(7)).await;
    let first = run(&host, "/api/pipelines/p/run", &with_token(FIRST)).await;
    secrets.assert_read(&[FIRST]);
    let mut later = with_token(FIRST);
    later["run_after"] = json!("2024-01-15T07:00:00Z");
    let waiting = post(&host, "/api/pipelines/p/run", &later).await.json();
    host.stop().await;

    // While nothing sleeps: the run is due when the host starts.
    secrets.world.clock.advance(Duration::from_secs(2 * 3_600));
    let host = secrets.start(Some(8)).await;
    let waiting: RunId = waiting["id"].as_str().unwrap().parse().unwrap();
    let failed = host.floret.run_by_id(waiting).finished().await.unwrap();
    let error = failed.nodes[0].error.clone().unwrap();
    let expected = "the parameter \"token\" cannot be opened: it was sealed with a key that is not";
    assert!(error.starts_with(expected), "{error}");
    for path in [
        format!("/api/runs/{first}/rerun"),
        format!("/api/runs/{waiting}/resume"),
    ] {
        let refused = post(&host, &path, &json!({})).await;
        refused.assert_problem(422, "param-invalid");
        assert_pointer(&refused, "/params/token", "give it a value again");
        run(&host, &path, &with_token(SECOND)).await;
        secrets.assert_read(&[SECOND]);
    }
}

async fn a_repeated_request_has_the_same_secret(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(Some(7)).await;
    save(&host, false).await;
    let service = host.floret.service(Access::allow_all());
    let ask = async |token: &str| {
        let mut ask = request(Verb::POST, "/api/pipelines/p/run", Some(&with_token(token)));
        let headers = ask.headers_mut();
        headers.insert("idempotency-key", "once".parse().unwrap());
        send(&service, ask).await
    };
    let first = ask(FIRST).await.json();
    assert_eq!(ask(FIRST).await.json()["id"], first["id"]);
    ask(SECOND)
        .await
        .assert_problem(422, "idempotency-key-reused");
    assert_eq!(host.runs().await.len(), 1);
}

async fn a_secret_outlives_the_definition_that_made_it_secret(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(Some(7)).await;
    save(&host, false).await;
    let first = run(&host, "/api/pipelines/p/run", &with_token(FIRST)).await;
    let mut plain = definition(false);
    plain["param_defs"][0]["secret"] = json!(false);
    let saved = ask(&host, Verb::PUT, "/api/pipelines/p", Some(&plain)).await;
    assert_eq!(saved.status, 200, "{saved:?}");
    let current = json!({"definition": "current"});
    let again = run(&host, &format!("/api/runs/{first}/rerun"), &current).await;
    secrets.assert_read(&[FIRST, FIRST]);
    let detail = host.find(again.parse().unwrap()).await;
    assert_eq!(detail.run.status, RunStatus::Success);
    assert_eq!(detail.run.params["token"], MASK);
}

async fn a_dry_run_hides_a_secret(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(Some(7)).await;
    save(&host, false).await;
    let path = "/api/pipelines/p/dry-run";
    let answer = post(&host, path, &with_token(FIRST)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text().contains("***"), "{answer:?}");
    secrets.assert_read(&[FIRST]);
}
