//! The secrets of hooks: sealed in every version, masked in every answer, and used to sign.
//!
//! `hooks` has the calls, `canaries` searches everything that a host writes.

use std::time::Duration;

use floret::notifier::HookPolicy;
use floret::{
    Access, Builder, DeliveryState, Hook, IssueLocation, Pipeline, Problem, RunId, SecretKey,
};
use http::Method as Verb;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::harness::{Host, Received, Receiver, Store, World, chain, with_timeout};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    a_secret_signs_and_is_never_shown,
    a_mask_keeps_the_secret,
    a_rollback_brings_back_the_secret_of_its_version,
    without_a_key_no_secret_is_stored,
    a_secret_that_is_saved_again_is_no_change,
    a_mask_and_a_new_secret_do_not_race,
    the_secrets_of_the_code_are_sealed_and_outlast_a_restart,
    a_secret_that_no_key_opens_is_a_dead_letter,
    only_a_caller_gives_secrets,
}

const FIRST: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SECOND: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const MASK: &str = "********";

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes([byte; 32])
}

fn with_key(builder: Builder) -> Builder {
    with_policy(builder).secret_key(key(7))
}

fn with_policy(builder: Builder) -> Builder {
    builder.hooks(HookPolicy::default().allow_http().allow_private())
}

fn world(store: Store) -> World {
    let mut world = World::quiet(store);
    world.limits.notifier_timeout = Duration::from_secs(400 * 24 * 3_600);
    world.limits.notifier_linger = Duration::ZERO;
    world
}

fn definition(port: u16, secret: Value) -> Value {
    let mut hook = json!({"type": "webhook", "url": format!("http://127.0.0.1:{port}/p")});
    if !secret.is_null() {
        hook["secret"] = secret;
    }
    json!({
        "id": "p", "name": "p", "nodes": [{"id": "a", "type": "step"}],
        "hooks": {"on_success": hook},
    })
}

async fn ask(host: &Host, method: Verb, path: &str, body: Option<&Value>) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    let answer = send(&service, request(method, path, body)).await;
    let text = String::from_utf8_lossy(&answer.body);
    for hidden in [FIRST, SECOND, "sealed:"] {
        assert!(!text.contains(hidden), "{path}: {text}");
    }
    answer
}

async fn create(host: &Host, port: u16, secret: Value) -> TestResponse {
    let body = definition(port, secret);
    ask(host, Verb::POST, "/api/pipelines", Some(&body)).await
}

async fn put(host: &Host, port: u16, secret: Value) -> TestResponse {
    let body = definition(port, secret);
    ask(host, Verb::PUT, "/api/pipelines/p", Some(&body)).await
}

#[track_caller]
fn assert_signed(received: &Received, secret: &str) {
    let header = |name| received.headers[name].to_str().unwrap();
    // The clock of the world is not that of a verifier, so the signature is compared.
    let at = header("webhook-timestamp").parse().unwrap();
    let signer = Webhook::new(secret).unwrap();
    let expected = signer.sign(header("webhook-id"), at, received.text.as_bytes());
    assert_eq!(header("webhook-signature"), expected.unwrap());
}

/// Runs the pipeline and returns the request that its end has sent, the one of this number.
async fn run(host: &Host, receiver: &Receiver, count: usize) -> Received {
    let id: RunId = host.run("p").await.run.id;
    let received = receiver.received(count).await.pop().unwrap();
    assert_eq!(received.body()["data"]["run_id"], id.to_string());
    received
}

async fn a_secret_signs_and_is_never_shown(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_key).await;
    let created = create(&host, port, json!(FIRST)).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.json()["hooks"]["on_success"]["secret"], MASK);
    assert_signed(&run(&host, &receiver, 1).await, FIRST);
    for path in [
        "/api/pipelines/p",
        "/api/pipelines",
        "/api/pipelines/p/versions/1",
        "/api/pipelines/p/validate",
        "/api/lineage",
        "/api/search?q=p",
        "/api/runs",
    ] {
        assert_eq!(
            ask(&host, Verb::GET, path, None).await.status,
            200,
            "{path}"
        );
    }
    let found = host.floret.pipelines().get("p").await.unwrap();
    let hooks = serde_json::to_value(&found.definition.hooks).unwrap();
    assert_eq!(hooks["on_success"]["secret"], MASK);
    let listed = host.floret.pipelines().await.unwrap().items;
    let shown = serde_json::to_value(&listed[0].definition.hooks).unwrap();
    assert_eq!(shown, hooks);
}

