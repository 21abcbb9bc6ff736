//! Pipeline definitions over HTTP.

use floret::testing::{Gate, Step};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend, request};

fn weekly() -> Value {
    json!({
        "name": "Weekly Report",
        "description": "sums the week",
        "nodes": [
            {"id": "a", "type": "any", "name": "A", "config": {"table": "x"}, "position": {"x": 1}},
            {"id": "b", "type": "any"},
        ],
        "edges": [{"from": "a", "to": "b"}],
        "params": {"region": "eu"},
        "tags": ["report"],
        "timeout": 1.5,
        "max_concurrent_runs": 2,
        "owner": {"team": "data"},
    })
}

#[tokio::test]
async fn a_pipeline_is_created_read_replaced_and_deleted() {
    on_each_backend(async |host: &Host| {
        let created = host.post("/api/pipelines", Some(&weekly())).await;
        assert_eq!(created.status, 201, "{created:?}");
        let mut pipeline = created.json();
        // The fields that Floret does not know are kept, and only these responses warn of them.
        let warnings = pipeline.as_object_mut().unwrap().remove("warnings");
        assert_eq!(warnings.unwrap().as_array().unwrap().len(), 2);
        let id = pipeline["id"].as_str().unwrap();
        assert_eq!(created.header("location"), format!("/api/pipelines/{id}"));
        assert_eq!(pipeline["pipeline_id"], "weekly-report");
        assert_eq!(
            (&pipeline["version"], &pipeline["enabled"]),
            (&json!(1), &json!(true))
        );
        assert_eq!(
            (&pipeline["timeout"], &pipeline["owner"]),
            (&json!(1.5), &json!({"team": "data"}))
        );
        assert_eq!(pipeline["nodes"][0]["position"], json!({"x": 1}));
        assert_eq!(pipeline["nodes"][1]["name"], "b");

        for key in [id, "weekly-report"] {
            let shown = host.get(&format!("/api/pipelines/{key}")).await;
            assert_eq!(
                (shown.status.as_u16(), shown.json()),
                (200, pipeline.clone())
            );
        }

        let other = json!({"name": "Weekly Report", "nodes": [{"id": "a", "type": "any"}]});
        let put = request(Method::PUT, "/api/pipelines/weekly-report", Some(&other));
        let replaced = host.send(put).await;
        assert_eq!(replaced.status, 200, "{replaced:?}");
        let replaced = replaced.json();
        assert_eq!(
            (&replaced["id"], &replaced["version"]),
            (&pipeline["id"], &json!(2))
        );
        assert_eq!(replaced["created_at"], pipeline["created_at"]);
        for absent in [
            "timeout",
            "owner",
            "max_concurrent_runs",
            "schedule",
            "catch_up",
        ] {
            assert!(replaced.get(absent).is_none(), "{replaced}");
        }
        assert_eq!(
            (&replaced["edges"], &replaced["params"]),
            (&json!([]), &json!({}))
        );

        let path = format!("/api/pipelines/{id}");
        let deleted = host.send(request(Method::DELETE, &path, None)).await;
        assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
        host.get(&path)
            .await
            .assert_problem(404, "pipeline-not-found");
    })
    .await;
}

#[tokio::test]
async fn writing_back_what_was_read_changes_nothing() {
    on_each_backend(async |host: &Host| {
        let created = host.post("/api/pipelines", Some(&weekly())).await.json();
        let path = format!("/api/pipelines/{}", created["id"].as_str().unwrap());
        let put = host.send(request(Method::PUT, &path, Some(&created))).await;
        assert_eq!((put.status.as_u16(), put.json()), (200, created));
    })
    .await;
}

