//! Pauses of pipelines: what waits, what goes on, and what a pause outlasts.
//!
//! The rules of storage are in the contract, ticks in `schedules`.

use std::time::Duration;

use floret::testing::{Gate, Step};
use floret::{Access, Decision, RunStatus, Scope};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, Store, World, chain};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    pending_runs_wait_and_executing_ones_go_on,
    a_pause_outlasts_a_restart_and_every_edit,
    a_pause_shows_who_when_and_why,
    the_tag_of_a_pipeline_changes_with_its_pause,
    a_field_of_a_definition_is_no_pause,
}

async fn call(host: &Host, method: Method, path: &str, body: Option<Value>) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    send(
        &service,
        request(method, &format!("/api/pipelines/p{path}"), body.as_ref()),
    )
    .await
}

async fn pause(host: &Host, action: &str) -> Value {
    let answer = call(host, Method::POST, &format!("/{action}"), None).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

async fn pending_runs_wait_and_executing_ones_go_on(store: Store) {
    let mut world = World::quiet(store).pipeline(chain("p", &["a", "b"]));
    world.limits.runs_max = 1;
    let gate = Gate::new();
    world
        .script
        .script("a", [Step::nothing().at(&gate), Step::nothing()]);
    let host = world.start().await;
    let first = host.trigger("p").await;
    world.script.started("a").await;
    let second = host.trigger("p").await;
    assert!(pause(&host, "pause").await["paused"].is_object());
    gate.open();
    let finished = first.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    let third = host.trigger("p").await;
    // A run of another pipeline shows that the queue has claimed since.
    let other = host.floret.pipelines();
    other.create(chain("other", &["a"])).await.unwrap();
    assert_eq!(host.run("other").await.run.status, RunStatus::Success);
    for waiting in [&second, &third] {
        assert_eq!(host.stored(waiting).await.run.status, RunStatus::Pending);
    }
    assert_eq!(pause(&host, "unpause").await.get("paused"), None);
    for waiting in [second, third] {
        let finished = waiting.finished().await.unwrap();
        assert_eq!(finished.run.status, RunStatus::Success);
    }
}

async fn a_pause_outlasts_a_restart_and_every_edit(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world
        .start_with(floret::Builder::allow_pipeline_edits)
        .await;
    let paused = pause(&host, "pause").await;
    let run = host.trigger("p").await.id();

    let mut edited = paused.clone();
    edited["description"] = json!("edited");
    let answer = call(&host, Method::PUT, "", Some(edited)).await;
    assert_eq!(answer.status, 200);
    let saved = answer.json();
    assert_eq!(
        (&saved["paused"], &saved["version"]),
        (&paused["paused"], &json!(2))
    );
    assert_eq!(
        saved.get("warnings"),
        None,
        "what was read can be sent back"
    );
    let answer = call(
        &host,
        Method::POST,
        "/rollback",
        Some(json!({"version": 1})),
    )
    .await;
    assert_eq!(answer.json()["paused"], paused["paused"]);

    host.stop().await;
    let host = world.start().await;
    let found = call(&host, Method::GET, "", None).await.json();
    assert_eq!(found["paused"], paused["paused"]);
    assert_eq!(host.find(run).await.run.status, RunStatus::Pending);
    pause(&host, "unpause").await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
}

async fn a_pause_shows_who_when_and_why(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    let ann = Access::custom(|_, _| Decision::allow(Scope::All).by("ann"));
    let service = host.floret.service(ann);
    let pause = async |reason: &str| {
        let body = json!({"reason": reason});
        let paused = request(Method::POST, "/api/pipelines/p/pause", Some(&body));
        send(&service, paused).await.json()["paused"].clone()
    };
    let expected = json!({"at": "2024-01-15T06:00:00Z", "by": "ann", "reason": "the source moves"});
    assert_eq!(pause("the source moves").await, expected);
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(
        pause("another reason").await,
        expected,
        "the first one stands"
    );
    let list = send(&service, request(Method::GET, "/api/pipelines", None)).await;
    assert_eq!(list.json()[0]["paused"], expected);
    let in_rust = host.floret.pipelines().get("p").await.unwrap();
    assert_eq!(json!(in_rust.paused), expected);
}

/// A client that has the pipeline must see that it is paused. A save may come from before.
async fn the_tag_of_a_pipeline_changes_with_its_pause(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world
        .start_with(floret::Builder::allow_pipeline_edits)
        .await;
    let tag = async || {
        let answer = call(&host, Method::GET, "", None).await;
        answer.headers["etag"].to_str().unwrap().to_owned()
    };
    let before = tag().await;
    pause(&host, "pause").await;
    let paused = tag().await;
    assert_ne!(before, paused);
    let service = host.floret.service(Access::allow_all());
    for (known, status) in [(&before, 200), (&paused, 304)] {
        let mut get = request(Method::GET, "/api/pipelines/p", None);
        get.headers_mut()
            .insert("if-none-match", known.parse().unwrap());
        assert_eq!(send(&service, get).await.status, status);
    }
    let definition = serde_json::to_value(chain("p", &["a"])).unwrap();
    for (known, status) in [
        (&before, 200),
        (&paused, 200),
        (&paused.replace('+', "+x"), 412),
    ] {
        let mut put = request(Method::PUT, "/api/pipelines/p", Some(&definition));
        put.headers_mut().insert("if-match", known.parse().unwrap());
        assert_eq!(send(&service, put).await.status, status, "{known}");
    }
    pause(&host, "unpause").await;
    assert_eq!(tag().await, before);
}

async fn a_field_of_a_definition_is_no_pause(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world
        .start_with(floret::Builder::allow_pipeline_edits)
        .await;
    let mut definition = serde_json::to_value(chain("p", &["a"])).unwrap();
    definition["paused"] = json!(true);
    let saved = call(&host, Method::PUT, "", Some(definition)).await.json();
    assert_eq!(saved["warnings"][0]["pointer"], "/paused");
    let found = call(&host, Method::GET, "", None).await.json();
    assert_eq!(found.get("paused"), None);
    let paused = pause(&host, "pause").await;
    let answer = call(&host, Method::PUT, "", Some(paused)).await;
    assert_eq!(answer.status, 200, "what was read can be sent back");

    let service = host.floret.service(Access::allow_all());
    for (action, tag, status) in [
        ("unpause", "\"p.1\"", 412),
        ("unpause", "*", 200),
        ("pause", "\"p.1\"", 412),
    ] {
        let mut post = request(Method::POST, &format!("/api/pipelines/p/{action}"), None);
        post.headers_mut().insert("if-match", tag.parse().unwrap());
        assert_eq!(send(&service, post).await.status, status, "{action} {tag}");
    }
}
