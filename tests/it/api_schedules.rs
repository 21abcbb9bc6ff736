//! `GET /scheduler/status`: the next ticks of each schedule, its last run, and why its latest tick
//! was skipped.

use std::time::Duration;

use floret::testing::{Gate, Step};
use floret::{Access, Overlap, Permission, Permissions, Scope, TenantId};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, Store, World, chain};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    schedules_show_their_next_ticks,
    a_skipped_tick_is_shown_until_a_tick_creates_a_run,
    a_schedule_is_shown_in_its_pipeline_and_in_lists,
    parameters_and_other_methods_are_refused,
    a_caller_needs_the_permission_and_sees_only_its_tenants_schedules,
}

async fn get(host: &Host, path: &str) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    send(&service, request(Method::GET, path, None)).await
}

async fn status(host: &Host) -> Value {
    let response = get(host, "/api/scheduler/status").await;
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

async fn schedules_show_their_next_ticks(store: Store) {
    let weekdays = chain("p", &["a"])
        .name("Weekdays")
        .schedule("30 7 * * mon-fri")
        .schedule_timezone("Europe/Berlin");
    let mut off = chain("q", &["a"]).schedule("@daily");
    off.enabled = false;
    let world = World::quiet(store)
        .pipeline(weekdays)
        .pipeline(off)
        .pipeline(chain("r", &["a"]));
    let host = world.start().await;
    let expected = json!([
        {
            "pipeline_id": "p", "pipeline_name": "Weekdays", "schedule": "30 7 * * mon-fri", "timezone": "Europe/Berlin", "enabled": true,
            "next_run": "2024-01-15T06:30:00Z",
            "next_runs": [
                "2024-01-15T06:30:00Z", "2024-01-16T06:30:00Z", "2024-01-17T06:30:00Z", "2024-01-18T06:30:00Z", "2024-01-19T06:30:00Z",
            ],
        },
        {
            "pipeline_id": "q", "pipeline_name": "q", "schedule": "@daily", "timezone": "UTC", "enabled": false, "next_runs": [],
        },
    ]);
    assert_eq!(status(&host).await, expected);
}

async fn a_skipped_tick_is_shown_until_a_tick_creates_a_run(store: Store) {
    let hourly = chain("p", &["a"])
        .schedule("0 * * * *")
        .overlap(Overlap::Skip);
    let world = World::quiet(store).pipeline(hourly);
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    for hour in [7, 8] {
        world.clock.sleeper_within(Duration::from_secs(60)).await;
        world.clock.advance(Duration::from_secs(3_600));
        world.clock.sleeper_within(Duration::from_secs(60)).await;
        let shown = status(&host).await;
        let shown = &shown[0];
        assert_eq!(shown["last_run"], "2024-01-15T07:00:00Z");
        let next = format!("2024-01-15T{:02}:00:00Z", hour + 1);
        assert_eq!(shown["next_run"], next);
        let reason = (hour == 8).then(|| json!("overlap"));
        assert_eq!(shown.get("skipped_reason"), reason.as_ref());
        world.script.started("a").await;
    }
    gate.open();
}

async fn a_schedule_is_shown_in_its_pipeline_and_in_lists(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]).schedule("@daily"));
    let host = world.start().await;
    let shown = get(&host, "/api/pipelines/p").await.json();
    for (field, value) in [
        ("schedule", json!("@daily")),
        ("schedule_timezone", json!("UTC")),
        ("catch_up", json!(false)),
        ("overlap", json!("queue")),
    ] {
        assert_eq!(shown[field], value);
    }
    let listed = get(&host, "/api/pipelines").await.json();
    assert!(listed.to_string().contains(r#""schedule":"@daily""#));
    // Writing back what was read changes nothing.
    let service = host.floret.service(Access::allow_all());
    let again = request(Method::PUT, "/api/pipelines/p", Some(&shown));
    let again = send(&service, again).await.json();
    assert_eq!(again["schedule"], shown["schedule"]);
}

async fn parameters_and_other_methods_are_refused(store: Store) {
    let world = World::quiet(store);
    let host = world.start().await;
    assert_eq!(status(&host).await, json!([]));
    get(&host, "/api/scheduler/status?x=1")
        .await
        .assert_problem(400, "invalid-parameter");
    let service = host.floret.service(Access::allow_all());
    let post = request(Method::POST, "/api/scheduler/status", None);
    send(&service, post)
        .await
        .assert_problem(405, "method-not-allowed");
}

async fn a_caller_needs_the_permission_and_sees_only_its_tenants_schedules(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]).schedule("@daily"));
    let host = world.start().await;
    let service = host.floret.service(Access::from_extensions());
    let get_with = async |permissions: Permissions| {
        let mut get = request(Method::GET, "/api/scheduler/status", None);
        get.extensions_mut().insert(permissions);
        send(&service, get).await
    };
    get_with(Permissions::of([Permission::RunsView]))
        .await
        .assert_problem(403, "forbidden");
    let allowed = Permissions::of([Permission::PipelinesView]);
    assert_eq!(
        get_with(allowed.clone()).await.json()[0]["pipeline_id"],
        "p"
    );
    let narrowed = allowed.scope(Scope::Tenant(TenantId::new("ann").unwrap()));
    assert_eq!(get_with(narrowed).await.json(), json!([]));
}
