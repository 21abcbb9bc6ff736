//! Entity tags of pipelines: `If-Match` prevents lost updates, and `If-None-Match` avoids
//! sending an unchanged pipeline.

use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, TestResponse, on_each_backend, request};

const PATH: &str = "/api/pipelines/daily";

fn definition(description: &str) -> Value {
    json!({"name": "daily", "description": description, "nodes": [{"id": "a", "type": "any"}]})
}

async fn send_with(
    host: &Host,
    method: Method,
    header: (&str, &str),
    body: Option<&Value>,
) -> TestResponse {
    let mut request = request(method, PATH, body);
    let value = header.1.parse().unwrap();
    let name: http::HeaderName = header.0.parse().unwrap();
    request.headers_mut().append(name, value);
    host.send(request).await
}

async fn put(host: &Host, if_match: &str, description: &str) -> TestResponse {
    let body = definition(description);
    send_with(host, Method::PUT, ("if-match", if_match), Some(&body)).await
}

#[tokio::test]
async fn every_response_with_a_pipeline_has_its_entity_tag() {
    on_each_backend(async |host: &Host| {
        let shown = host.get(PATH).await;
        assert_eq!(shown.header("etag"), "\"daily.1\"");
        let replaced = put(host, "*", "other").await;
        assert_eq!(replaced.status, 200, "{replaced:?}");
        assert_eq!(replaced.header("etag"), "\"daily.2\"");
        assert_eq!(host.get(PATH).await.header("etag"), "\"daily.2\"");
        let mut created = definition("created");
        created["id"] = json!("weekly");
        created["pipeline_id"] = json!("weekly");
        let created = host.post("/api/pipelines", Some(&created)).await;
        assert_eq!(created.header("etag"), "\"weekly.1\"");
    })
    .await;
}

#[tokio::test]
async fn a_write_with_a_stale_tag_is_refused() {
    on_each_backend(async |host: &Host| {
        for stale in [
            "\"daily.2\"",
            "W/\"daily.1\"",
            "\"other.1\"",
            "\"x\", \"daily.01\"",
        ] {
            let refused = put(host, stale, "lost").await;
            refused.assert_problem(412, "precondition-failed");
            let refused = send_with(host, Method::DELETE, ("if-match", stale), None).await;
            refused.assert_problem(412, "precondition-failed");
        }
        let unchanged = host.get(PATH).await;
        assert_eq!(
            (&unchanged.json()["version"], unchanged.header("etag")),
            (&json!(1), "\"daily.1\"")
        );
        let created = put(host, "\"x\", \"daily.1\"", "first").await;
        assert_eq!(created.status, 200, "{created:?}");
        put(host, "\"daily.1\"", "second")
            .await
            .assert_problem(412, "precondition-failed");
        for broken in ["daily.2", "\"daily.2", ""] {
            put(host, broken, "third")
                .await
                .assert_problem(400, "invalid-parameter");
        }
        let unfit = json!({"name": "daily"});
        send_with(host, Method::PUT, ("if-match", "\"x\""), Some(&unfit))
            .await
            .assert_problem(422, "invalid-field");
        let deleted = send_with(host, Method::DELETE, ("if-match", "\"daily.2\""), None).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
        put(host, "*", "gone")
            .await
            .assert_problem(404, "pipeline-not-found");
    })
    .await;
}

#[tokio::test]
async fn two_writes_with_the_same_tag_have_one_winner() {
    on_each_backend(async |host: &Host| {
        let tag = host.get(PATH).await.header("etag").to_owned();
        let (one, two) = tokio::join!(put(host, &tag, "one"), put(host, &tag, "two"));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
        assert_eq!(host.get(PATH).await.json()["version"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_matching_tag_gets_304_without_a_body() {
    on_each_backend(async |host: &Host| {
        for tag in ["\"daily.1\"", "W/\"daily.1\"", "\"x\", \"daily.1\"", "*"] {
            let response = send_with(host, Method::GET, ("if-none-match", tag), None).await;
            assert_eq!(
                (response.status.as_u16(), response.body.len()),
                (304, 0),
                "{tag}"
            );
            assert_eq!(response.header("etag"), "\"daily.1\"");
        }
        let response = send_with(host, Method::GET, ("if-none-match", "\"daily.2\""), None).await;
        assert_eq!(
            (response.status.as_u16(), &response.json()["id"]),
            (200, &json!("daily"))
        );
    })
    .await;
}
