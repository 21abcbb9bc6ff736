//! Idempotency keys that are invalid, reused with another body, or sent twice at once.

use floret::testing::{Gate, Method as StorageCall, Step};
use serde_json::{Value, json};

use super::row::{BACKFILL, Coverage, RUN, Row, all, post};
use crate::wire::{Backend, Host, TestResponse, with_key};

pub(super) fn rows() -> Vec<Row> {
    let too_long = "k".repeat(256);
    let invalid: [&[&str]; 7] = [
        &[""],
        &["a b"],
        &["a\tb"],
        &["ä"],
        &[&too_long],
        &["a", "b"],
        &["a", "a"],
    ];
    let days = r#"{"start_date":"2024-01-01","end_date":"2024-01-02"}"#;
    let targets = [
        (RUN, ""),
        ("/api/runs/{failed}/resume", ""),
        (BACKFILL, days),
    ];
    let bad = targets.into_iter().flat_map(|(path, body)| {
        invalid.map(|keys| {
            keys.iter().fold(post(path, body), |bad, key| {
                bad.header("idempotency-key", *key)
            })
        })
    });
    all(400, "invalid-idempotency-key", bad)
}

pub(super) async fn set_ups(backend: Backend, coverage: &mut Coverage) {
    a_key_reused_with_another_body(backend, coverage).await;
    two_concurrent_requests_with_one_key_get_one_response(backend).await;
}

async fn keyed(host: &Host, path: &str, body: &Value) -> TestResponse {
    host.send(with_key(path, "k", Some(body))).await
}

async fn a_key_reused_with_another_body(backend: Backend, coverage: &mut Coverage) {
    let host = Host::start(backend).await;
    host.executor.script("load", [Step::permanent("no")]);
    let resume = format!("/api/runs/{}/resume", host.finished_run().await);
    let until = |last: &str| json!({"start_date": "2024-01-01", "end_date": last});
    for (path, first, other) in [
        (RUN, json!({}), json!({"params": {"a": "1"}})),
        (resume.as_str(), json!({}), json!({"definition": "current"})),
        (BACKFILL, until("2024-01-02"), until("2024-01-03")),
    ] {
        assert_eq!(keyed(&host, path, &first).await.status, 202);
        let refused = keyed(&host, path, &other).await;
        coverage.assert_problem(&refused, 422, "idempotency-key-reused");
    }
}

async fn two_concurrent_requests_with_one_key_get_one_response(backend: Backend) {
    let host = Host::start(backend).await;
    let days = json!({"start_date": "2024-01-01", "end_date": "2024-01-02"});
    for (path, body) in [(RUN, json!({})), (BACKFILL, days)] {
        let gate = Gate::new();
        host.faults.hold_after(StorageCall::CreateRuns, &gate);
        let expected = host.faults.calls(StorageCall::CreateRuns) + 2;
        let both = async {
            while host.faults.calls(StorageCall::CreateRuns) < expected {
                tokio::task::yield_now().await;
            }
            gate.open();
        };
        let one = keyed(&host, path, &body);
        let (one, other, ()) = tokio::join!(one, keyed(&host, path, &body), both);
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (202, 202));
        assert_eq!(one.body, other.body);
        let replayed =
            [one, other].map(|response| response.header("idempotent-replayed") == "true");
        assert_ne!(replayed[0], replayed[1]);
    }
}
