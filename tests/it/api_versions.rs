//! Versions of pipelines over HTTP: listed, shown, compared, rolled back and executed.

use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, TestResponse, on_each_backend, request, with_key};

const DAILY: &str = "/api/pipelines/tasks";

fn definition(node: &str, more: &Value) -> Value {
    let mut definition = json!({"name": "tasks", "nodes": [{"id": node, "type": "any"}]});
    let more = more.as_object().unwrap().clone();
    definition.as_object_mut().unwrap().extend(more);
    definition
}

/// Creates a pipeline with three versions.
async fn create(host: &Host) {
    let mut first = definition("load", &json!({"tags": ["a", "b"]}));
    first["id"] = json!("tasks");
    let created = host.post("/api/pipelines", Some(&first)).await;
    assert_eq!(created.status, 201, "{created:?}");
    put(
        host,
        &definition("load", &json!({"schedule": "@daily", "tags": ["b"]})),
    )
    .await;
    put(host, &definition("fetch", &json!({"enabled": false}))).await;
}

async fn put(host: &Host, body: &Value) -> TestResponse {
    let saved = host.send(request(Method::PUT, DAILY, Some(body))).await;
    assert_eq!(saved.status, 200, "{saved:?}");
    saved
}

async fn roll_back(host: &Host, body: &Value) -> TestResponse {
    host.post(&format!("{DAILY}/rollback"), Some(body)).await
}

async fn get(host: &Host, path: &str) -> Value {
    let found = host.get(&format!("{DAILY}{path}")).await;
    assert_eq!(found.status, 200, "{path}: {found:?}");
    found.json()
}

#[tokio::test]
async fn every_version_is_listed_and_shown() {
    on_each_backend(async |host: &Host| {
        create(host).await;
        let listed = get(host, "/versions").await;
        let numbers: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["version"])
            .collect();
        assert_eq!(numbers, [3, 2, 1]);
        assert!(
            listed[0]["created_at"].as_str().unwrap().ends_with('Z'),
            "{listed}"
        );
        let page = get(host, "/versions?limit=2").await;
        assert_eq!(
            (&page["has_next"], &page["cursor"]),
            (&json!(true), &json!("2"))
        );
        assert_eq!(
            get(host, "/versions?after=2").await["items"][0]["version"],
            1
        );
        let second = get(host, "/versions/2").await;
        assert_eq!(
            (&second["version"], &second["schedule"]),
            (&json!(2), &json!("@daily"))
        );
        assert_eq!(second["updated_at"], listed[1]["created_at"]);
        assert_eq!(get(host, "/versions/3").await, get(host, "").await);
    })
    .await;
}

#[tokio::test]
async fn two_versions_are_compared_as_a_json_patch() {
    on_each_backend(async |host: &Host| {
        create(host).await;
        for (from, to) in [(1, 2), (2, 1), (1, 3), (3, 2), (2, 2)] {
            let patch = get(host, &format!("/versions/{from}/diff/{to}")).await;
            let mut before = get(host, &format!("/versions/{from}")).await;
            let mut after = get(host, &format!("/versions/{to}")).await;
            for value in [&mut before, &mut after] {
                let fields = value.as_object_mut().unwrap();
                fields.remove("version");
                fields.remove("updated_at");
            }
            let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
            assert_eq!(patch.is_empty(), from == to, "{from} {to}");
            json_patch::patch(&mut before, &patch).unwrap();
            assert_eq!(before, after, "{from} {to}: {patch:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_rollback_saves_an_earlier_version_as_the_newest() {
    on_each_backend(async |host: &Host| {
        create(host).await;
        let rolled_back = roll_back(host, &json!({"version": 2})).await;
        assert_eq!(rolled_back.status, 200, "{rolled_back:?}");
        let pipeline = get(host, "").await;
        assert_eq!(rolled_back.json(), pipeline);
        assert_eq!(
            (
                &pipeline["version"],
                &pipeline["schedule"],
                &pipeline["slug"]
            ),
            (&json!(4), &json!("@daily"), &json!("tasks"))
        );
        assert_eq!(get(host, "/versions/2/diff/4").await, json!([]));
        // A repeat changes nothing.
        roll_back(host, &json!({"version": 2})).await;
        roll_back(host, &json!({"version": 4})).await;
        assert_eq!(get(host, "").await, pipeline);
        let tag = host.get(DAILY).await.header("etag").to_owned();
        put(host, &definition("other", &json!({}))).await;
        let path = format!("{DAILY}/rollback");
        let mut stale = request(Method::POST, &path, Some(&json!({"version": 1})));
        stale.headers_mut().insert("if-match", tag.parse().unwrap());
        host.send(stale)
            .await
            .assert_problem(412, "precondition-failed");
        let missing = roll_back(host, &json!({"version": 9})).await;
        missing.assert_problem(422, "invalid-field");
        assert_eq!(missing.json()["errors"][0]["pointer"], "/version");
        assert_eq!(
            missing.json()["detail"],
            "the pipeline tasks has no version 9; its newest is 5"
        );
    })
    .await;
}

/// A rollback keeps a slug that was chosen later.
#[tokio::test]
async fn a_rollback_keeps_the_slug() {
    on_each_backend(async |host: &Host| {
        create(host).await;
        put(host, &definition("load", &json!({"slug": "chores"}))).await;
        let rolled_back = roll_back(host, &json!({"version": 1})).await.json();
        assert_eq!(
            (&rolled_back["slug"], &rolled_back["tags"]),
            (&json!("chores"), &json!(["a", "b"]))
        );
    })
    .await;
}

#[tokio::test]
async fn a_run_executes_the_version_that_it_names() {
    on_each_backend(async |host: &Host| {
        create(host).await;
        let start =
            async |body: &Value| host.post(&format!("{DAILY}/run?wait=60"), Some(body)).await;
        let run = start(&json!({"definition": 1})).await;
        assert_eq!(run.status, 200, "{run:?}");
        let run = run.json();
        assert_eq!(
            (&run["pipeline_version"], &run["node_runs"][0]["node_id"]),
            (&json!(1), &json!("load"))
        );
        let newest = start(&json!({})).await.json();
        assert_eq!(
            (
                &newest["pipeline_version"],
                &newest["node_runs"][0]["node_id"]
            ),
            (&json!(3), &json!("fetch"))
        );
        let missing = start(&json!({"definition": 4})).await;
        missing.assert_problem(422, "invalid-field");
        assert_eq!(missing.json()["errors"][0]["pointer"], "/definition");
        // Rust and HTTP hash the same body.
        let body = json!({"definition": 2});
        let keyed = with_key(&format!("{DAILY}/run"), "once", Some(&body));
        let first = host.send(keyed).await.json();
        let repeated = host
            .floret
            .run("tasks")
            .definition(2)
            .key("once")
            .await
            .unwrap();
        assert_eq!(first["id"], repeated.id().to_string());
    })
    .await;
}
