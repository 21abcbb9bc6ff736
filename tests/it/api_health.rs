//! Health, and what is refused while Floret shuts down.

use std::time::Duration;

use floret::ErrorKind;
use floret::testing::{Fault, Method};
use serde_json::json;

use crate::wire::{Backend, Host, on_each};

#[tokio::test]
async fn a_service_whose_storage_answers_is_healthy() {
    on_each(async |host: &Host| {
        let answer = host.get("/api/health").await;
        assert_eq!(
            (answer.status.as_u16(), answer.text()),
            (200, r#"{"status":"ok"}"#)
        );
    })
    .await;
}

#[tokio::test]
async fn a_service_whose_storage_does_not_answer_is_not_healthy() {
    let host = Host::start(Backend::Memory).await;
    host.faults
        .fail(Fault::before(Method::NewestSeq, ErrorKind::Unavailable));
    host.get("/api/health").await.refused(503, "storage-busy");
    assert_eq!(host.get("/api/health").await.status, 200);
}

#[tokio::test]
async fn a_floret_that_shuts_down_takes_no_commands_and_still_answers_questions() {
    on_each(async |host: &Host| {
        let id = host.finished().await;
        host.floret.shutdown(Duration::ZERO).await.unwrap();
        host.get("/api/health").await.refused(503, "shutting-down");
        let body = json!({"name": "x", "nodes": [{"id": "a", "type": "any"}]});
        for (path, body) in [
            ("/api/pipelines/daily/run", None),
            (&*format!("/api/runs/{id}/cancel"), None),
            (&*format!("/api/runs/{id}/resume"), None),
            ("/api/pipelines", Some(&body)),
        ] {
            host.post(path, body).await.refused(503, "shutting-down");
        }
    })
    .await;
}
