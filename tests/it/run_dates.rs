//! The one date of a run: on every path, `params.date`, `${param.date}`, `${run.date}` and
//! `ctx.date` are the same date. Its instant goes with it: `${run.scheduled_at}` and
//! `ctx.scheduled_at`.
//!
//! The dates of ticks around clock changes are left to `schedules`.

use std::sync::Arc;
use std::time::Duration;

use chrono::SecondsFormat;
use floret::executor::{Ctx, ExecutorError};
use floret::testing::{ManualClock, Step};
use floret::{Access, EventKind, Node, Pipeline, Problem, RunStatus, Trigger};
use http::Method;
use parking_lot::Mutex;
use serde_json::json;

use crate::harness::{Host, STEP, Store, World};
use crate::wire::{request, send};

on_every_backend! {
    every_path_to_a_run_gives_it_one_date,
    a_date_that_is_none_is_refused_with_what_it_must_be,
    an_empty_date_counts_as_none,
    a_repeated_key_gets_its_first_run_although_the_day_is_over,
}

/// What a node saw: `params.date`, `${param.date}`, `${run.date}` and `ctx.date`, then
/// `${run.scheduled_at}` and `ctx.scheduled_at`.
type Seen = Arc<Mutex<Vec<([String; 4], [String; 2])>>>;

/// Returns what a node sees of a date and an instant.
fn sight(date: &str, instant: &str) -> ([String; 4], [String; 2]) {
    (
        [date; 4].map(str::to_owned),
        [instant; 2].map(str::to_owned),
    )
}

/// Returns a pipeline whose days begin nine hours before those of UTC.
fn tokyo() -> Pipeline {
    let see = Node::new("see", "see")
        .config("param", "${param.date}")
        .config("run", "${run.date}")
        .config("instant", "${run.scheduled_at}");
    Pipeline::new("p")
        .with(see)
        .node("end", STEP)
        .after("see")
        .schedule("30 0 * * *")
        .schedule_timezone("Asia/Tokyo")
}

/// Starts a host whose node `see` records what it saw.
async fn start(world: &World, seen: &Seen) -> Host {
    let seen = Arc::clone(seen);
    let see = move |ctx: Ctx| {
        let seen = Arc::clone(&seen);
        async move {
            let text = |key: &str| ctx.node.config[key].as_str().unwrap_or_default().to_owned();
            let param = ctx.param("date").unwrap_or_default().to_owned();
            let all = [param, text("param"), text("run"), ctx.date.to_string()];
            let instant = ctx
                .scheduled_at
                .to_rfc3339_opts(SecondsFormat::AutoSi, true);
            seen.lock().push((all, [text("instant"), instant]));
            Ok::<(), ExecutorError>(())
        }
    };
    world.start_with(|builder| builder.node("see", see)).await
}

async fn every_path_to_a_run_gives_it_one_date(store: Store) {
    let mut world = World::quiet(store).pipeline(tokyo());
    world.clock = ManualClock::new("2024-01-15T23:00:00Z".parse().unwrap());
    world.script.script("end", [Step::permanent("broken")]);
    let (seen, date) = (Seen::default(), "2023-12-31".parse().unwrap());
    let host = start(&world, &seen).await;
    let floret = &host.floret;

    floret
        .run("p")
        .start()
        .await
        .unwrap()
        .finished()
        .await
        .unwrap();
    let given = floret.run("p").date(date).start().await.unwrap();
    given.finished().await.unwrap();
    let resumed = given.resume().from_node("see").await.unwrap();
    resumed.finished().await.unwrap();
    floret.dry_run("p").await.unwrap();
    floret.dry_run("p").date(date).await.unwrap();
    let backfill = floret.backfill("p", date..=date).start().await.unwrap();
    floret
        .run_by_id(backfill.run_ids()[0])
        .finished()
        .await
        .unwrap();
    host.wait_for_events(EventKind::RunFailed, 4).await;
    let today = || sight("2024-01-16", "2024-01-15T23:00:00Z");
    let given = || sight("2023-12-31", "2023-12-30T15:00:00Z");
    let expected = [today(), given(), given(), today(), given(), given()];
    assert_eq!(*seen.lock(), expected);

    // The tick of 00:30 in Tokyo. The scheduler sleeps for at most a minute.
    world.clock.sleeper_within(Duration::from_secs(60)).await;
    world.clock.advance(Duration::from_secs(16 * 3_600 + 1_800));
    host.wait_for_events(EventKind::RunFailed, 5).await;
    let tick = host.runs().await.remove(0);
    assert_eq!(tick.trigger, Trigger::Schedule);
    let expected = sight("2024-01-17", "2024-01-16T15:30:00Z");
    assert_eq!(seen.lock().last(), Some(&expected));
    assert_eq!(tick.scheduled_at, Some(tick.instant()));
}

async fn a_date_that_is_none_is_refused_with_what_it_must_be(store: Store) {
    let world = World::new(store).pipeline(tokyo());
    let host = start(&world, &Seen::default()).await;
    let service = host.floret.service(Access::allow_all());
    for path in ["/api/pipelines/p/run", "/api/pipelines/p/dry-run"] {
        for date in ["yesterday", "2024-02-30", "2024-1-5", "15.01.2024", " "] {
            let body = json!({"params": {"date": date}});
            let answer = send(&service, request(Method::POST, path, Some(&body))).await;
            assert_eq!(answer.status, 422, "{path} {date}");
            let error = &answer.json()["errors"][0];
            assert_eq!(error["pointer"], "/params/date");
            let detail = error["detail"].as_str().unwrap();
            assert!(
                detail.contains("2024-01-15") && detail.contains(date),
                "{detail}"
            );
        }
    }
    let saved = tokyo().param("date", "tomorrow");
    let body = serde_json::to_value(&saved).unwrap();
    let put = request(Method::PUT, "/api/pipelines/p", Some(&body));
    let answer = send(&service, put).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/params/date");
    assert_eq!(host.runs().await.len(), 0);
}

async fn an_empty_date_counts_as_none(store: Store) {
    let world = World::new(store).pipeline(tokyo().param("date", ""));
    let host = start(&world, &Seen::default()).await;
    let finished = host.run("p").await;
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(finished.run.params["date"], "2024-01-15");
    let run = host
        .floret
        .run("p")
        .param("date", "")
        .start()
        .await
        .unwrap();
    let finished = run.finished().await.unwrap();
    assert_eq!(finished.run.params["date"], "2024-01-15");
}

async fn a_repeated_key_gets_its_first_run_although_the_day_is_over(store: Store) {
    let world = World::new(store).pipeline(tokyo());
    let host = start(&world, &Seen::default()).await;
    let trigger = || host.floret.run("p").key("once").start();
    let first = trigger().await.unwrap();
    world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(trigger().await.unwrap().id(), first.id());
    let other = host.floret.run("p").key("once").param("date", "2024-01-01");
    let refused = other.start().await.unwrap_err();
    assert_eq!(refused.problem(), Problem::IdempotencyKeyReused);
}
