//! The health route.
//!
//! `bad_input` covers what it reports during a shutdown.

use floret::Problem;
use floret::testing::{Fault, Method};

use crate::wire::{Backend, Host, on_each_backend};

#[tokio::test]
async fn a_service_with_working_storage_is_healthy() {
    on_each_backend(async |host: &Host| {
        let response = host.get("/api/health").await;
        assert_eq!(
            (response.status.as_u16(), response.text()),
            (200, r#"{"status":"ok"}"#)
        );
    })
    .await;
}

#[tokio::test]
async fn a_service_with_failing_storage_is_unhealthy() {
    let host = Host::start(Backend::Memory).await;
    host.faults
        .fail(Fault::before(Method::NewestSeq, Problem::StorageBusy));
    host.get("/api/health")
        .await
        .assert_problem(503, "storage-busy");
    assert_eq!(host.get("/api/health").await.status, 200);
}
