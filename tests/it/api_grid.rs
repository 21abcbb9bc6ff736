//! The grid of a pipeline over HTTP.

use floret::testing::{Gate, Step};
use floret::{Event, EventKind, Limits};
use http::Method;
use serde_json::{Value, json};

use crate::harness::until;
use crate::wire::{Backend, Host, on_each_backend, request};

async fn grid(host: &Host, query: &str) -> Value {
    let answer = host.get(&format!("/api/pipelines/daily/grid{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn cells(grid: &Value) -> Vec<&str> {
    let runs = grid["runs"].as_array().unwrap().iter();
    runs.map(|run| run["cells"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_status_of_a_node_has_its_letter() {
    on_each_backend(async |host: &Host| {
        assert_eq!(
            grid(host, "").await,
            json!({"nodes": ["load", "sum"], "runs": []})
        );
        let gate = Gate::new();
        let steps = [
            Step::rows([json!({"n": 1})]),
            Step::permanent("broken"),
            Step::pass_on().at(&gate),
        ];
        host.executor.script("load", steps);
        let success = host.finished_run().await;
        let failed = host.finished_run().await;
        let created = host.post("/api/pipelines/daily/run", None).await.json();
        let running = created["id"].as_str().unwrap();
        let is_start = |event: &Event| {
            event.kind == EventKind::NodeStarted && event.run_id.to_string() == running
        };
        let mut events = host.floret.events_after(0);
        until(&mut events, is_start).await.unwrap();
        let found = grid(host, "").await;
        assert_eq!(found["nodes"], json!(["load", "sum"]));
        assert_eq!(cells(&found), ["rp", "fk", "ss"]);
        let ids = [running, &failed, &success];
        for (row, id) in found["runs"].as_array().unwrap().iter().zip(ids) {
            let run = host.get(&format!("/api/runs/{id}")).await.json();
            for name in ["id", "status", "created_at"] {
                assert_eq!(row[name], run[name], "{name}");
            }
            assert_eq!(row["duration_ms"].is_u64(), id != running, "{row}");
        }
        let cancel = format!("/api/runs/{running}/cancel");
        assert_eq!(host.post(&cancel, None).await.status, 200);
        gate.open();
        host.wait_finished(running).await;
        assert_eq!(cells(&grid(host, "?runs=1").await), ["sc"]);
    })
    .await;
}

#[tokio::test]
async fn runs_of_older_versions_keep_their_nodes() {
    on_each_backend(async |host: &Host| {
        host.finished_run().await;
        let pipeline = json!({"id": "daily", "name": "daily",
            "nodes": [{"id": "save", "type": "any"}, {"id": "load", "type": "any"}],
            "edges": [{"from": "load", "to": "save"}]});
        let put = request(Method::PUT, "/api/pipelines/daily", Some(&pipeline));
        let saved = host.send(put).await;
        assert_eq!(saved.status, 200, "{saved:?}");
        let found = grid(host, "").await;
        assert_eq!(found["nodes"], json!(["load", "save", "sum"]));
        assert_eq!(cells(&found), ["s-s"]);
        host.finished_run().await;
        let found = grid(host, "").await;
        assert_eq!(found["nodes"], json!(["load", "save", "sum"]));
        assert_eq!(cells(&found), ["ss-", "s-s"]);
        let newest = grid(host, "?runs=1").await;
        assert_eq!(newest["nodes"], json!(["load", "save"]));
        assert_eq!(cells(&newest), ["ss"]);
    })
    .await;
}

#[tokio::test]
async fn a_grid_that_is_too_large_has_fewer_runs() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let mut limits = Limits::default();
        limits.page_bytes_max = 700;
        let host = Host::with_limits(backend, limits).await;
        for _ in 0..5 {
            host.finished_run().await;
        }
        let answer = host.get("/api/pipelines/daily/grid").await;
        assert_eq!(answer.header("floret-truncated"), "true");
        assert!(answer.body.len() <= 700, "{}", answer.text());
        assert_eq!(cells(&answer.json()), ["ss"; 3]);
        let answer = host.get("/api/pipelines/daily/grid?runs=3").await;
        assert_eq!(answer.header("floret-truncated"), "");
    }
}
