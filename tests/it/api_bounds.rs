//! No answer has more bytes than the limit of an answer.
//!
//! `api_lists` covers the lists that a client pages through.

use floret::testing::{Method, Step};
use floret::{Limits, RunId};
use serde_json::{Value, json};

use crate::wire::{Backend, Host};

const BYTES_MAX: usize = 64 * 1024;

async fn small_host(backend: Backend) -> Host {
    let mut limits = Limits::default();
    limits.page_bytes_max = BYTES_MAX;
    Host::with_limits(backend, limits).await
}

async fn bounded(host: &Host, path: &str) -> Value {
    let response = host.get(path).await;
    assert_eq!(response.status, 200, "{path}: {response:?}");
    let bytes = response.body.len();
    // Each of these would have more without the limit, and uses most of it.
    assert!(
        (BYTES_MAX / 3..=BYTES_MAX).contains(&bytes),
        "{path}: {bytes}"
    );
    let is_run = path.starts_with("/api/runs/");
    if !is_run {
        assert_eq!(response.header("floret-truncated"), "true", "{path}");
    }
    response.json()
}

fn length(array: &Value) -> usize {
    array.as_array().unwrap().len()
}

async fn add_pipelines(host: &Host, count: usize) {
    for index in 0..count {
        let pipeline = json!({
            "name": format!("many {index} {}", "n".repeat(240)),
            "pipeline_id": format!("many-{index}"),
            "description": "d".repeat(2_000),
            "schedule": "0 0 1 1 *",
            "nodes": [
                {"id": "a", "type": "any", "name": "x".repeat(250)},
                {"id": "b", "type": "any", "name": "y".repeat(250)},
            ],
            "edges": [{"from": "a", "to": "b"}],
        });
        let created = host.post("/api/pipelines", Some(&pipeline)).await;
        assert_eq!(created.status, 201, "{created:?}");
    }
}

#[tokio::test]
async fn a_whole_answer_of_many_items_has_those_that_fit() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = small_host(backend).await;
        add_pipelines(&host, 150).await;
        let params = json!({"params": {"text": "\u{1}".repeat(2_000)}});
        let mut newest = String::new();
        for _ in 0..20 {
            let started = host.post("/api/pipelines/daily/run", Some(&params)).await;
            started.json()["id"]
                .as_str()
                .unwrap()
                .clone_into(&mut newest);
            host.wait_finished(&newest).await;
        }
        let few = host.get("/api/search?q=many-7").await;
        assert_eq!(few.headers.get("floret-truncated"), None, "{few:?}");
        let pages = || host.faults.calls(Method::ListPipelines);
        let before = pages();
        let dashboard = bounded(&host, "/api/dashboard").await;
        assert_eq!(pages() - before, 1, "no page is read that does not fit");
        assert_eq!(dashboard["recent_runs"][0]["id"], newest.as_str());
        assert!((1..20).contains(&length(&dashboard["recent_runs"])));
        assert!((1..150).contains(&length(&dashboard["pipelines"])));
        assert_eq!(dashboard["runs_running"], 0);
        let hits = bounded(&host, "/api/search?q=many&limit=100").await;
        assert!((1..100).contains(&length(&hits)));
        let schedules = bounded(&host, "/api/scheduler/status").await;
        assert!((1..150).contains(&length(&schedules)));
        let lineage = bounded(&host, "/api/lineage").await;
        let nodes = lineage["nodes"].as_array().unwrap();
        let has_node = |id: &Value| nodes.iter().any(|node| node["id"] == *id);
        for edge in lineage["edges"].as_array().unwrap() {
            assert!(has_node(&edge["from"]) && has_node(&edge["to"]), "{edge}");
        }
    }
}

#[tokio::test]
async fn a_run_lists_all_its_nodes_and_cuts_their_errors() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = small_host(backend).await;
        let ids: Vec<_> = (0..10).map(|index| format!("n{index}")).collect();
        let nodes: Vec<_> = ids
            .iter()
            .map(|id| json!({"id": id, "type": "any"}))
            .collect();
        let wide = json!({"name": "wide", "nodes": nodes});
        let created = host.post("/api/pipelines", Some(&wide)).await;
        assert_eq!(created.status, 201, "{created:?}");
        for id in &ids[1..] {
            let failing = Step::permanent("\u{1}".repeat(8_000));
            host.executor.script(id.as_str(), [failing]);
        }
        host.executor.script("n0", [Step::permanent("short")]);
        let run = host.post("/api/pipelines/wide/run", None).await.json();
        let id: RunId = run["id"].as_str().unwrap().parse().unwrap();
        host.floret.run_by_id(id).finished().await.unwrap();
        let found = bounded(&host, &format!("/api/runs/{id}")).await;
        assert_eq!(length(&found["node_runs"]), 10);
        let errors = found["node_runs"].as_array().unwrap().iter();
        let errors: Vec<_> = errors.filter_map(|node| node["error"].as_str()).collect();
        let is_cut = |error: &&&str| error.ends_with("… (cut)");
        assert!(errors.contains(&"short"), "{errors:?}");
        assert!(errors.iter().filter(is_cut).count() > 0, "{errors:?}");
    }
}

#[tokio::test]
async fn the_answers_that_other_limits_bound_have_room() {
    let limits = Limits::default();
    let host = Host::start(Backend::Memory).await;
    let year = host.get("/api/runs/calendar?days=365").await;
    assert!(year.body.len() < limits.page_bytes_max / 100);
    // A backfill lists a run for each of its dates.
    let dates = json!({"start_date": "2024-01-01", "end_date": "2024-01-10"});
    let started = host
        .post("/api/pipelines/daily/backfill", Some(&dates))
        .await;
    let backfill = started.header("location").to_owned();
    let backfill = host.get(&backfill).await;
    assert_eq!(length(&backfill.json()["run_ids"]), 10);
    let dates_max = usize::try_from(limits.backfill_dates_max).unwrap();
    assert!(backfill.body.len() / 10 * dates_max < limits.page_bytes_max / 10);
    // These have limits of their own.
    for bytes in [
        limits.dry_run_bytes_max,
        limits.preview_bytes_max,
        limits.profile_bytes_max,
        limits.definition_bytes_max * 2,
    ] {
        assert!(bytes <= limits.page_bytes_max / 2);
    }
}
