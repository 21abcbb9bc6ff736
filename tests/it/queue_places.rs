//! The place of a run in the queue: its priority, and until when it stays pending.
//!
//! The rules of storage are in the contract, bad input in `bad_input`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use floret::testing::{Gate, Step};
use floret::{Access, EventKind, Priority, Run, RunHandle, RunId, RunStatus, WaitReason};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, Store, World, chain};
use crate::wire::{TestResponse, request, send, with_key};

on_every_backend! {
    a_delayed_run_starts_when_it_is_due,
    a_delay_outlasts_a_crash,
    a_wall_clock_that_is_set_forward_ends_a_delay,
    runs_of_high_priority_start_first,
    a_resume_and_a_rerun_take_the_priority_of_their_run,
    a_key_stands_for_the_same_place_over_http_and_in_rust,
    a_pending_run_shows_why_it_waits,
}

const HOUR: Duration = Duration::from_secs(3_600);
/// The longest pause of the queue before a delayed run.
const QUEUE_PAUSE: Duration = Duration::from_secs(30);

fn start_time() -> DateTime<Utc> {
    "2024-01-15T06:00:00Z".parse().unwrap()
}

/// Asserts that a run started at a time. A test may advance its clock before the queue reads it.
fn assert_started_at(run: &Run, time: DateTime<Utc>) {
    let started_at = run.started_at.unwrap();
    assert!(started_at >= time, "{started_at}");
    assert!(started_at <= time + QUEUE_PAUSE, "{started_at}");
}

async fn call(host: &Host, path: &str, body: Option<Value>) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    let method = body.as_ref().map_or(Method::GET, |_| Method::POST);
    send(&service, request(method, path, body.as_ref())).await
}

/// Triggers a run with a body. Returns its handle.
async fn trigger(host: &Host, body: Value) -> RunHandle {
    let accepted = call(host, "/api/pipelines/p/run", Some(body)).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let id: RunId = accepted.json()["id"].as_str().unwrap().parse().unwrap();
    host.floret.run_by_id(id)
}

async fn shown(host: &Host, run: &RunHandle) -> Value {
    call(host, &format!("/api/runs/{}", run.id()), None)
        .await
        .json()
}

async fn a_delayed_run_starts_when_it_is_due(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    let body = json!({"run_after": "2024-01-15T08:00:00+01:00"});
    let delayed = trigger(&host, body).await;
    // A run that needs no delay shows that the queue has claimed since.
    let other = host.run("p").await.run;
    assert_eq!(other.status, RunStatus::Success);
    let pending = shown(&host, &delayed).await;
    assert_eq!(
        (&pending["status"], &pending["run_after"]),
        (&json!("pending"), &json!("2024-01-15T07:00:00Z"))
    );
    let finished = world.advance_until(QUEUE_PAUSE, delayed.finished());
    let run = finished.await.unwrap().run;
    assert_eq!(run.status, RunStatus::Success);
    assert_started_at(&run, start_time() + HOUR);
    let finished = shown(&host, &delayed).await;
    assert_eq!(finished["run_after"], "2024-01-15T07:00:00Z");
    let past = trigger(&host, json!({"run_after": "2001-01-01T00:00:00Z"})).await;
    let finished = past.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success, "nothing is due");
}

async fn a_delay_outlasts_a_crash(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    let after = start_time() + 2 * HOUR;
    let run = host.floret.run("p").run_after(after).await.unwrap().id();
    host.crash().await;
    world.clock.advance(HOUR);
    let host = world.start().await;
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
    assert_eq!(host.find(run).await.run.status, RunStatus::Pending);
    let run = host.floret.run_by_id(run);
    let finished = world.advance_until(QUEUE_PAUSE, run.finished());
    assert_started_at(&finished.await.unwrap().run, after);
}

/// The queue looks at the wall clock again before a long delay is over.
async fn a_wall_clock_that_is_set_forward_ends_a_delay(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    let after = start_time() + 2 * HOUR;
    let run = host.floret.run("p").run_after(after).await.unwrap();
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
    world.clock.set_wall(after + TimeDelta::seconds(5));
    let before = world.clock.clock().elapsed();
    let finished = world.advance_until(QUEUE_PAUSE, run.finished());
    assert_eq!(finished.await.unwrap().run.status, RunStatus::Success);
    assert!(world.clock.clock().elapsed() - before <= 2 * QUEUE_PAUSE);
}

