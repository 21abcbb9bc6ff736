//! Concurrency keys: every path gives a run its key, and runs of a key execute one after another.
//!
//! The rules of storage are in the contract, definitions that are wrong in `bad_input`.

use std::time::Duration;

use floret::testing::{Gate, ManualClock, Step};
use floret::{
    Access, Concurrency, DependencyRule, Event, EventKind, Pipeline, Problem, Run, RunHandle,
    RunStatus, Trigger, WaitReason,
};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, STEP, Store, World, chain};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    runs_of_a_key_execute_one_after_another,
    every_path_gives_a_run_its_key,
    every_path_refuses_a_run_without_its_key,
    a_cancelled_run_lets_the_next_of_its_key_start,
    a_saved_definition_leaves_the_keys_of_runs_as_they_are,
    a_crash_lets_no_second_run_of_a_key_start,
    a_tick_of_a_definition_that_no_save_has_checked_fails_and_names_the_parameter,
    a_definition_whose_key_no_run_can_have_is_invalid,
}

const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);

fn by_customer() -> Pipeline {
    chain("p", &["a"]).concurrency(Concurrency::new("${param.customer}"))
}

async fn call(host: &Host, path: &str, body: Option<Value>) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    let method = body.as_ref().map_or(Method::GET, |_| Method::POST);
    send(&service, request(method, path, body.as_ref())).await
}

async fn start(host: &Host, customer: &str) -> RunHandle {
    let run = host.floret.run("p").param("customer", customer);
    run.await.unwrap()
}

/// Returns the reason why a run waits, and how many runs are ahead of it.
async fn waits(run: &RunHandle) -> Option<(WaitReason, Option<u64>)> {
    let waiting = run.get().await.unwrap().waiting?;
    Some((waiting.reason, waiting.ahead))
}

async fn finish(run: &RunHandle) -> Run {
    run.finished().await.unwrap().run
}

fn key(run: &Run) -> &str {
    &run.concurrency.as_ref().unwrap().key
}

async fn runs_of_a_key_execute_one_after_another(store: Store) {
    let world = World::quiet(store).pipeline(by_customer());
    let gate = Gate::new();
    let rest = std::iter::repeat_n(Step::nothing(), 3);
    let steps = std::iter::once(Step::nothing().at(&gate)).chain(rest);
    world.script.script("a", steps);
    let host = world.start().await;
    let first = start(&host, "acme").await;
    world.script.started("a").await;
    let (second, third) = (start(&host, "acme").await, start(&host, "acme").await);
    let other = finish(&start(&host, "umbrella").await).await;
    assert_eq!(
        (other.status, key(&other)),
        (RunStatus::Success, "umbrella")
    );
    let key = WaitReason::ConcurrencyKey;
    assert_eq!(waits(&second).await, Some((key, Some(0))));
    assert_eq!(waits(&third).await, Some((key, Some(1))));
    let shown = call(&host, &format!("/api/runs/{}", third.id()), None).await;
    assert_eq!(
        (&shown.json()["waiting"], &shown.json()["concurrency_key"]),
        (
            &json!({"reason": "concurrency_key", "ahead": 1}),
            &json!("acme")
        )
    );
    gate.open();
    let finished = [&first, &second, &third].map(finish);
    let mut ended = None;
    for finished in finished {
        let run = finished.await;
        assert_eq!(run.status, RunStatus::Success);
        assert!(ended <= run.started_at, "{run:?}");
        ended = run.finished_at;
    }
}

