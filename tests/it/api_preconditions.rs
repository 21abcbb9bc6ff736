//! Entity tags of pipelines: what a caller has seen, and what it must not overwrite.

use http::Method;
use serde_json::{Value, json};

use crate::wire::{Answer, Host, on_each, request};

const PATH: &str = "/api/pipelines/daily";

fn changed(description: &str) -> Value {
    json!({"name": "daily", "description": description, "nodes": [{"id": "a", "type": "any"}]})
}

async fn with(host: &Host, method: Method, header: (&str, &str), body: Option<&Value>) -> Answer {
    let mut request = request(method, PATH, body);
    let value = header.1.parse().unwrap();
    let name: http::HeaderName = header.0.parse().unwrap();
    request.headers_mut().append(name, value);
    host.send(request).await
}

async fn put(host: &Host, seen: &str, description: &str) -> Answer {
    let body = changed(description);
    with(host, Method::PUT, ("if-match", seen), Some(&body)).await
}

#[tokio::test]
async fn every_answer_with_a_pipeline_has_the_tag_of_its_state() {
    on_each(async |host: &Host| {
        let shown = host.get(PATH).await;
        assert_eq!(shown.header("etag"), "\"daily.1\"");
        let replaced = put(host, "*", "other").await;
        assert_eq!(replaced.status, 200, "{replaced:?}");
        assert_eq!(replaced.header("etag"), "\"daily.2\"");
        assert_eq!(host.get(PATH).await.header("etag"), "\"daily.2\"");
        let mut made = changed("made");
        made["id"] = json!("weekly");
        made["pipeline_id"] = json!("weekly");
        let made = host.post("/api/pipelines", Some(&made)).await;
        assert_eq!(made.header("etag"), "\"weekly.1\"");
    })
    .await;
}

#[tokio::test]
async fn a_change_of_what_was_not_seen_is_refused() {
    on_each(async |host: &Host| {
        for stale in [
            "\"daily.2\"",
            "W/\"daily.1\"",
            "\"other.1\"",
            "\"x\", \"daily.01\"",
        ] {
            let refused = put(host, stale, "lost").await;
            refused.refused(412, "precondition-failed");
            let refused = with(host, Method::DELETE, ("if-match", stale), None).await;
            refused.refused(412, "precondition-failed");
        }
        let kept = host.get(PATH).await;
        assert_eq!(
            (&kept.json()["version"], kept.header("etag")),
            (&json!(1), "\"daily.1\"")
        );
        let made = put(host, "\"x\", \"daily.1\"", "first").await;
        assert_eq!(made.status, 200, "{made:?}");
        put(host, "\"daily.1\"", "second")
            .await
            .refused(412, "precondition-failed");
        for broken in ["daily.2", "\"daily.2", ""] {
            put(host, broken, "third")
                .await
                .refused(400, "invalid-parameter");
        }
        let unfit = json!({"name": "daily"});
        with(host, Method::PUT, ("if-match", "\"x\""), Some(&unfit))
            .await
            .refused(422, "invalid-field");
        let deleted = with(host, Method::DELETE, ("if-match", "\"daily.2\""), None).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
        put(host, "*", "gone")
            .await
            .refused(404, "pipeline-not-found");
    })
    .await;
}

#[tokio::test]
async fn two_changes_of_one_state_give_one_winner() {
    on_each(async |host: &Host| {
        let seen = host.get(PATH).await.header("etag").to_owned();
        let (one, two) = tokio::join!(put(host, &seen, "one"), put(host, &seen, "two"));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
        assert_eq!(host.get(PATH).await.json()["version"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_state_that_is_known_is_not_sent_again() {
    on_each(async |host: &Host| {
        for known in ["\"daily.1\"", "W/\"daily.1\"", "\"x\", \"daily.1\"", "*"] {
            let answer = with(host, Method::GET, ("if-none-match", known), None).await;
            assert_eq!(
                (answer.status.as_u16(), answer.body.len()),
                (304, 0),
                "{known}"
            );
            assert_eq!(answer.header("etag"), "\"daily.1\"");
        }
        let answer = with(host, Method::GET, ("if-none-match", "\"daily.2\""), None).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["id"]),
            (200, &json!("daily"))
        );
    })
    .await;
}
