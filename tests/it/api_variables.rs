//! Variables over HTTP, and their use in node configs.

use floret::testing::Step;
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Backend, Host, TestResponse, on_each_backend, request};

async fn put(host: &Host, path: &str, body: &Value) -> TestResponse {
    host.send(request(Method::PUT, path, Some(body))).await
}

async fn post(host: &Host, body: Value) -> TestResponse {
    host.post("/api/variables", Some(&body)).await
}

#[tokio::test]
async fn a_variable_is_created_read_replaced_and_deleted() {
    on_each_backend(async |host: &Host| {
        let body =
            json!({"key": "_BUCKET", "value": "s3://orders", "description": "bucket of the orders"});
        let created = post(host, body).await;
        assert_eq!(created.status, 201, "{created:?}");
        assert_eq!(created.header("location"), "/api/variables/_BUCKET");
        let shown = created.json();
        let expected = json!({
            "key": "_BUCKET",
            "value": "s3://orders",
            "type": "string",
            "description": "bucket of the orders",
            "created_at": shown["created_at"],
            "updated_at": shown["updated_at"],
        });
        assert_eq!(shown, expected);
        let path = "/api/variables/_BUCKET";
        assert_eq!(put(host, path, &shown).await.json(), shown);
        assert_eq!(host.get(path).await.json(), shown);
        assert_eq!(host.get("/api/variables").await.json(), json!([shown]));
        let page = host.get("/api/variables?per_page=1").await.json();
        assert_eq!(
            (&page["total"], &page["items"]),
            (&json!(1), &json!([shown]))
        );

        let secret = put(host, path, &json!({"value": "hunter2", "type": "secret"})).await;
        assert_eq!(secret.status, 200, "{secret:?}");
        let secret = secret.json();
        assert_eq!(
            (&secret["value"], &secret["type"]),
            (&json!("********"), &json!("secret"))
        );
        assert_eq!(put(host, path, &secret).await.json(), secret);

        let deleted = host.send(request(Method::DELETE, path, None)).await;
        assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
        host.get(path).await.assert_problem(404, "variable-not-found");
    })
    .await;
}

#[tokio::test]
async fn an_invalid_variable_is_refused() {
    on_each_backend(async |host: &Host| {
        for (body, slug) in [
            (json!({"key": "A"}), "invalid-field"),
            (json!({"value": "x"}), "invalid-field"),
            (json!({"key": "a b", "value": "x"}), "invalid-field"),
            (json!({"key": "A", "value": 5}), "invalid-field"),
            (json!({"key": "A", "value": null}), "invalid-field"),
            (
                json!({"key": "A", "value": "x", "type": "secrets"}),
                "invalid-field",
            ),
            (
                json!({"key": "A", "value": "********", "type": "secret"}),
                "invalid-field",
            ),
            (
                json!({"key": "A", "value": "x".repeat(65_537)}),
                "invalid-field",
            ),
            (
                json!({"key": "A", "value": "x", "vlaue": "y"}),
                "unknown-field",
            ),
        ] {
            let refused = post(host, body).await;
            refused.assert_problem(422, slug);
        }
        assert_eq!(
            post(host, json!({"key": "A", "value": ""})).await.status,
            201
        );
        post(host, json!({"key": "A", "value": ""}))
            .await
            .assert_problem(409, "already-exists");
        let other = json!({"key": "B", "value": ""});
        put(host, "/api/variables/A", &other)
            .await
            .assert_problem(400, "id-mismatch");
        for missing in ["missing", "a%20b"] {
            let path = format!("/api/variables/{missing}");
            put(host, &path, &json!(5))
                .await
                .assert_problem(404, "variable-not-found");
        }
    })
    .await;
}

#[tokio::test]
async fn a_masked_value_cannot_change_the_type_of_a_variable() {
    on_each_backend(async |host: &Host| {
        post(
            host,
            json!({"key": "A", "value": "hunter2", "type": "secret"}),
        )
        .await;
        post(host, json!({"key": "B", "value": "plain"})).await;
        for (path, kind) in [
            ("/api/variables/A", "string"),
            ("/api/variables/B", "secret"),
        ] {
            let refused = put(host, path, &json!({"value": "********", "type": kind})).await;
            refused.assert_problem(422, "invalid-field");
            assert_eq!(refused.json()["errors"][0]["pointer"], "/value");
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_key_no_secret_is_stored() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Host::build(backend, |builder| builder).await;
        let refused = post(
            &host,
            json!({"key": "A", "value": "hunter2", "type": "secret"}),
        )
        .await;
        refused.assert_problem(409, "encryption-key-missing");
        assert_eq!(
            post(&host, json!({"key": "A", "value": "plain"}))
                .await
                .status,
            201
        );
    }
}

#[tokio::test]
async fn a_config_resolves_variables_and_a_missing_one_fails_its_node() {
    on_each_backend(async |host: &Host| {
        post(host, json!({"key": "BUCKET", "value": "s3://orders"})).await;
        post(host, json!({"key": "TOKEN", "value": "hunter2", "type": "secret"})).await;
        let config = json!({"path": "${var.BUCKET}/x", "deep": [{"token": "${var.TOKEN}"}], "no": "$${var.NO}"});
        let nodes = json!([{"id": "a", "type": "any", "config": config}, {"id": "b", "type": "any"}]);
        let edges = json!([{"from": "a", "to": "b"}]);
        let pipeline = json!({"id": "p", "name": "p", "nodes": nodes, "edges": edges});
        assert_eq!(host.post("/api/pipelines", Some(&pipeline)).await.status, 201);
        host.executor.script("b", [Step::rows([json!({"x": 1})])]);
        let run = async || {
            let created = host.post("/api/pipelines/p/run", None).await.json();
            let id = created["id"].as_str().unwrap().to_owned();
            host.wait_finished(&id).await;
            host.get(&format!("/api/runs/{id}")).await.json()
        };
        assert_eq!(run().await["status"], "success");
        let calls = host.executor.calls_of("a");
        let resolved = json!({"path": "s3://orders/x", "deep": [{"token": "hunter2"}], "no": "${var.NO}"});
        assert_eq!(json!(calls[0].node.config), resolved);

        host.send(request(Method::DELETE, "/api/variables/TOKEN", None)).await;
        let failed = run().await;
        assert_eq!(failed["status"], "failed");
        let error = failed["error"].as_str().unwrap();
        assert!(error.contains("no variable is called \"TOKEN\""), "{error}");
        assert_eq!(host.executor.calls_of("a").len(), 1);
    })
    .await;
}
