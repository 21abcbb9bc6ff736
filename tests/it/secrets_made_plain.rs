//! Secret parameters whose definition changes: what was secret is shown nowhere, and what is secret
//! now is stored nowhere as it is.
//!
//! `secret_params` covers those of one definition.

use floret::{Access, RunId};
use http::Method as Verb;
use serde_json::{Value, json};

use crate::harness::{Host, Store};
use crate::secret_params::{
    FIRST, MASK, SECOND, Secrets, ask, assert_pointer, definition, post, run, save, with_token,
};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    a_refusal_does_not_show_what_was_secret,
    a_key_never_has_what_was_secret,
    a_parameter_is_secret_if_the_current_definition_says_so,
    a_request_without_a_secret_repeats_whatever_changes,
}

/// Replaces the definition of the parameter.
async fn define(host: &Host, param_def: Value) {
    let mut body = definition(true);
    body["param_defs"] = json!([param_def]);
    let saved = ask(host, Verb::PUT, "/api/pipelines/p", Some(&body)).await;
    assert_eq!(saved.status, 200, "{saved:?}");
}

/// Starts a backfill of two dates, waits for its end, and returns its id.
async fn backfill(host: &Host) -> String {
    let mut body = with_token(FIRST);
    (body["start_date"], body["end_date"]) = (json!("2024-01-01"), json!("2024-01-02"));
    let created = post(host, "/api/pipelines/p/backfill", &body).await.json();
    let mut id = String::new();
    for run in created.as_array().unwrap() {
        let run: RunId = run.as_str().unwrap().parse().unwrap();
        let run = host.floret.run_by_id(run).finished().await.unwrap().run;
        id = run.backfill_id.unwrap().to_string();
    }
    id
}

async fn a_refusal_does_not_show_what_was_secret(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(Some(7)).await;
    save(&host, true).await;
    let first = run(&host, "/api/pipelines/p/run", &with_token(FIRST)).await;
    let backfill = backfill(&host).await;
    let run_count = host.runs().await.len();
    for param_def in [
        json!({"name": "token", "type": "integer"}),
        json!({"name": "token", "type": "date"}),
        json!({"name": "token", "type": "enum", "values": ["hunter2-47211854", "b"]}),
        json!({"name": "token", "type": "string", "pattern": "[a-z]+"}),
        json!({"name": "token", "type": "string", "max": 3}),
        json!({"name": "token", "type": "string", "max": 3, "secret": true}),
    ] {
        define(&host, param_def).await;
        for params in [json!({}), json!({"token": MASK})] {
            for (action, preview) in [("rerun", false), ("resume", false), ("resume", true)] {
                let mut body = json!({"definition": "current", "params": params});
                if preview {
                    body["preview"] = json!(true);
                }
                let path = format!("/api/runs/{first}/{action}");
                let refused = post(&host, &path, &body).await;
                refused.assert_problem(422, "param-invalid");
                let text = refused.text();
                assert!(text.contains("its value is secret and not shown"), "{text}");
                assert!(!text.contains("did you mean"), "{text}");
            }
        }
        let path = format!("/api/backfills/{backfill}/rerun");
        let refused = post(&host, &path, &json!({})).await;
        refused.assert_problem(422, "param-invalid");
        assert_pointer(&refused, "/params/token", "its value is secret");
    }
    assert_eq!(host.runs().await.len(), run_count);
}

async fn a_key_never_has_what_was_secret(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(Some(7)).await;
    save(&host, true).await;
    let first = run(&host, "/api/pipelines/p/run", &with_token(FIRST)).await;
    let mut keyed = definition(true);
    keyed["param_defs"][0]["secret"] = json!(false);
    keyed["concurrency"] = json!({"key": "k-${param.token}"});
    let saved = ask(&host, Verb::PUT, "/api/pipelines/p", Some(&keyed)).await;
    assert_eq!(saved.status, 200, "{saved:?}");
    for action in ["rerun", "resume"] {
        let path = format!("/api/runs/{first}/{action}");
        let refused = post(&host, &path, &json!({"definition": "current"})).await;
        refused.assert_problem(422, "param-invalid");
        assert_pointer(
            &refused,
            "/params/token",
            "the concurrency key would show it",
        );
    }
    let body = json!({"definition": "current", "params": {"token": "everyone"}});
    let again = run(&host, &format!("/api/runs/{first}/rerun"), &body).await;
    let again = host.find(again.parse().unwrap()).await.run;
    assert_eq!(again.concurrency.unwrap().key, "k-everyone");
}

async fn a_parameter_is_secret_if_the_current_definition_says_so(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(Some(7)).await;
    save(&host, true).await;
    define(&host, json!({"name": "token", "type": "string"})).await;
    let cases = [
        ("rerun", json!({}), "everyone"),
        ("rerun", with_token(SECOND), SECOND),
        ("resume", json!({}), "everyone"),
        ("resume", with_token(SECOND), SECOND),
    ];
    let mut runs = Vec::new();
    for _ in &cases {
        runs.push(run(&host, "/api/pipelines/p/run", &with_token("everyone")).await);
    }
    secrets.assert_read(&["everyone"; 4]);
    save(&host, true).await;
    for ((action, body, read), first) in cases.iter().zip(runs) {
        let again = run(&host, &format!("/api/runs/{first}/{action}"), body).await;
        let again = host.find(again.parse().unwrap()).await.run;
        assert_eq!(again.params["token"], MASK, "{action} {body}");
        assert_eq!(again.pipeline_version, 2);
        secrets.assert_read(&[read]);
    }
}

async fn a_request_without_a_secret_repeats_whatever_changes(store: Store) {
    let secrets = Secrets::new(store);
    let host = secrets.start(Some(7)).await;
    save(&host, true).await;
    define(&host, json!({"name": "token", "type": "string"})).await;
    let (plain, other) = (json!({"params": {}, "note": "x"}), with_token("everyone"));
    let first = repeat(&host, "plain", &plain).await.json();
    repeat(&host, "other", &other).await;
    save(&host, true).await;
    assert_eq!(
        repeat(&host, "plain", &plain).await.json()["id"],
        first["id"]
    );
    repeat(&host, "other", &other)
        .await
        .assert_problem(422, "idempotency-key-reused");
    host.stop().await;
    let host = secrets.start(Some(8)).await;
    assert_eq!(
        repeat(&host, "plain", &plain).await.json()["id"],
        first["id"]
    );
}

async fn repeat(host: &Host, key: &str, body: &Value) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    let mut ask = request(Verb::POST, "/api/pipelines/p/run", Some(body));
    ask.headers_mut()
        .insert("idempotency-key", key.parse().unwrap());
    send(&service, ask).await
}