async fn a_mask_keeps_the_secret(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_key).await;
    create(&host, port, json!(MASK))
        .await
        .assert_problem(422, "invalid-field");
    assert_eq!(create(&host, port, json!(FIRST)).await.status, 201);
    let same = put(&host, port, json!(MASK)).await.json();
    assert_eq!(
        (&same["version"], &same["hooks"]["on_success"]["secret"]),
        (&json!(1), &json!(MASK))
    );
    assert_signed(&run(&host, &receiver, 1).await, FIRST);
    // A definition that was found in Rust keeps it, too.
    let found = host.floret.pipelines().get("p").await.unwrap();
    let found = (*found.definition).clone().description("new");
    host.floret.pipelines().put(found).await.unwrap();
    assert_signed(&run(&host, &receiver, 2).await, FIRST);
    let replaced = put(&host, port, json!(SECOND)).await.json();
    assert_eq!(replaced["version"], 3);
    assert_signed(&run(&host, &receiver, 3).await, SECOND);
    assert_eq!(put(&host, port, Value::Null).await.json()["version"], 4);
    let unsigned = run(&host, &receiver, 4).await;
    assert!(!unsigned.headers.contains_key("webhook-signature"));
    // It stands for no secret any more, and never for that of another hook.
    let refused = put(&host, port, json!(MASK)).await;
    refused.assert_problem(422, "invalid-field");
    assert_eq!(
        refused.json()["errors"][0]["pointer"],
        "/hooks/on_success/secret"
    );
}

async fn a_rollback_brings_back_the_secret_of_its_version(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_key).await;
    assert_eq!(create(&host, port, json!(FIRST)).await.status, 201);
    assert_eq!(put(&host, port, json!(SECOND)).await.status, 200);
    assert_signed(&run(&host, &receiver, 1).await, SECOND);
    let back = json!({"version": 1});
    let path = "/api/pipelines/p/rollback";
    let rolled = ask(&host, Verb::POST, path, Some(&back)).await;
    assert_eq!(
        (rolled.status.as_u16(), &rolled.json()["version"]),
        (200, &json!(3))
    );
    assert_signed(&run(&host, &receiver, 2).await, FIRST);
    let path = "/api/pipelines/p/versions/1/diff/2";
    let difference = ask(&host, Verb::GET, path, None).await;
    assert_eq!(difference.json(), json!([]), "a secret is in no comparison");
}

async fn without_a_key_no_secret_is_stored(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_policy).await;
    create(&host, port, json!(FIRST))
        .await
        .assert_problem(409, "encryption-key-missing");
    // What is wrong with the definition comes first.
    create(&host, port, json!("hunter2"))
        .await
        .assert_problem(422, "invalid-field");
    assert_eq!(create(&host, port, Value::Null).await.status, 201);
    run(&host, &receiver, 1).await;
    host.stop().await;
    let secret = Hook::webhook("http://127.0.0.1/").secret(FIRST);
    let coded = world.pipeline(chain("q", &["a"]).on_start(secret));
    let storage = coded.store.open().await;
    let refused = coded.try_start_on(storage, with_policy).await.unwrap_err();
    assert_eq!(refused.problem(), Problem::EncryptionKeyMissing);
}

async fn a_secret_that_is_saved_again_is_no_change(store: Store) {
    let (_receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_key).await;
    assert_eq!(create(&host, port, json!(FIRST)).await.status, 201);
    assert_eq!(put(&host, port, json!(FIRST)).await.json()["version"], 1);
}

