//! Runs per day over HTTP.

use floret::storage::{Pipelines, PutPipeline, SlugChoice};
use floret::{Access, Decision, Permission, PipelineId, Scope, Slug, TenantId};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend, request, send};

fn sum(days: &Value, status: &str) -> u64 {
    let days = days.as_array().unwrap().iter();
    days.map(|day| day[status].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn the_calendar_has_every_day_and_ends_today() {
    on_each_backend(async |host: &Host| {
        let run = host.finished_run().await;
        let run = host.get(&format!("/api/runs/{run}")).await.json();
        let today = run["created_at"].as_str().unwrap()[..10].to_owned();
        for (query, days) in [("", 90), ("?days=1", 1), ("?days=365", 365)] {
            let calendar = host.get(&format!("/api/runs/calendar{query}")).await;
            assert_eq!(calendar.status, 200);
            let calendar = calendar.json();
            let list = calendar.as_array().unwrap();
            assert_eq!(list.len(), days);
            let dates: Vec<_> = list
                .iter()
                .map(|day| day["date"].as_str().unwrap())
                .collect();
            assert!(dates.is_sorted_by(|one, other| one < other), "oldest first");
            assert_eq!(
                *list.last().unwrap(),
                json!({"date": today, "success": 1, "failed": 0, "total": 1,
                    "cancelled": 0, "running": 0, "pending": 0})
            );
            assert_eq!(sum(&calendar, "total"), 1);
        }
        let text = host.get("/api/runs/calendar?days=1").await;
        let order = r#""success":1,"failed":0,"total":1,"cancelled":0,"running":0,"pending":0}]"#;
        assert!(text.text().ends_with(order), "{}", text.text());
    })
    .await;
}

#[tokio::test]
async fn a_pipeline_filter_counts_that_pipeline_only() {
    on_each_backend(async |host: &Host| {
        host.finished_run().await;
        let weekly = json!({"id": "weekly", "name": "w", "nodes": [{"id": "a", "type": "any"}]});
        assert_eq!(host.post("/api/pipelines", Some(&weekly)).await.status, 201);
        for (pipeline, total) in [("daily", 1), ("weekly", 0)] {
            let path = format!("/api/runs/calendar?days=2&pipeline_id={pipeline}");
            assert_eq!(sum(&host.get(&path).await.json(), "total"), total);
        }
    })
    .await;
}

#[tokio::test]
async fn invalid_parameters_are_refused() {
    on_each_backend(async |host: &Host| {
        for query in [
            "days=0",
            "days=366",
            "days=-1",
            "days=ten",
            "days=",
            "days=1&days=2",
            "pipeline_id=a%20b",
            "day=1",
        ] {
            let response = host.get(&format!("/api/runs/calendar?{query}")).await;
            response.assert_problem(400, "invalid-parameter");
        }
        let posted = host.post("/api/runs/calendar", None).await;
        posted.assert_problem(405, "method-not-allowed");
    })
    .await;
}

#[tokio::test]
async fn a_calendar_counts_the_runs_of_the_callers_tenant() {
    on_each_backend(async |host: &Host| {
        host.finished_run().await;
        let ann = Scope::Tenant(TenantId::new("ann").unwrap());
        let definition = crate::wire::daily();
        let mut put = PutPipeline::new(
            PipelineId::new("own").unwrap(),
            SlugChoice::Given(Slug::new("own").unwrap()),
            definition.into(),
            "2024-01-15T06:00:00Z".parse().unwrap(),
        );
        put.scope = ann.clone();
        host.faults.put_pipeline(put).await.unwrap();
        let own = host.post("/api/pipelines/own/run", None).await;
        let id = own.json()["id"].as_str().unwrap().to_owned();
        host.wait_finished(&id).await;
        let access = Access::custom(move |_, permission| match permission {
            Permission::RunsView => Decision::Allow(ann.clone()),
            _ => Decision::Forbidden,
        });
        let service = host.floret.service(access);
        let get = async |path| send(&service, request(Method::GET, path, None)).await;
        let calendar = get("/api/runs/calendar?days=2").await.json();
        assert_eq!(sum(&calendar, "total"), 1);
        let foreign = get("/api/runs/calendar?days=2&pipeline_id=daily").await;
        foreign.assert_problem(404, "pipeline-not-found");
        let all = host.get("/api/runs/calendar?days=2").await.json();
        assert_eq!(sum(&all, "total"), 2);
    })
    .await;
}