async fn every_path_gives_a_run_its_key(store: Store) {
    let scheduled = Pipeline::new("p")
        .node("a", STEP)
        .param("customer", "acme")
        .concurrency(Concurrency::new("${param.customer} ${run.date}").max(2))
        .schedule("0 * * * *")
        .catch_up()
        .dependency(DependencyRule::any("up"))
        .webhook_token("0123456789abcdef");
    let mut world = World::quiet(store)
        .pipeline(scheduled)
        .pipeline(chain("up", &["b"]));
    world.clock = ManualClock::new("2024-01-15T06:30:00Z".parse().unwrap());
    let steps = [Step::permanent("broken"), Step::pass_on()];
    world.script.script("a", steps);
    let host = world.start().await;
    let failed = finish(&start(&host, "umbrella").await).await;
    let failed = host.floret.run_by_id(failed.id);
    finish(&failed.resume().await.unwrap()).await;
    finish(&failed.rerun().param("customer", "wonka").await.unwrap()).await;
    let webhook = host.floret.run("p").webhook("0123456789abcdef");
    finish(&webhook.await.unwrap()).await;
    let day = "2024-01-01".parse().unwrap();
    let backfill = host.floret.backfill("p", day..=day).await.unwrap();
    backfill.finished().await.unwrap();
    // The run of the upstream, and the one that it starts.
    host.run("up").await;
    host.wait_for_events(EventKind::RunCompleted, 6).await;
    // The tick of seven o'clock. The scheduler sleeps for at most a minute.
    world.clock.sleeper_within(Duration::from_secs(60)).await;
    world.clock.advance(HALF_AN_HOUR);
    host.wait_for_events(EventKind::RunCompleted, 7).await;
    host.stop().await;
    // Ten minutes after the tick of eight o'clock.
    world.clock.advance(Duration::from_secs(4_200));
    let host = world.start().await;
    host.wait_for_events(EventKind::RunCompleted, 8).await;
    let runs = host.runs().await;
    let of_p = runs
        .iter()
        .rev()
        .filter(|run| run.pipeline_id.as_str() == "p");
    let seen: Vec<_> = of_p.map(|run| (run.trigger, key(run))).collect();
    assert_eq!(
        seen,
        [
            (Trigger::Manual, "umbrella 2024-01-15"),
            (Trigger::Resume, "umbrella 2024-01-15"),
            (Trigger::Manual, "wonka 2024-01-15"),
            (Trigger::Webhook, "acme 2024-01-15"),
            (Trigger::Backfill, "acme 2024-01-01"),
            (Trigger::Dependency, "acme 2024-01-15"),
            (Trigger::Schedule, "acme 2024-01-15"),
            (Trigger::Catchup, "acme 2024-01-15"),
        ]
    );
}

async fn every_path_refuses_a_run_without_its_key(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    world
        .script
        .script("a", [Step::permanent("broken"), Step::nothing()]);
    let host = world.start().await;
    let failed = host.run("p").await.run.id;
    host.floret.add_pipeline(by_customer()).await.unwrap();
    let days = json!({"start_date": "2024-01-01", "end_date": "2024-01-02"});
    let mut preview = days.clone();
    preview["preview"] = json!(true);
    let current = json!({"definition": "current"});
    for (path, body) in [
        ("/api/pipelines/p/run".to_owned(), json!({})),
        ("/api/pipelines/p/dry-run".to_owned(), json!({})),
        ("/api/pipelines/p/backfill".to_owned(), days),
        ("/api/pipelines/p/backfill".to_owned(), preview),
        (format!("/api/runs/{failed}/resume"), current.clone()),
        (format!("/api/runs/{failed}/rerun"), current),
    ] {
        let refused = call(&host, &path, Some(body)).await;
        assert_eq!(refused.status, 422, "{path}");
        let problem = refused.json();
        assert_eq!(problem["type"], "urn:floret:problem:param-invalid");
        assert_eq!(
            problem["errors"][0]["pointer"], "/params/customer",
            "{path}"
        );
    }
    let long = "x".repeat(256);
    let refused = host.floret.run("p").param("customer", long);
    let refused = refused.await.unwrap_err();
    assert_eq!(refused.problem(), Problem::ParamInvalid);
    assert!(refused.to_string().contains("at most 255 characters"));
    let recorded = host.floret.run_by_id(failed).rerun().await.unwrap();
    assert_eq!(finish(&recorded).await.concurrency, None);
    assert_eq!(host.runs().await.len(), 2);
}

async fn a_cancelled_run_lets_the_next_of_its_key_start(store: Store) {
    let by_date = chain("p", &["a"]).concurrency(Concurrency::new("${run.date}"));
    let world = World::quiet(store).pipeline(by_date);
    let gate = Gate::new();
    let steps = [Step::nothing().at(&gate), Step::nothing(), Step::nothing()];
    world.script.script("a", steps);
    let host = world.start().await;
    let [first, last] = ["2024-01-01", "2024-01-02"].map(|day| day.parse().unwrap());
    let slow = host.floret.backfill("p", first..=last).max_parallel(1);
    let slow = slow.await.unwrap();
    world.script.started("a").await;
    let ready = host.floret.run_by_id(slow.run_ids()[1]);
    assert_eq!(
        waits(&ready).await,
        Some((WaitReason::BackfillLimit, Some(0)))
    );
    let other = host.floret.backfill("p", last..=last).await.unwrap();
    let held = host.floret.run_by_id(other.run_ids()[0]);
    let key = Some((WaitReason::ConcurrencyKey, Some(1)));
    assert_eq!(waits(&held).await, key);
    ready.cancel().await.unwrap();
    assert_eq!(finish(&held).await.status, RunStatus::Success);
    gate.open();
    slow.finished().await.unwrap();
}