/// A save with a mask keeps the secret that is stored when it is written.
async fn a_mask_and_a_new_secret_do_not_race(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_key).await;
    assert_eq!(create(&host, port, json!(FIRST)).await.status, 201);
    let gate = floret::testing::Gate::new();
    host.storage
        .hold(floret::testing::Method::PutPipeline, &gate);
    let masked = put(&host, port, json!(MASK));
    let replaced = async {
        while host.storage.calls(floret::testing::Method::PutPipeline) < 2 {
            tokio::task::yield_now().await;
        }
        let pipelines = host.floret.pipelines();
        let path = format!("http://127.0.0.1:{port}/p");
        let own = Hook::webhook(path).secret(SECOND);
        let saved = pipelines.put(chain("p", &["a"]).on_success(own)).await;
        gate.open();
        saved
    };
    let (masked, replaced) = tokio::join!(masked, replaced);
    assert_eq!(replaced.unwrap().stored.version, 2);
    assert_eq!(masked.status, 200, "{masked:?}");
    assert_signed(&run(&host, &receiver, 1).await, SECOND);
}

async fn the_secrets_of_the_code_are_sealed_and_outlast_a_restart(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let coded = |secret: &str| -> Pipeline {
        let hook = Hook::webhook(format!("http://127.0.0.1:{port}/p")).secret(secret);
        chain("p", &["a"]).on_success(hook)
    };
    let mut world = world(store).pipeline(coded(FIRST));
    for start in 1..=2 {
        let host = world.start_with(with_key).await;
        assert_signed(&run(&host, &receiver, start).await, FIRST);
        let version = host.floret.pipelines().get("p").await.unwrap().version;
        assert_eq!(version, 1, "a start changes nothing");
        let shown = ask(&host, Verb::GET, "/api/pipelines/p", None).await.json();
        assert_eq!(shown["hooks"]["on_success"]["secret"], MASK);
        // A caller may save it as it is, and may not change it.
        let mut own = shown.clone();
        own["hooks"]["on_success"]["secret"] = json!(SECOND);
        for (body, status) in [(&shown, 200), (&own, 409)] {
            let saved = ask(&host, Verb::PUT, "/api/pipelines/p", Some(body)).await;
            assert_eq!(saved.status, status, "{saved:?}");
        }
        host.stop().await;
    }
    if let Store::Sqlite(folder) = &world.store {
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let plain = FIRST.as_bytes();
            assert!(!bytes.windows(plain.len()).any(|part| part == plain));
        }
    }
    world.pipelines = vec![coded(SECOND)];
    let host = world.start_with(with_key).await;
    assert_signed(&run(&host, &receiver, 3).await, SECOND);
}

async fn a_secret_that_no_key_opens_is_a_dead_letter(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_key).await;
    assert_eq!(create(&host, port, json!(FIRST)).await.status, 201);
    host.stop().await;
    let other = |builder: Builder| with_policy(builder).secret_key(key(8));
    let host = world.start_with(other).await;
    // Each answer about the definition says so.
    let report = ask(&host, Verb::GET, "/api/pipelines/p/validate", None).await;
    let kept = put(&host, port, json!(MASK)).await;
    for shown in [report.json(), kept.json()] {
        let warning = &shown["warnings"][0];
        assert_eq!(warning["pointer"], "/hooks/on_success/secret", "{shown}");
        let detail = warning["detail"].as_str().unwrap();
        assert!(detail.contains("cannot be opened"), "{detail}");
    }
    host.run("p").await;
    let dead = loop {
        let dead = host.floret.deliveries().state(DeliveryState::Dead).await;
        let dead = dead.unwrap().items;
        if !dead.is_empty() {
            break dead;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(receiver.arrived().len(), 0);
    host.stop().await;
    // The key that has sealed it opens it, though another one seals now.
    let both = |builder: Builder| other(builder).old_secret_key(key(7));
    let host = world.start_with(both).await;
    host.floret.deliveries().retry(&dead[0].id).await.unwrap();
    assert_signed(&receiver.received(1).await[0], FIRST);
}

async fn only_a_caller_gives_secrets(store: Store) {
    let (_receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_key).await;
    for secret in ["sealed:00", "", "whsec_", "whsec_hunter2", "whsec_MfKQ9r8="] {
        let refused = create(&host, port, json!(secret)).await;
        refused.assert_problem(422, "invalid-field");
        assert!(!refused.json().to_string().contains("hunter2"));
    }
    // Elsewhere, too, no refusal repeats one: `ask` looks for it.
    for misplaced in [
        json!({"hook": {"on_success": {"secret": FIRST}}}),
        json!({"id": format!("{FIRST} ")}),
        json!({"schedule": FIRST}),
        json!({"timeout": FIRST}),
        json!({"hooks": {"on_success": FIRST}}),
        json!({"hooks": {FIRST: {}}}),
        json!({"hooks": {"on_success": {"type": FIRST, "url": FIRST, FIRST: 1}}}),
        json!({"nodes": [{"id": format!("{FIRST} "), "type": FIRST}]}),
    ] {
        let mut body = definition(port, Value::Null);
        let fields = misplaced.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(fields);
        let refused = ask(&host, Verb::POST, "/api/pipelines", Some(&body)).await;
        assert_eq!(refused.status, 422, "{misplaced}");
    }
    let stored = r#"{"id": "p", "name": "p", "nodes": [{"id": "a", "type": "step", "name": "a"}],
        "hooks": {"on_start": {"type": "webhook", "url": "https://example.com", "secret": "S"}}}"#;
    for secret in ["sealed:00", MASK] {
        let pipeline: Pipeline =
            serde_json::from_str(&stored.replace("\"S\"", &json!(secret).to_string())).unwrap();
        let refused = host.floret.add_pipeline(pipeline).await.unwrap_err();
        let at = IssueLocation::Pointer("/hooks/on_start/secret".to_owned());
        assert_eq!(refused.issues()[0].location, at);
    }
}

