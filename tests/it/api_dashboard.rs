//! The dashboard over HTTP.
//!
//! `figures` proves that its counts are right.

use floret::testing::Step;
use floret::{Access, Decision, Permission, Permissions, Scope, TenantId};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend, request, send};

const FIELDS: [&str; 12] = [
    "pipelines",
    "recent_runs",
    "open_runs",
    "trends",
    "top_failing",
    "runs_today",
    "runs_yesterday",
    "runs_running",
    "runs_24h_total",
    "runs_24h_success",
    "runs_24h_failed",
    "success_rate_24h",
];

#[tokio::test]
async fn a_dashboard_has_every_field_in_one_response() {
    on_each_backend(async |host: &Host| {
        let succeeded = host.finished_run().await;
        host.executor.script("load", [Step::permanent("no")]);
        let failed = host.finished_run().await;
        let response = host.get("/api/dashboard").await;
        assert_eq!(response.status, 200);
        let dashboard = response.json();
        let mut offset = 0;
        for field in FIELDS {
            offset += response.text()[offset..]
                .find(&format!("\"{field}\":"))
                .unwrap();
        }
        assert_eq!(dashboard.as_object().unwrap().len(), FIELDS.len());
        assert_eq!(
            dashboard["pipelines"],
            host.get("/api/pipelines").await.json()
        );
        assert_eq!(dashboard["recent_runs"], host.get("/api/runs").await.json());
        let ids: Vec<_> = dashboard["recent_runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| &run["id"])
            .collect();
        assert_eq!(ids, [&json!(failed), &json!(succeeded)]);
        let trends = dashboard["trends"].as_array().unwrap();
        assert_eq!(trends.len(), 7);
        let total: u64 = trends
            .iter()
            .map(|day| day["total"].as_u64().unwrap())
            .sum();
        assert_eq!(total, 2);
        assert_eq!(
            dashboard["top_failing"],
            json!([{"pipeline_id": "daily", "name": "daily", "fail_count": 1}])
        );
        assert_eq!(
            (&dashboard["runs_24h_total"], &dashboard["success_rate_24h"]),
            (&json!(2), &json!(50.0))
        );
        host.get("/api/dashboard?days=1")
            .await
            .assert_problem(400, "invalid-parameter");
        host.post("/api/dashboard", None)
            .await
            .assert_problem(405, "method-not-allowed");
    })
    .await;
}

#[tokio::test]
async fn a_dashboard_has_the_newest_runs_that_are_not_finished() {
    on_each_backend(async |host: &Host| {
        host.finished_run().await;
        let paused = host.post("/api/pipelines/daily/pause", None).await;
        assert_eq!(paused.status, 200, "{paused:?}");
        let mut waiting = Vec::new();
        for _ in 0..21 {
            let run = host.post("/api/pipelines/daily/run", None).await.json();
            waiting.push(run["id"].clone());
        }
        waiting.reverse();
        waiting.truncate(20);
        let dashboard = host.get("/api/dashboard").await.json();
        let open = dashboard["open_runs"].as_array().unwrap();
        let ids: Vec<_> = open.iter().map(|run| run["id"].clone()).collect();
        assert_eq!(ids, waiting);
        assert_eq!(
            dashboard["recent_runs"].as_array().unwrap().len(),
            22,
            "those and the finished one"
        );
    })
    .await;
}

#[tokio::test]
async fn a_fresh_dashboard_is_empty() {
    on_each_backend(async |host: &Host| {
        let dashboard = host.get("/api/dashboard").await.json();
        assert_eq!(
            (&dashboard["recent_runs"], &dashboard["top_failing"]),
            (&json!([]), &json!([]))
        );
        assert_eq!(dashboard["trends"].as_array().unwrap().len(), 7);
        for field in &FIELDS[5..11] {
            assert_eq!(dashboard[field].as_f64(), Some(0.0), "{field}");
        }
        assert_eq!(dashboard.get("success_rate_24h"), None);
    })
    .await;
}

#[tokio::test]
async fn a_caller_without_pipelines_view_sees_no_pipelines() {
    on_each_backend(async |host: &Host| {
        host.executor.script("load", [Step::permanent("no")]);
        host.finished_run().await;
        let service = host.floret.service(Access::from_extensions());
        let mut get = request(Method::GET, "/api/dashboard", None);
        get.extensions_mut()
            .insert(Permissions::of([Permission::RunsView]));
        let dashboard = send(&service, get).await.json();
        assert_eq!(dashboard["pipelines"], json!([]));
        assert_eq!(dashboard["runs_24h_failed"], 1);
        let mut get = request(Method::GET, "/api/dashboard", None);
        get.extensions_mut()
            .insert(Permissions::of([Permission::PipelinesView]));
        send(&service, get).await.assert_problem(403, "forbidden");
    })
    .await;
}

#[tokio::test]
async fn a_caller_sees_nothing_of_other_tenants() {
    on_each_backend(async |host: &Host| {
        host.finished_run().await;
        let other = Scope::Tenant(TenantId::new("ann").unwrap());
        let service = host
            .floret
            .service(Access::custom(move |_, _| Decision::Allow(other.clone())));
        let dashboard: Value = send(&service, request(Method::GET, "/api/dashboard", None))
            .await
            .json();
        for field in &FIELDS[5..11] {
            assert_eq!(dashboard[field].as_f64(), Some(0.0), "{field}");
        }
        assert_eq!(dashboard.get("success_rate_24h"), None);
        for field in ["pipelines", "recent_runs", "open_runs", "top_failing"] {
            assert_eq!(dashboard[field], json!([]), "{field}");
        }
    })
    .await;
}
