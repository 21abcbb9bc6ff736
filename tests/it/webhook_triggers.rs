//! Webhooks that start runs: their tokens, what they may do, and what they reveal.
//!
//! The rules of storage are in the contract; `webhooks` sends events to others.

use floret::testing::Fault;
use floret::{Access, Pipeline, Problem, RunStatus, Trigger};
use http::{HeaderValue, Method as Verb};
use serde_json::{Value, json};

use crate::harness::{Host, Store, World, chain};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    the_token_starts_a_run,
    every_refusal_is_the_same,
    only_the_token_learns_what_is_wrong_with_a_request,
    a_made_token_is_shown_once,
    a_save_keeps_removes_or_replaces_a_token,
    a_rollback_keeps_the_token,
    a_repeat_with_a_key_starts_no_second_run,
    a_name_that_two_tenants_have_needs_the_tenant,
    a_read_only_service_has_no_webhooks,
    the_code_decides_on_its_tokens,
    a_token_outlasts_a_restart_and_is_stored_as_a_hash,
    a_storage_that_fails_is_no_refusal,
}

const STORED_EARLIER: &str = "a-text-that-was-stored-earlier";

const TOKEN: &str = "a-token-of-the-tests-17";

fn definition(token: Value) -> Value {
    let mut definition =
        json!({"id": "hook", "name": "Hook", "nodes": [{"id": "a", "type": "step"}]});
    if !token.is_null() {
        definition["webhook_token"] = token;
    }
    definition
}

async fn call(host: &Host, method: Verb, path: &str, body: Option<&Value>) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    send(&service, request(method, path, body)).await
}

async fn put(host: &Host, token: Value) -> TestResponse {
    let body = definition(token);
    call(host, Verb::PUT, "/api/pipelines/hook", Some(&body)).await
}

/// Calls a webhook of a service whose host knows no caller.
async fn knock_at(host: &Host, path: &str, token: &str, body: Option<&Value>) -> TestResponse {
    let service = host.floret.service(Access::from_extensions());
    let mut request = request(Verb::POST, path, body);
    let token = HeaderValue::from_str(token).unwrap();
    request.headers_mut().insert("x-floret-token", token);
    send(&service, request).await
}

async fn knock(host: &Host, token: &str) -> TestResponse {
    knock_at(host, "/api/pipelines/hook/webhook", token, None).await
}

/// Starts a host with the pipeline `hook`, whose webhook has the token.
async fn hooked(world: &World) -> Host {
    let host = world.start().await;
    let body = definition(json!(TOKEN));
    let created = call(&host, Verb::POST, "/api/pipelines", Some(&body)).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.json()["webhook_token"], "********");
    host
}