#[tokio::test]
async fn a_slug_is_set_under_either_of_its_names() {
    const WEEKLY: &str = "/api/pipelines/weekly";
    on_each_backend(async |host: &Host| {
        let names = |slug: Value, pipeline_id: Value| {
            let mut body = weekly();
            body["id"] = json!("weekly");
            (body["slug"], body["pipeline_id"]) = (slug, pipeline_id);
            let fields = body.as_object_mut().unwrap();
            fields.retain(|_, value| !value.is_null());
            body
        };
        let both = names(json!("one"), json!("other"));
        let refused = host.post("/api/pipelines", Some(&both)).await;
        refused.assert_problem(422, "invalid-field");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/slug");
        let created = host
            .post("/api/pipelines", Some(&names(json!("one"), Value::Null)))
            .await;
        assert_eq!(created.status, 201, "{created:?}");
        // A client knows one of the names, changes it, and sends back all that it has read.
        for (slug, pipeline_id, expected) in [
            (json!("one"), json!("one"), "one"),
            (json!("two"), json!("one"), "two"),
            (json!("two"), json!("three"), "three"),
            (Value::Null, json!("four"), "four"),
            (json!("five"), Value::Null, "five"),
            (json!("six"), json!("six"), "six"),
        ] {
            let body = names(slug, pipeline_id);
            let replaced = host.send(request(Method::PUT, WEEKLY, Some(&body))).await;
            assert_eq!(replaced.status, 200, "{body}: {replaced:?}");
            let replaced = replaced.json();
            let shown = (&replaced["slug"], &replaced["pipeline_id"]);
            assert_eq!(shown, (&json!(expected), &json!(expected)), "{body}");
        }
        let both = names(json!("seven"), json!("eight"));
        let refused = host.send(request(Method::PUT, WEEKLY, Some(&both))).await;
        refused.assert_problem(422, "invalid-field");
        assert_eq!(host.get(WEEKLY).await.json()["slug"], "six");
    })
    .await;
}

#[tokio::test]
async fn the_runs_of_a_deleted_pipeline_stay_readable() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run().await;
        let deleted = host
            .send(request(Method::DELETE, "/api/pipelines/daily", None))
            .await;
        assert_eq!(deleted.status, 204);
        assert_eq!(host.get(&format!("/api/runs/{id}")).await.status, 200);
        assert_eq!(
            host.get("/api/runs?pipeline_id=daily").await.json()[0]["id"],
            id
        );
        host.get("/api/pipelines/daily/runs")
            .await
            .assert_problem(404, "pipeline-not-found");
    })
    .await;
}

#[tokio::test]
async fn a_pipeline_with_active_runs_cannot_be_deleted() {
    on_each_backend(async |host: &Host| {
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        let id = host.trigger().await;
        let refused = host
            .send(request(Method::DELETE, "/api/pipelines/daily", None))
            .await;
        refused.assert_problem(409, "pipeline-active");
        gate.open();
        host.wait_finished(&id).await;
    })
    .await;
}

#[tokio::test]
async fn pipelines_are_listed_as_summaries_and_filtered() {
    on_each_backend(async |host: &Host| {
        let created = host.post("/api/pipelines", Some(&weekly())).await.json();
        let list = host.get("/api/pipelines").await.json();
        assert_eq!(list.as_array().unwrap().len(), 2);
        let tagged = host.get("/api/pipelines?tag=report").await.json();
        let expected = json!([{
            "id": created["id"],
            "slug": "weekly-report",
            "pipeline_id": "weekly-report",
            "name": "Weekly Report",
            "description": "sums the week",
            "enabled": true,
            "tags": ["report"],
            "node_count": 2,
            "edge_count": 1,
            "created_at": created["created_at"],
            "updated_at": created["updated_at"],
            "managed": "api",
        }]);
        assert_eq!(tagged, expected);
        assert_eq!(
            host.get("/api/pipelines?enabled=false").await.json(),
            json!([])
        );
        let page = host.get("/api/pipelines?per_page=1&enabled=true").await;
        assert_eq!(
            (&page.json()["total"], &page.json()["pages"]),
            (&json!(2), &json!(2))
        );
        assert_eq!(
            page.header("link"),
            "</api/pipelines?per_page=1&enabled=true&page=2>; rel=\"next\""
        );
    })
    .await;
}

#[tokio::test]
async fn a_pipeline_is_validated_against_the_executors() {
    on_each_backend(async |host: &Host| {
        let valid = host.get("/api/pipelines/daily/validate").await.json();
        assert_eq!(
            (&valid["valid"], &valid["errors"]),
            (&json!(true), &json!([]))
        );
        let unknown =
            json!({"id": "odd", "name": "odd", "nodes": [{"id": "a", "type": "teleport"}]});
        assert_eq!(
            host.post("/api/pipelines", Some(&unknown)).await.status,
            201
        );
        let checked = host.get("/api/pipelines/odd/validate").await;
        assert_eq!(checked.status, 200);
        let checked = checked.json();
        assert_eq!(checked["valid"], false);
        assert_eq!(checked["errors"][0]["pointer"], "/nodes/0/type");
        let detail = checked["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("teleport"), "{detail}");
    })
    .await;
}
