//! Requests that wait for the end of a run: `?wait=` on its start, its resume and its reading.

use std::time::Duration;

use floret::testing::{Gate, Step};
use floret::{Access, Permission, Permissions};
use http::Method;
use serde_json::json;

use crate::wire::{Host, on_each_backend, request, send, with_key};

const RUN: &str = "/api/pipelines/daily/run";

/// Starts a run whose first node executes until the gate opens.
async fn held_run(host: &Host) -> (Gate, String) {
    let gate = Gate::new();
    host.executor.script("load", [Step::rows([]).at(&gate)]);
    let id = host.trigger().await;
    host.executor.started("load").await;
    (gate, id)
}

#[tokio::test]
async fn a_start_that_waits_answers_with_the_finished_run() {
    on_each_backend(async |host: &Host| {
        let failing = Step::permanent("no such file");
        host.executor.script("load", [failing, Step::rows([])]);
        let started = host.post(&format!("{RUN}?wait=60"), None).await;
        assert_eq!(started.status, 200, "{started:?}");
        let run = started.json();
        assert_eq!(run["status"], "failed");
        let path = format!("/api/runs/{}", run["id"].as_str().unwrap());
        assert_eq!(started.header("location"), path);
        let shown = host.get(&path).await;
        assert_eq!(
            (started.text(), started.header("etag")),
            (shown.text(), shown.header("etag"))
        );

        let resumed = host.post(&format!("{path}/resume?wait=60"), None).await;
        assert_eq!(resumed.status, 200, "{resumed:?}");
        let resumed = resumed.json();
        assert_eq!(
            (&resumed["status"], &resumed["resumed_from"]),
            (&json!("success"), &run["id"])
        );
    })
    .await;
}

#[tokio::test]
async fn a_reader_waits_for_the_end_of_a_run_and_no_longer() {
    on_each_backend(async |host: &Host| {
        let (gate, id) = held_run(host).await;
        let path = format!("/api/runs/{id}?wait=60");
        let (waiting, ()) = tokio::join!(host.get(&path), async {
            // The request waits by then: it has been polled before this future.
            tokio::task::yield_now().await;
            gate.open();
        });
        assert_eq!(waiting.json()["status"], "success");
        assert_eq!(host.get(&path).await.text(), waiting.text());
        let missing = host
            .get("/api/runs/018d0c5e-7a00-7000-8000-000000000001?wait=60")
            .await;
        missing.assert_problem(404, "run-not-found");
    })
    .await;
}

#[tokio::test]
async fn a_wait_that_ends_first_answers_as_without_it() {
    on_each_backend(async |host: &Host| {
        let (gate, id) = held_run(host).await;
        let (start, read) = (format!("{RUN}?wait=1"), format!("/api/runs/{id}?wait=1"));
        let (started, shown) = tokio::join!(host.post(&start, None), host.get(&read));
        assert_eq!((started.status.as_u16(), shown.status.as_u16()), (202, 200));
        assert_eq!(started.json()["status"], "pending");
        assert_eq!(shown.json()["status"], "running");
        gate.open();
    })
    .await;
}

#[tokio::test]
async fn a_repeated_start_waits_for_the_first_run() {
    on_each_backend(async |host: &Host| {
        let keyed = |path: &str| with_key(path, "once", None);
        let first = host.send(keyed(RUN)).await;
        assert_eq!(first.status, 202, "{first:?}");
        let again = host.send(keyed(&format!("{RUN}?wait=60"))).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.json()["id"], first.json()["id"]);
        assert_eq!(again.json()["status"], "success");
        let without = host.send(keyed(RUN)).await;
        assert_eq!((without.status, without.body), (first.status, first.body));
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_sees_no_runs_cannot_wait_for_one() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let starter = Permissions::of([Permission::PipelinesRun]);
        let start = async |path: &str| {
            let mut request = request(Method::POST, path, None);
            request.extensions_mut().insert(starter.clone());
            send(&service, request).await
        };
        let refused = start(&format!("{RUN}?wait=60")).await;
        refused.assert_problem(403, "forbidden");
        assert_eq!(host.floret.runs().await.unwrap().items.len(), 0);
        assert_eq!(start(RUN).await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn a_shutdown_ends_every_wait() {
    on_each_backend(async |host: &Host| {
        let (_gate, id) = held_run(host).await;
        let path = format!("/api/runs/{id}?wait=60");
        let (waiting, stopped) = tokio::join!(host.get(&path), async {
            tokio::task::yield_now().await;
            host.floret.shutdown(Duration::ZERO).await
        });
        stopped.unwrap();
        // The storage may be closed by then.
        if waiting.status != 200 {
            waiting.assert_problem(503, "shutting-down");
        }
    })
    .await;
}