async fn the_token_starts_a_run(store: Store) {
    let world = World::quiet(store);
    let host = hooked(&world).await;
    let body = json!({"params": {"order": 17}, "labels": {"from": "shop"}});
    let path = "/api/pipelines/hook/webhook";
    let answer = knock_at(&host, path, TOKEN, Some(&body)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/api/runs/{id}"));
    let run = host.floret.run_by_id(id.parse().unwrap());
    let run = run.finished().await.unwrap().run;
    assert_eq!(
        (run.status, run.trigger),
        (RunStatus::Success, Trigger::Webhook)
    );
    assert_eq!((run.params["order"].as_str(), run.created_by), ("17", None));
    let listed = call(&host, Verb::GET, "/api/runs?trigger=webhook", None).await;
    assert_eq!(listed.json()[0]["labels"], json!({"from": "shop"}));
    let as_bearer = {
        let mut request = request(Verb::POST, path, None);
        let credential = HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap();
        request.headers_mut().insert("authorization", credential);
        let service = host.floret.service(Access::from_extensions());
        send(&service, request).await
    };
    assert_eq!(as_bearer.status, 202, "{as_bearer:?}");
}

async fn every_refusal_is_the_same(store: Store) {
    let world = World::quiet(store).pipeline(chain("closed", &["a"]));
    let host = hooked(&world).await;
    let mut refusals = Vec::new();
    for (pipeline, token) in [
        ("hook", "another-token-of-the-tests"),
        ("hook", &TOKEN[1..]),
        ("hook", "********"),
        ("closed", TOKEN),
        ("absent", TOKEN),
        ("no%20id", TOKEN),
        ("hook", ""),
    ] {
        let path = format!("/api/pipelines/{pipeline}/webhook");
        let answer = knock_at(&host, &path, token, None).await;
        answer.assert_problem(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        let mut problem = answer.json();
        problem["instance"].take();
        refusals.push(problem);
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(host.runs().await.is_empty());
}

async fn only_the_token_learns_what_is_wrong_with_a_request(store: Store) {
    let world = World::quiet(store);
    let host = hooked(&world).await;
    let path = "/api/pipelines/hook/webhook";
    let unknown = json!({"parms": {}});
    for (path, body, status, slug) in [
        (path, Some(&unknown), 422, "unknown-field"),
        (
            "/api/pipelines/hook/webhook?wait=1",
            None,
            400,
            "invalid-parameter",
        ),
        (
            "/api/pipelines/hook/webhook?token=x",
            None,
            400,
            "invalid-parameter",
        ),
    ] {
        let answer = knock_at(&host, path, TOKEN, body).await;
        answer.assert_problem(status, slug);
        let answer = knock_at(&host, path, "another-token-of-the-tests", body).await;
        answer.assert_problem(401, "unauthenticated");
    }
    let get = call(&host, Verb::GET, path, None).await;
    get.assert_problem(405, "method-not-allowed");
}

async fn a_made_token_is_shown_once(store: Store) {
    let world = World::quiet(store);
    let host = hooked(&world).await;
    let first = put(&host, json!("")).await.json()["webhook_token"].clone();
    let second = put(&host, json!("")).await.json()["webhook_token"].clone();
    let (first, second) = (first.as_str().unwrap(), second.as_str().unwrap());
    assert_eq!((first.len(), second.len()), (64, 64));
    assert_ne!(first, second);
    let shown = call(&host, Verb::GET, "/api/pipelines/hook", None).await;
    assert_eq!(shown.json()["webhook_token"], "********");
    knock(&host, first)
        .await
        .assert_problem(401, "unauthenticated");
    assert_eq!(knock(&host, second).await.status, 202);
    let stored = host.floret.pipelines().get("hook").await.unwrap();
    let own = (*stored.definition).clone();
    let saved = host
        .floret
        .pipelines()
        .put(own.webhook_token(""))
        .await
        .unwrap();
    let third = saved.webhook_token.unwrap();
    assert_eq!(
        format!("{third:?} {:?}", saved.stored.webhook_token),
        "*** Some(***)"
    );
    assert_eq!(knock(&host, third.as_str()).await.status, 202);
}

async fn a_save_keeps_removes_or_replaces_a_token(store: Store) {
    let world = World::quiet(store);
    let host = hooked(&world).await;
    let version = async || {
        let shown = call(&host, Verb::GET, "/api/pipelines/hook", None).await;
        (
            shown.json()["version"].clone(),
            shown.json()["webhook_token"].clone(),
        )
    };
    assert_eq!(put(&host, json!("********")).await.status, 200);
    assert_eq!(version().await, (json!(1), json!("********")));
    assert_eq!(knock(&host, TOKEN).await.status, 202);
    // A definition that was found in Rust keeps it, too.
    let found = host.floret.pipelines().get("hook").await.unwrap();
    let found = (*found.definition).clone().description("new");
    host.floret.pipelines().put(found).await.unwrap();
    assert_eq!(knock(&host, TOKEN).await.status, 202);
    let tag = call(&host, Verb::GET, "/api/pipelines/hook", None).await;
    assert_eq!(put(&host, Value::Null).await.status, 200);
    assert_eq!(version().await, (json!(3), Value::Null));
    knock(&host, TOKEN)
        .await
        .assert_problem(401, "unauthenticated");
    // A caller that has read the pipeline with its token does not overwrite the removal.
    let mut late = request(
        Verb::PUT,
        "/api/pipelines/hook",
        Some(&definition(json!(TOKEN))),
    );
    let tag = HeaderValue::from_str(tag.header("etag")).unwrap();
    late.headers_mut().insert("if-match", tag);
    let late = send(&host.floret.service(Access::allow_all()), late).await;
    late.assert_problem(412, "precondition-failed");
    put(&host, json!("********"))
        .await
        .assert_problem(422, "invalid-field");
    assert_eq!(
        put(&host, json!("a-second-token-of-tests")).await.status,
        200
    );
    knock(&host, TOKEN)
        .await
        .assert_problem(401, "unauthenticated");
    assert_eq!(knock(&host, "a-second-token-of-tests").await.status, 202);
    let path = "/api/pipelines/hook";
    while call(&host, Verb::DELETE, path, None).await.status != 204 {
        tokio::task::yield_now().await;
    }
    let body = definition(Value::Null);
    assert_eq!(
        call(&host, Verb::POST, "/api/pipelines", Some(&body))
            .await
            .status,
        201
    );
    knock(&host, "a-second-token-of-tests")
        .await
        .assert_problem(401, "unauthenticated");
}

async fn a_rollback_keeps_the_token(store: Store) {
    let world = World::quiet(store);
    let host = hooked(&world).await;
    let second = "a-second-token-of-tests";
    assert_eq!(put(&host, json!(second)).await.status, 200);
    let back = json!({"version": 1});
    let path = "/api/pipelines/hook/rollback";
    assert_eq!(call(&host, Verb::POST, path, Some(&back)).await.status, 200);
    knock(&host, TOKEN)
        .await
        .assert_problem(401, "unauthenticated");
    assert_eq!(knock(&host, second).await.status, 202);
    let path = "/api/pipelines/hook/versions/1/diff/2";
    let difference = call(&host, Verb::GET, path, None).await;
    assert_eq!(difference.json(), json!([]), "a token is in no comparison");
}

async fn a_repeat_with_a_key_starts_no_second_run(store: Store) {
    let world = World::quiet(store);
    let host = hooked(&world).await;
    let repeat = async || {
        let mut request = request(Verb::POST, "/api/pipelines/hook/webhook", None);
        for (name, value) in [("x-floret-token", TOKEN), ("idempotency-key", "order-17")] {
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        send(&host.floret.service(Access::from_extensions()), request).await
    };
    let (first, second) = (repeat().await, repeat().await);
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!(host.runs().await.len(), 1);
}

async fn a_name_that_two_tenants_have_needs_the_tenant(store: Store) {
    let world = World::quiet(store);
    let host = world.start().await;
    for (tenant, token) in [
        ("ann", "a-token-of-ann-0123"),
        ("ben", "a-token-of-ben-0123"),
    ] {
        let path = format!("/api/pipelines?tenant={tenant}");
        let body = definition(json!(token));
        assert_eq!(
            call(&host, Verb::POST, &path, Some(&body)).await.status,
            201
        );
    }
    let path = |query: &str| format!("/api/pipelines/hook/webhook{query}");
    for query in ["", "?tenant=ben", "?tenant=cy"] {
        let answer = knock_at(&host, &path(query), "a-token-of-ann-0123", None).await;
        answer.assert_problem(401, "unauthenticated");
    }
    let answer = knock_at(&host, &path("?tenant=ann"), "a-token-of-ann-0123", None).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["tenant"].clone()),
        (202, json!("ann"))
    );
}

async fn a_read_only_service_has_no_webhooks(store: Store) {
    let world = World::quiet(store);
    let host = hooked(&world).await;
    let mut request = request(Verb::POST, "/api/pipelines/hook/webhook", None);
    let token = HeaderValue::from_static(TOKEN);
    request.headers_mut().insert("x-floret-token", token);
    let answer = send(&host.floret.service(Access::read_only()), request).await;
    answer.assert_problem(403, "forbidden");
    assert!(host.runs().await.is_empty());
}

async fn the_code_decides_on_its_tokens(store: Store) {
    let coded = |token: &str| chain("hook", &["a"]).webhook_token(token);
    let mut world = World::quiet(store).pipeline(coded(TOKEN));
    let host = world.start().await;
    assert_eq!(knock(&host, TOKEN).await.status, 202);
    let mut own = call(&host, Verb::GET, "/api/pipelines/hook", None)
        .await
        .json();
    for (token, status) in [
        (json!("********"), 200),
        (json!(TOKEN), 200),
        (json!("a-token-of-an-operator"), 409),
        (json!(""), 409),
    ] {
        own["webhook_token"] = token;
        let saved = call(&host, Verb::PUT, "/api/pipelines/hook", Some(&own)).await;
        assert_eq!(saved.status, status, "{saved:?}");
    }
    let mut without = own.clone();
    without["enabled"] = json!(false);
    without.as_object_mut().unwrap().remove("webhook_token");
    let disabled = call(&host, Verb::PUT, "/api/pipelines/hook", Some(&without)).await;
    assert_eq!(disabled.json()["webhook_token"], "********");
    // Like any trigger by hand, a webhook starts runs of a disabled pipeline.
    assert_eq!(knock(&host, TOKEN).await.status, 202);
    host.stop().await;
    world.pipelines = vec![coded("a-second-token-of-tests")];
    let host = world.start().await;
    knock(&host, TOKEN)
        .await
        .assert_problem(401, "unauthenticated");
    assert_eq!(knock(&host, "a-second-token-of-tests").await.status, 202);
    let asking = host.floret.add_pipeline(coded("")).await.unwrap_err();
    assert_eq!(asking.problem(), Problem::InvalidField);
    let short: Pipeline = coded("short-secret");
    let refused = host.floret.add_pipeline(short).await.unwrap_err();
    assert!(refused.to_string().contains("16 to 255"), "{refused}");
    assert!(!refused.to_string().contains("short-secret"), "{refused}");
}

async fn a_token_outlasts_a_restart_and_is_stored_as_a_hash(store: Store) {
    let world = World::quiet(store);
    let host = hooked(&world).await;
    host.stop().await;
    if let Store::Sqlite(folder) = &world.store {
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let is_there = bytes
                .windows(TOKEN.len())
                .any(|part| part == TOKEN.as_bytes());
            assert!(!is_there);
        }
    }
    let host = world.start().await;
    assert_eq!(knock(&host, TOKEN).await.status, 202);
}

async fn a_storage_that_fails_is_no_refusal(store: Store) {
    let world = World::quiet(store);
    let host = hooked(&world).await;
    let fault = Fault::before(floret::testing::Method::FindPipeline, Problem::StorageBusy);
    host.storage.fail(fault);
    knock(&host, TOKEN)
        .await
        .assert_problem(503, "storage-busy");
    assert_eq!(knock(&host, TOKEN).await.status, 202);
}

/// Earlier versions kept `webhook_token` like every field that they did not know.
#[tokio::test]
async fn a_text_of_an_earlier_version_is_not_shown_and_starts_nothing() {
    for stored in [json!(STORED_EARLIER), json!({"secret": STORED_EARLIER})] {
        let world = World::quiet(Store::sqlite());
        let host = world.start().await;
        let body = definition(Value::Null);
        let created = call(&host, Verb::POST, "/api/pipelines", Some(&body)).await;
        assert_eq!(created.status, 201, "{created:?}");
        host.stop().await;
        let Store::Sqlite(folder) = &world.store else {
            panic!("the world has a file");
        };
        let connection = rusqlite::Connection::open(folder.path().join("floret.db")).unwrap();
        let sql = "UPDATE definitions SET body = json_set(body, '$.webhook_token', json(?))";
        assert_eq!(connection.execute(sql, [stored.to_string()]).unwrap(), 1);
        drop(connection);
        let host = world.start().await;
        for path in [
            "/api/pipelines/hook",
            "/api/pipelines",
            "/api/pipelines/hook/versions/1",
        ] {
            let shown = call(&host, Verb::GET, path, None).await;
            assert_eq!(shown.status, 200, "{shown:?}");
            let text = shown.json().to_string();
            assert!(!text.contains("webhook_token"), "{path}: {text}");
        }
        let refused = knock(&host, STORED_EARLIER).await;
        refused.assert_problem(401, "unauthenticated");
        assert_eq!(put(&host, json!(STORED_EARLIER)).await.status, 200);
        assert_eq!(knock(&host, STORED_EARLIER).await.status, 202);
    }
}
