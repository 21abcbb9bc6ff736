//! Pipelines of the host's code: callers may only disable them, and what becomes of one that the
//! code no longer has.
//!
//! Which changes of a caller survive a save by code is left to the contract, deploys to `enabled`.

use floret::{Access, Builder, Managed, Pipeline, Problem, TenantId};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, STEP, Store, World, chain};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    a_caller_can_only_disable_a_pipeline_of_the_code,
    an_allowed_edit_survives_a_deploy_until_the_code_changes,
    a_lost_pipeline_is_free_and_stays_scheduled,
    a_pruned_pipeline_is_disabled_until_the_code_has_it_again,
    pipelines_come_and_go_while_the_host_runs,
    tenants_lose_only_their_own_pipelines,
    a_start_that_fails_disables_nothing,
}

const DAILY: &str = "/api/pipelines/daily";

fn daily() -> Pipeline {
    chain("daily", &["a"]).schedule("@daily")
}

fn world(store: Store) -> World {
    World::quiet(store).pipeline(daily())
}

async fn ask(host: &Host, method: Method, path: &str, body: Option<&Value>) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    send(&service, request(method, path, body)).await
}

async fn get(host: &Host, path: &str) -> Value {
    let answer = ask(host, Method::GET, path, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Changes a field of a pipeline as an operator does: reads the definition and sends it back.
async fn set(host: &Host, field: &str, value: Value) -> TestResponse {
    let mut definition = get(host, DAILY).await;
    definition[field] = value;
    ask(host, Method::PUT, DAILY, Some(&definition)).await
}

async fn a_caller_can_only_disable_a_pipeline_of_the_code(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let before = get(&host, DAILY).await;
    assert_eq!(before["managed"], "code");
    for (field, value) in [
        ("schedule", json!("@hourly")),
        ("pipeline_id", json!("other")),
        ("slug", json!("other")),
        ("owner", json!("ops")),
        ("params", json!({"region": "eu"})),
    ] {
        let refused = set(&host, field, value).await;
        refused.assert_problem(409, "managed-by-code");
    }
    let deleted = ask(&host, Method::DELETE, DAILY, None).await;
    deleted.assert_problem(409, "managed-by-code");
    let same = ask(&host, Method::PUT, DAILY, Some(&before)).await;
    assert_eq!(same.json(), before);
    assert_eq!(get(&host, DAILY).await, before);

    assert_eq!(set(&host, "enabled", json!(false)).await.status, 200);
    let paused = get(&host, DAILY).await;
    assert_eq!(
        (&paused["enabled"], &paused["managed"]),
        (&json!(false), &json!("code"))
    );
    // Without the fields that the server adds, as a client that keeps its own copy sends it.
    let mut bare = serde_json::to_value(daily()).unwrap();
    bare["enabled"] = json!(true);
    let unpaused = ask(&host, Method::PUT, DAILY, Some(&bare)).await;
    assert_eq!(unpaused.status, 200, "{unpaused:?}");
    assert_eq!(unpaused.json()["pipeline_id"], before["pipeline_id"]);

    let own = json!({"id": "own", "name": "Own", "nodes": [{"id": "a", "type": "step"}]});
    let created = ask(&host, Method::POST, "/api/pipelines", Some(&own)).await;
    assert_eq!(created.json()["managed"], "api");
    for (managed, id) in [("code", "daily"), ("api", "own")] {
        let listed = get(&host, &format!("/api/pipelines?managed={managed}")).await;
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
        let (item, filter) = (&listed[0], json!(managed));
        assert_eq!((&item["id"], &item["managed"]), (&json!(id), &filter));
    }
    let unknown = ask(&host, Method::GET, "/api/pipelines?managed=x", None).await;
    unknown.assert_problem(400, "invalid-parameter");
}

async fn an_allowed_edit_survives_a_deploy_until_the_code_changes(store: Store) {
    let mut world = world(store);
    let start = Builder::allow_pipeline_edits;
    let host = world.start_with(start).await;
    let edited = set(&host, "schedule", json!("@hourly")).await;
    assert_eq!(edited.json()["schedule"], "@hourly");
    let edited = get(&host, DAILY).await;
    host.stop().await;
    let host = world.start_with(start).await;
    assert_eq!(get(&host, DAILY).await, edited);
    host.stop().await;
    world.pipelines = vec![daily().param("region", "eu")];
    let host = world.start_with(start).await;
    let deployed = get(&host, DAILY).await;
    assert_eq!(deployed["schedule"], "@daily");
    assert_eq!(deployed["params"]["region"], "eu");

    let deleted = ask(&host, Method::DELETE, DAILY, None).await;
    assert_eq!(deleted.status, 204);
    host.stop().await;
    let host = world.start_with(start).await;
    assert_eq!(get(&host, DAILY).await["managed"], "code");
}

async fn a_lost_pipeline_is_free_and_stays_scheduled(store: Store) {
    let mut world = world(store);
    world.start().await.stop().await;
    world.pipelines.clear();
    let host = world.start().await;
    let lost = get(&host, DAILY).await;
    assert_eq!(
        (&lost["managed"], &lost["enabled"]),
        (&json!("api"), &json!(true))
    );
    let status = get(&host, "/api/scheduler/status").await;
    assert!(status[0].get("next_run").is_some(), "{status}");
    let edited = set(&host, "schedule", json!("@hourly")).await;
    assert_eq!(edited.status, 200);
    let deleted = ask(&host, Method::DELETE, DAILY, None).await;
    assert_eq!(deleted.status, 204);
}

async fn a_pruned_pipeline_is_disabled_until_the_code_has_it_again(store: Store) {
    let mut world = world(store);
    let host = world.start().await;
    let own = json!({"id": "own", "name": "Own", "nodes": [{"id": "a", "type": "step"}]});
    ask(&host, Method::POST, "/api/pipelines", Some(&own)).await;
    host.stop().await;
    let pipelines = std::mem::take(&mut world.pipelines);
    let host = world.start_with(Builder::prune_removed).await;
    let pruned = get(&host, DAILY).await;
    assert_eq!(
        (&pruned["managed"], &pruned["enabled"]),
        (&json!("api"), &json!(false))
    );
    assert_eq!(get(&host, "/api/pipelines/own").await["enabled"], true);
    host.stop().await;
    // A second start finds nothing to disable.
    let host = world.start_with(Builder::prune_removed).await;
    assert_eq!(get(&host, DAILY).await, pruned);
    host.stop().await;
    world.pipelines = pipelines;
    let host = world.start_with(Builder::prune_removed).await;
    let back = get(&host, DAILY).await;
    assert_eq!(
        (&back["managed"], &back["enabled"]),
        (&json!("code"), &json!(true))
    );
}

async fn pipelines_come_and_go_while_the_host_runs(store: Store) {
    let world = world(store);
    let host = world.start_with(Builder::only_these_pipelines).await;
    let added = chain("added", &["a"]).schedule("@daily");
    let stored = host.floret.add_pipeline(added.clone()).await.unwrap();
    assert_eq!((stored.managed, stored.version), (Managed::Code, 1));
    let again = host.floret.add_pipeline(added).await.unwrap();
    assert_eq!(again, stored);
    let status = get(&host, "/api/scheduler/status").await;
    let enabled = |id: &str| {
        let mut rows = status.as_array().unwrap().iter();
        rows.find(|row| row["pipeline_id"] == id).unwrap()["enabled"].clone()
    };
    assert_eq!(
        (enabled("added"), enabled("daily")),
        (json!(true), json!(true))
    );

    let invalid = Pipeline::new("invalid").node("a", "absent");
    let refused = host.floret.add_pipeline(invalid).await.unwrap_err();
    assert_eq!(refused.slug(), "node-type-unknown", "{refused}");
    let removed = host.floret.remove_pipeline("added", None).await.unwrap();
    assert_eq!(removed.managed, Managed::Api);
    assert!(!removed.definition.enabled);
    for id in ["added", "absent", "no id"] {
        let refused = host.floret.remove_pipeline(id, None).await.unwrap_err();
        assert_eq!(refused.problem(), Problem::PipelineNotFound, "{id}");
    }
    host.floret.pipelines().delete("added").await.unwrap();
}

async fn tenants_lose_only_their_own_pipelines(store: Store) {
    let [ann, ben] = ["ann", "ben"].map(|name| TenantId::new(name).unwrap());
    let mut world = World::quiet(store)
        .pipeline(daily().tenant(ann.clone()))
        .pipeline(daily().tenant(ben.clone()));
    world.start().await.stop().await;
    world.pipelines.pop();
    let host = world.start_with(Builder::prune_removed).await;
    let managed = async |tenant: &str| {
        let path = format!("{DAILY}?tenant={tenant}");
        get(&host, &path).await["managed"].clone()
    };
    assert_eq!(managed("ann").await, "code");
    assert_eq!(managed("ben").await, "api");
    let refused = host.floret.remove_pipeline("daily", None).await;
    assert_eq!(refused.unwrap_err().problem(), Problem::PipelineNotFound);
    let refused = host.floret.remove_pipeline("daily", Some(&ben)).await;
    assert_eq!(refused.unwrap_err().problem(), Problem::PipelineNotFound);
    let removed = host.floret.remove_pipeline("daily", Some(&ann)).await;
    assert_eq!(removed.unwrap().tenant, Some(ann));
}

async fn a_start_that_fails_disables_nothing(store: Store) {
    let mut world = world(store);
    let host = world.start().await;
    let own = json!({"id": "own", "name": "Own", "nodes": [{"id": "a", "type": "step"}]});
    let created = ask(&host, Method::POST, "/api/pipelines", Some(&own)).await;
    assert_eq!(created.json()["pipeline_id"], "own");
    let before = get(&host, DAILY).await;
    host.stop().await;
    let storage = world.store.open().await;
    let refused = Builder::prune_removed(floret::Floret::builder(storage))
        .executor(STEP, world.script.clone())
        .pipeline(chain("other", &["a"]).slug("own"))
        .start();
    assert_eq!(refused.await.unwrap_err().problem(), Problem::AlreadyExists);
    world.pipelines.clear();
    let host = world.start().await;
    let after = get(&host, DAILY).await;
    assert_eq!(after["enabled"], before["enabled"]);
}