async fn a_saved_definition_leaves_the_keys_of_runs_as_they_are(store: Store) {
    let world = World::quiet(store).pipeline(by_customer());
    let gate = Gate::new();
    let steps = [Step::nothing().at(&gate), Step::nothing(), Step::nothing()];
    world.script.script("a", steps);
    let host = world.start().await;
    let first = start(&host, "acme").await;
    world.script.started("a").await;
    let held = start(&host, "acme").await;
    host.floret.add_pipeline(chain("p", &["a"])).await.unwrap();
    let free = finish(&start(&host, "acme").await).await;
    assert_eq!((free.status, free.concurrency), (RunStatus::Success, None));
    let key = Some((WaitReason::ConcurrencyKey, Some(0)));
    assert_eq!(waits(&held).await, key);
    gate.open();
    finish(&first).await;
    assert_eq!(finish(&held).await.status, RunStatus::Success);
}

async fn a_crash_lets_no_second_run_of_a_key_start(store: Store) {
    let world = World::quiet(store).pipeline(by_customer());
    let gate = Gate::new();
    let steps = [
        Step::nothing().at(&Gate::new()),
        Step::nothing().at(&gate),
        Step::nothing(),
    ];
    world.script.script("a", steps);
    let host = world.start().await;
    let first = start(&host, "acme").await.id();
    world.script.started("a").await;
    let second = start(&host, "acme").await.id();
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    world.script.started_times("a", 2).await;
    let [first, second] = [first, second].map(|run| host.floret.run_by_id(run));
    let key = Some((WaitReason::ConcurrencyKey, Some(0)));
    assert_eq!(waits(&second).await, key);
    gate.open();
    let (first, second) = (finish(&first).await, finish(&second).await);
    assert_eq!(first.status, RunStatus::Success);
    let events = host.events().await;
    let place = |run: &Run, kind| {
        let is_meant = |event: &Event| event.run_id == run.id && event.kind == kind;
        events.iter().position(is_meant).unwrap()
    };
    assert!(place(&first, EventKind::RunCompleted) < place(&second, EventKind::RunStarted));
}

async fn a_tick_of_a_definition_that_no_save_has_checked_fails_and_names_the_parameter(
    store: Store,
) {
    let mut world = World::quiet(store);
    let run = world.failed_tick_of_unchecked(by_customer()).await;
    let error = run.error.unwrap();
    assert!(
        error.contains("the parameter \"customer\" is missing"),
        "{error}"
    );
    assert_eq!(world.calls().get("a"), None);
}

async fn a_definition_whose_key_no_run_can_have_is_invalid(store: Store) {
    let world = World::quiet(store);
    let storage = world.store.open().await;
    for (id, key) in [("p", "${run.id}"), ("q", "${param.absent}")] {
        let definition = chain(id, &["a"])
            .concurrency(Concurrency::new(key))
            .param_def(floret::ParamDef::string("customer"));
        world.save_unchecked(&storage, definition).await;
    }
    let host = world.start_on(storage, |builder| builder).await;
    let report = async |id: &str| {
        let path = format!("/api/pipelines/{id}/validate");
        call(&host, &path, None).await.json()
    };
    let invalid = report("p").await;
    assert_eq!(invalid["errors"][0]["pointer"], "/concurrency/key");
    let odd = report("q").await;
    assert_eq!(odd["errors"], json!([]));
    let warnings = odd["warnings"].as_array().unwrap();
    let of_key = warnings
        .iter()
        .find(|warning| warning["pointer"] == "/concurrency/key");
    let detail = of_key.unwrap()["detail"].as_str().unwrap();
    assert!(detail.contains("no parameter \"absent\""), "{detail}");
}