async fn runs_of_high_priority_start_first(store: Store) {
    let mut world = World::quiet(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 1;
    let gate = Gate::new();
    let first = Step::nothing().at(&gate);
    let rest = std::iter::repeat_n(Step::nothing(), 4);
    world.script.script("a", std::iter::once(first).chain(rest));
    let host = world.start().await;
    let first = host.trigger("p").await;
    world.script.started("a").await;
    let low = trigger(&host, json!({"priority": "low"})).await;
    let normal = trigger(&host, json!({"priority": "normal"})).await;
    let high = host.floret.run("p").priority(Priority::High).await.unwrap();
    let unset = host.trigger("p").await;
    assert_eq!(shown(&host, &low).await["priority"], "low");
    assert_eq!(shown(&host, &high).await["priority"], "high");
    assert_eq!(shown(&host, &normal).await.get("priority"), None);
    gate.open();
    low.finished().await.unwrap();
    let events = host.events().await;
    let started = events
        .iter()
        .filter(|event| event.kind == EventKind::RunStarted);
    let started: Vec<_> = started.map(|event| event.run_id).collect();
    let expected = [&first, &high, &normal, &unset, &low].map(RunHandle::id);
    assert_eq!(started, expected);
}

async fn a_resume_and_a_rerun_take_the_priority_of_their_run(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let script = [Step::permanent("no"), Step::nothing(), Step::nothing()];
    world.script.script("a", script);
    let host = world.start().await;
    let body = json!({"priority": "high", "run_after": "2024-01-15T05:00:00Z"});
    let failed = trigger(&host, body).await;
    assert_eq!(
        failed.finished().await.unwrap().run.status,
        RunStatus::Failed
    );
    for action in ["resume", "rerun"] {
        let path = format!("/api/runs/{}/{action}?wait=60", failed.id());
        let run = call(&host, &path, Some(json!({}))).await.json();
        assert_eq!(
            (&run["status"], &run["priority"]),
            (&json!("success"), &json!("high")),
            "{run}"
        );
        assert_eq!(run.get("run_after"), None);
    }
}

async fn a_key_stands_for_the_same_place_over_http_and_in_rust(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    let after = start_time() + HOUR;
    let builder = host.floret.run("p").key("k").run_after(after);
    let first = builder.clone().priority(Priority::Low).await.unwrap();
    let service = host.floret.service(Access::allow_all());
    let post = async |priority: &str| {
        let body = json!({"run_after": "2024-01-15T07:00:00Z", "priority": priority});
        send(&service, with_key("/api/pipelines/p/run", "k", Some(&body))).await
    };
    let repeated = post("low").await;
    assert_eq!(repeated.status, 202, "{repeated:?}");
    assert_eq!(repeated.json()["id"], json!(first.id()));
    assert_eq!(post("high").await.status, 422);
    let refused = builder.await.unwrap_err();
    assert_eq!(refused.slug(), "idempotency-key-reused");
    // A repeat gets the first answer even when its time would be refused as too late.
    world.clock.set_wall(start_time() - TimeDelta::days(400));
    assert_eq!(post("low").await.json()["id"], json!(first.id()));
}

async fn a_pending_run_shows_why_it_waits(store: Store) {
    let mut world = World::quiet(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 1;
    let gate = Gate::new();
    world
        .script
        .script("a", [Step::nothing().at(&gate), Step::nothing()]);
    let host = world.start().await;
    let first = host.trigger("p").await;
    world.script.started("a").await;
    assert_eq!(shown(&host, &first).await.get("waiting"), None);
    let second = host.trigger("p").await;
    let third = host.trigger("p").await;
    assert_eq!(
        shown(&host, &second).await["waiting"],
        json!({"reason": "engine_limit", "ahead": 0})
    );
    let waiting = third.get().await.unwrap().waiting.unwrap();
    assert_eq!(
        (waiting.reason, waiting.ahead),
        (WaitReason::EngineLimit, Some(1))
    );
    let delayed = trigger(&host, json!({"run_after": "2024-01-15T07:00:00Z"})).await;
    assert_eq!(
        shown(&host, &delayed).await["waiting"],
        json!({"reason": "run_after", "ahead": 2, "until": "2024-01-15T07:00:00Z"})
    );
    host.floret.pipelines().pause("p").await.unwrap();
    let paused = shown(&host, &third).await;
    assert_eq!(paused["waiting"], json!({"reason": "paused", "ahead": 1}));
    let gated = chain("p", &["a"]).depends_on("absent");
    host.floret.add_pipeline(gated).await.unwrap();
    host.floret.pipelines().unpause("p").await.unwrap();
    let blocked = shown(&host, &third).await;
    assert_eq!(
        blocked["waiting"],
        json!({"reason": "dependency", "ahead": 1})
    );
    host.floret.add_pipeline(chain("p", &["a"])).await.unwrap();
    gate.open();
    for run in [first, second, third] {
        let finished = run.finished().await.unwrap();
        assert_eq!(
            (finished.run.status, finished.waiting),
            (RunStatus::Success, None)
        );
    }
}
