//! Health.
//!
//! What is refused while Floret shuts down is left to `bad_input`.

use floret::Problem;
use floret::testing::{Fault, Method};

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
        .fail(Fault::before(Method::NewestSeq, Problem::StorageBusy));
    host.get("/api/health").await.refused(503, "storage-busy");
    assert_eq!(host.get("/api/health").await.status, 200);
}