/// Swaps the sealed secrets of the two definitions of a store.
fn swap_secrets(connection: &rusqlite::Connection) {
    let secret = |key: i64| -> String {
        let sql =
            "SELECT json_extract(body, '$.hooks.on_success.secret') FROM definitions WHERE key = ?";
        connection.query_row(sql, [key], |row| row.get(0)).unwrap()
    };
    let secrets = [(1, secret(2)), (2, secret(1))];
    for (key, secret) in secrets {
        let sql = "UPDATE definitions SET body = json_set(body, '$.hooks.on_success.secret', ?) WHERE key = ?";
        let changed = connection.execute(sql, (secret, key)).unwrap();
        assert_eq!(changed, 1);
    }
}

/// A secret belongs to its hook of its pipeline.
#[tokio::test]
async fn swapped_secrets_in_the_file_sign_nothing() {
    with_timeout("swapped secrets", Box::pin(swapped_secrets_sign_nothing())).await;
}

async fn swapped_secrets_sign_nothing() {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(Store::sqlite());
    let host = world.start_with(with_key).await;
    assert_eq!(create(&host, port, json!(FIRST)).await.status, 201);
    let mut other = definition(port, json!(SECOND));
    other["id"] = json!("q");
    other["name"] = json!("q");
    let created = ask(&host, Verb::POST, "/api/pipelines", Some(&other)).await;
    assert_eq!(created.status, 201, "{created:?}");
    host.stop().await;
    let Store::Sqlite(folder) = &world.store else {
        panic!("the world has a file");
    };
    let file = folder.path().join("floret.db");
    let connection = rusqlite::Connection::open(file).unwrap();
    swap_secrets(&connection);
    drop(connection);
    let host = world.start_with(with_key).await;
    for pipeline in ["p", "q"] {
        host.run(pipeline).await;
    }
    while host.floret.system().info().await.unwrap().dead_letters < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(receiver.arrived().len(), 0);
    host.stop().await;
    let builder = floret::Floret::builder(world.store.open().await);
    let found = with_key(builder)
        .executor("step", world.script.clone())
        .check()
        .await
        .unwrap();
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    let expected = |id| {
        format!(
            "pipeline {id}: the secret of the hook on_success cannot be opened: \
        the stored secret was changed or belongs to another field"
        )
    };
    assert_eq!(found.len(), 2);
    assert!(
        found.contains(&expected("p")) && found.contains(&expected("q")),
        "{found:?}"
    );
}
