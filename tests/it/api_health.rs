//! The health route.
//!
//! `bad_input` covers what it reports during a shutdown.

use floret::executor::{Ctx, ExecutorError};
use floret::storage::SqliteStorage;
use floret::testing::{Fault, Method, scratch};
use floret::{Access, Floret, Pipeline, Problem};
use tower::ServiceExt;

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

#[tokio::test]
async fn a_service_whose_store_cannot_write_any_more_is_unhealthy() {
    let dir = scratch();
    let storage = SqliteStorage::open(dir.path().join("runs.db"))
        .await
        .unwrap();
    let floret = Floret::builder(storage.clone())
        .node("load", async |_: Ctx| Ok::<_, ExecutorError>(vec![1]))
        .pipeline(Pipeline::new("daily").node("load", "load"))
        .start()
        .await
        .unwrap();
    let service = floret.service(Access::allow_all());
    let status = async || {
        let request = http::Request::get("/api/health").header("host", "localhost");
        let request = request.body(String::new()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        response.status().as_u16()
    };
    assert_eq!(status().await, 200);
    storage.end_writer();
    // The writer notices it at its next step.
    let refused = floret.run("daily").start().await.unwrap_err();
    assert_eq!(refused.problem(), Problem::StorageBusy);
    assert_eq!(status().await, 503);
}
