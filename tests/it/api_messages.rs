//! What a problem says helps the caller to mend the request.
//!
//! `bad_input` covers the status and the slug of every problem.

use serde_json::json;

use crate::wire::{Backend, Host};

async fn detail_of_post(host: &Host, path: &str, body: &serde_json::Value) -> String {
    let refused = host.post(path, Some(body)).await;
    assert!(refused.status.is_client_error(), "{refused:?}");
    refused.json()["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_refusal_says_what_is_expected_and_what_was_received() {
    let host = Host::start(Backend::Memory).await;
    for (path, body, expected) in [
        (
            "/api/variables",
            json!({"key": "k", "value": 5}),
            "value must be a string of at most 65536 characters, received a number",
        ),
        (
            "/api/variables",
            json!({"key": "k", "value": "x".repeat(65_537)}),
            "value must be a string of at most 65536 characters, received a longer string",
        ),
        (
            "/api/pipelines/daily/run",
            json!({"params": {"date": "soon"}}),
            "params.date is the date of the run and must be empty or a date such as 2024-01-15, received \"soon\"",
        ),
    ] {
        assert_eq!(detail_of_post(&host, path, &body).await, expected);
    }
    let empty = json!({"params": {"date": ""}});
    let started = host.post("/api/pipelines/daily/run", Some(&empty)).await;
    assert_eq!(started.status, 202, "{started:?}");
}

#[tokio::test]
async fn a_missing_body_or_parameter_is_called_missing() {
    let host = Host::start(Backend::Memory).await;
    let refused = host.post("/api/pipelines/daily/backfill", None).await;
    refused.assert_problem(400, "invalid-json");
    let expected = "not JSON: the body is empty, and this route requires one";
    assert_eq!(refused.json()["detail"], expected);
    let refused = host.get("/api/search").await;
    refused.assert_problem(400, "invalid-parameter");
    let issue = &refused.json()["errors"][0];
    let expected = "is missing; it must be 1 to 200 characters and not blank";
    assert_eq!(issue, &json!({"parameter": "q", "detail": expected}));
}

#[tokio::test]
async fn a_definition_is_checked_in_stages() {
    let host = Host::start(Backend::Memory).await;
    let refused = async |nodes| {
        let definition = json!({"name": "p", "nodes": nodes});
        let refused = host.post("/api/pipelines", Some(&definition)).await;
        let problem = refused.json();
        let errors = problem["errors"].as_array().unwrap().iter();
        errors
            .map(|issue| issue["pointer"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let unresolved = json!("${run.time}");
    let both = json!([
        {"id": "a", "type": "any", "config": {"timeout": 0, "max_retries": 101, "x": unresolved}},
        {"id": "b", "type": "any", "config": {"retry_delay": -1}},
    ]);
    let fields = [
        "/nodes/0/config/max_retries",
        "/nodes/0/config/timeout",
        "/nodes/1/config/retry_delay",
    ];
    assert_eq!(refused(both).await, fields);
    let rest = json!([{"id": "a", "type": "any", "config": {"x": unresolved, "y": "${run.y}"}}]);
    assert_eq!(
        refused(rest).await,
        ["/nodes/0/config/x", "/nodes/0/config/y"]
    );
}
