//! Schedules: each tick creates one run, despite restarts, daylight saving time, clocks that jump
//! and storage that fails.
//!
//! The ticks of an expression are left to the tests of `cron`.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use floret::executor::{Ctx, ExecutorError};
use floret::storage::{Schedules as _, StoredSchedule};
use floret::testing::{Fault, Gate, ManualClock, Method, Step};
use floret::{
    Access, Builder, Cancel, EventKind, Overlap, Pipeline, Problem, Run, RunStatus, Scope,
    SkipReason, Trigger,
};

use crate::harness::{Host, Store, World, chain};
use crate::wire::{request, send};

on_every_backend! {
    a_tick_creates_a_run_at_its_instant_with_the_local_date,
    a_skipped_local_time_fires_after_the_gap_and_a_repeated_one_fires_once,
    the_latest_missed_tick_is_caught_up_after_a_restart,
    missed_ticks_create_no_run_without_catch_up_or_after_a_day,
    a_tick_during_a_restart_is_not_lost,
    runs_of_a_schedule_do_not_overlap,
    a_waiting_run_still_waits_after_a_crash,
    an_overlapping_tick_is_skipped_and_recorded,
    an_overlapping_tick_stops_the_executing_run_and_replaces_the_waiting_one,
    every_missed_tick_is_caught_up_the_oldest_first,
    a_disabled_pipeline_fires_only_after_it_is_enabled,
    a_changed_schedule_applies_from_its_save,
    a_deleted_pipeline_no_longer_fires,
    no_schedule_fires_after_a_shutdown,
    a_tick_creates_one_run_even_if_storage_fails,
    a_crash_after_a_tick_does_not_repeat_it,
    two_schedulers_create_one_run_for_each_tick,
    a_jumping_clock_repeats_no_tick,
    a_clock_that_is_set_back_does_not_stop_a_schedule,
    a_tick_with_an_unknown_node_type_creates_a_failed_run_that_names_it,
    a_tick_at_a_full_queue_is_recorded,
    a_tick_of_a_paused_pipeline_is_skipped_and_never_caught_up,
    a_clock_that_a_test_advances_during_a_round_adds_no_sleep,
}

/// Longer than any sleep of the scheduler, and shorter than all other sleeps in a quiet world.
const CHECK: Duration = Duration::from_secs(60);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn every_hour() -> Pipeline {
    chain("p", &["a"]).schedule("0 * * * *")
}

/// Returns a quiet world whose clock stands at half past six.
fn world(store: Store, pipeline: Pipeline) -> World {
    let mut world = World::quiet(store).pipeline(pipeline);
    world.clock = ManualClock::new(at("2024-01-15T06:30:00Z"));
    world
}

/// Waits until the scheduler has handled every due tick and sleeps.
async fn scheduler_sleeps(world: &World) {
    world.clock.sleeper_within(CHECK).await;
}

/// Advances the clock to an instant and waits until the scheduler has handled every due tick.
async fn advance_to(world: &World, instant: &str) {
    scheduler_sleeps(world).await;
    let now = world.clock.clock().now();
    let step = at(instant).signed_duration_since(now).to_std().unwrap();
    world.clock.advance(step);
    scheduler_sleeps(world).await;
}

async fn schedule(host: &Host) -> StoredSchedule {
    let mut all = host.storage.schedules(&Scope::All).await.unwrap();
    all.pop().unwrap()
}

/// Returns the trigger and the creation time of each run, oldest first.
async fn created_runs(host: &Host) -> Vec<(Trigger, DateTime<Utc>)> {
    let runs = host.runs().await.into_iter().rev();
    runs.map(|run| (run.trigger, run.created_at)).collect()
}

async fn put(host: &Host, pipeline: &Pipeline) {
    let body = serde_json::to_value(pipeline).unwrap();
    let path = format!("/api/pipelines/{}", pipeline.id);
    let service = host.floret.service(Access::allow_all());
    let answer = send(&service, request(http::Method::PUT, &path, Some(&body))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn a_tick_creates_a_run_at_its_instant_with_the_local_date(store: Store) {
    let tokyo = chain("p", &["a"])
        .schedule("30 0 * * *")
        .schedule_timezone("Asia/Tokyo")
        .param("region", "eu");
    let world = world(store, tokyo);
    let host = world.start().await;
    advance_to(&world, "2024-01-15T15:29:59Z").await;
    assert_eq!(host.runs().await.len(), 0);
    advance_to(&world, "2024-01-15T15:30:00Z").await;
    host.wait_for_events(EventKind::RunCompleted, 1).await;
    let run = host.runs().await.remove(0);
    assert_eq!(run.date, NaiveDate::from_ymd_opt(2024, 1, 16).unwrap());
    assert_eq!(run.params["region"], "eu");
    advance_to(&world, "2024-01-16T15:30:00Z").await;
    let expected = ["2024-01-15T15:30:00Z", "2024-01-16T15:30:00Z"];
    assert_eq!(
        created_runs(&host).await,
        expected.map(|instant| (Trigger::Schedule, at(instant)))
    );
    assert_eq!(schedule(&host).await.last_run, Some(at(expected[1])));
}

async fn a_skipped_local_time_fires_after_the_gap_and_a_repeated_one_fires_once(store: Store) {
    let night = chain("p", &["a"])
        .schedule("30 2 * * *")
        .schedule_timezone("Europe/Berlin");
    let mut world = world(store, night);
    world.clock = ManualClock::new(at("2024-03-30T12:00:00Z"));
    let host = world.start().await;
    let spring = ["2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"];
    let autumn = ["2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"];
    for instant in spring {
        advance_to(&world, instant).await;
    }
    advance_to(&world, "2024-10-26T12:00:00Z").await;
    advance_to(&world, autumn[0]).await;
    advance_to(&world, "2024-10-27T01:30:00Z").await;
    advance_to(&world, autumn[1]).await;
    let expected = [spring, autumn].concat();
    let expected: Vec<_> = expected
        .into_iter()
        .map(|instant| (Trigger::Schedule, at(instant)))
        .collect();
    assert_eq!(created_runs(&host).await, expected);
}

async fn the_latest_missed_tick_is_caught_up_after_a_restart(store: Store) {
    let world = world(store, every_hour().catch_up());
    let host = world.start().await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    host.stop().await;
    world.clock.advance(Duration::from_secs(5 * 3_600 + 600));
    let host = world.start().await;
    scheduler_sleeps(&world).await;
    let catch_up = (Trigger::Catchup, at("2024-01-15T12:10:00Z"));
    assert_eq!(created_runs(&host).await[1..], [catch_up]);
    let stored = schedule(&host).await;
    assert_eq!(stored.last_run, Some(at("2024-01-15T12:00:00Z")));
    advance_to(&world, "2024-01-15T13:00:00Z").await;
    assert_eq!(
        created_runs(&host).await.len(),
        3,
        "the next tick fires as usual"
    );
}

async fn missed_ticks_create_no_run_without_catch_up_or_after_a_day(store: Store) {
    let weekly = chain("q", &["a"]).schedule("0 7 * * 1").catch_up();
    let world = world(store, every_hour()).pipeline(weekly);
    let host = world.start().await;
    scheduler_sleeps(&world).await;
    host.stop().await;
    world.clock.advance(Duration::from_secs(25 * 3_600));
    let host = world.start().await;
    scheduler_sleeps(&world).await;
    assert_eq!(created_runs(&host).await, []);
    let schedules = host.storage.schedules(&Scope::All).await.unwrap();
    for stored in schedules {
        assert_eq!(stored.cursor, at("2024-01-16T07:30:00Z"));
    }
}

async fn a_tick_during_a_restart_is_not_lost(store: Store) {
    let world = world(store, every_hour());
    let host = world.start().await;
    advance_to(&world, "2024-01-15T06:59:55Z").await;
    host.stop().await;
    world.clock.advance(Duration::from_secs(15));
    let host = world.start().await;
    scheduler_sleeps(&world).await;
    let tick = (Trigger::Schedule, at("2024-01-15T07:00:10Z"));
    assert_eq!(created_runs(&host).await, [tick]);
}

async fn runs_of_a_schedule_do_not_overlap(store: Store) {
    let world = world(store, every_hour());
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    for hour in 7..=9 {
        advance_to(&world, &format!("2024-01-15T0{hour}:00:00Z")).await;
    }
    world.script.started("a").await;
    // A manual run overtakes the waiting runs.
    host.trigger("p").await;
    world.script.started_times("a", 2).await;
    let statuses = async || {
        let runs = host.runs().await.into_iter().rev();
        runs.map(|run| run.status).collect::<Vec<_>>()
    };
    let (running, pending) = (RunStatus::Running, RunStatus::Pending);
    let waiting = statuses().await;
    assert_eq!(waiting[..3], [running, pending, pending]);
    gate.open();
    host.wait_for_events(EventKind::RunCompleted, 4).await;
    let runs: Vec<Run> = host.runs().await;
    let mut scheduled: Vec<_> = runs
        .iter()
        .filter(|run| run.trigger == Trigger::Schedule)
        .collect();
    scheduled.sort_by_key(|run| run.id);
    let order: Vec<_> = host
        .events()
        .await
        .into_iter()
        .filter(|event| scheduled.iter().any(|run| run.id == event.run_id))
        .filter(|event| matches!(event.kind, EventKind::RunStarted | EventKind::RunCompleted))
        .map(|event| (event.run_id, event.kind))
        .collect();
    let expected: Vec<_> = scheduled
        .iter()
        .flat_map(|run| [EventKind::RunStarted, EventKind::RunCompleted].map(|kind| (run.id, kind)))
        .collect();
    assert_eq!(
        order, expected,
        "each run starts after the one before it has finished"
    );
}

async fn a_waiting_run_still_waits_after_a_crash(store: Store) {
    let world = world(store, every_hour());
    let gate = Gate::new();
    let held = Step::pass_on().at(&gate);
    world
        .script
        .script("a", [held.clone(), held, Step::pass_on()]);
    let host = world.start().await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    world.script.started("a").await;
    advance_to(&world, "2024-01-15T08:00:00Z").await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    world.script.started_times("a", 2).await;
    let runs = host.runs().await;
    let (second, first) = (&runs[runs.len() - 2], &runs[runs.len() - 1]);
    assert_eq!(
        (first.status, second.status),
        (RunStatus::Running, RunStatus::Pending),
        "{:?} {:?}",
        first.error,
        second.error
    );
    gate.open();
    host.floret.run_by_id(second.id).finished().await.unwrap();
    let first = host.find(first.id).await.run;
    let second = host.find(second.id).await.run;
    assert!(first.finished_at <= second.started_at);
}

async fn an_overlapping_tick_is_skipped_and_recorded(store: Store) {
    let world = world(store, every_hour().overlap(Overlap::Skip));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    world.script.started("a").await;
    advance_to(&world, "2024-01-15T08:00:00Z").await;
    let stored = schedule(&host).await;
    assert_eq!(stored.skipped, Some(SkipReason::Overlap));
    assert_eq!(stored.last_run, Some(at("2024-01-15T07:00:00Z")));
    assert_eq!(created_runs(&host).await.len(), 1);
    gate.open();
    host.wait_for_events(EventKind::RunCompleted, 1).await;
    advance_to(&world, "2024-01-15T09:00:00Z").await;
    assert_eq!(created_runs(&host).await.len(), 2);
    assert_eq!(schedule(&host).await.skipped, None);
}

async fn a_tick_of_a_paused_pipeline_is_skipped_and_never_caught_up(store: Store) {
    let world = world(store, every_hour().catch_up());
    let host = world.start().await;
    host.floret.pipelines().pause("p").await.unwrap();
    let shown = host.floret.schedules().await.unwrap();
    assert!(shown[0].paused.is_some(), "before a tick is skipped");
    for instant in ["2024-01-15T07:00:00Z", "2024-01-15T08:00:00Z"] {
        advance_to(&world, instant).await;
        let stored = schedule(&host).await;
        assert_eq!(stored.skipped, Some(SkipReason::Paused));
        assert_eq!(stored.cursor, at(instant));
    }
    host.floret.pipelines().unpause("p").await.unwrap();
    assert_eq!(created_runs(&host).await, []);
    advance_to(&world, "2024-01-15T09:00:00Z").await;
    host.wait_for_events(EventKind::RunCompleted, 1).await;
    assert_eq!(created_runs(&host).await.len(), 1);
    assert_eq!(schedule(&host).await.skipped, None);
}

/// Runs until it is cancelled by force.
async fn stoppable(ctx: Ctx) -> Result<(), ExecutorError> {
    ctx.cancel.cancelled().await;
    Err(ExecutorError::permanent("stopped"))
}

async fn an_overlapping_tick_stops_the_executing_run_and_replaces_the_waiting_one(store: Store) {
    let endless = Pipeline::new("p")
        .node("a", "stoppable")
        .schedule("0 * * * *")
        .overlap(Overlap::CancelRunning);
    let world = world(store, endless);
    let host = world
        .start_with(|builder| builder.node("stoppable", stoppable))
        .await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    host.wait_for_events(EventKind::NodeStarted, 1).await;
    // The answer to the second tick is lost after its commit.
    for (hour, fault) in [
        ("08", None),
        (
            "09",
            Some(Fault::after(Method::Advance, Problem::StorageBusy)),
        ),
    ] {
        if let Some(fault) = fault {
            host.storage.fail(fault);
        }
        let started = usize::from(hour == "09") + 1;
        advance_to(&world, &format!("2024-01-15T{hour}:00:00Z")).await;
        host.wait_for_events(EventKind::RunCancelled, started).await;
        host.wait_for_events(EventKind::NodeStarted, started + 1)
            .await;
    }
    let runs = host.runs().await;
    let statuses: Vec<_> = runs.iter().map(|run| run.status).collect();
    let (running, cancelled) = (RunStatus::Running, RunStatus::Cancelled);
    assert_eq!(statuses, [running, cancelled, cancelled]);
    let replaced = runs[1].cancel.as_ref().unwrap();
    assert_eq!(replaced.kind, Cancel::Forced);
    let reason = "the next tick of the schedule replaced it";
    assert_eq!(replaced.reason.as_deref(), Some(reason));
    assert_eq!(runs[0].cancel, None);
    host.floret
        .run_by_id(runs[0].id)
        .cancel()
        .force()
        .await
        .unwrap();
    host.wait_for_events(EventKind::RunCancelled, 3).await;
}

async fn every_missed_tick_is_caught_up_the_oldest_first(store: Store) {
    let world = world(store, every_hour().catch_up_all().catch_up_max(3));
    let host = world.start().await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    host.stop().await;
    // Two days and a half: older than what `catch_up` makes up for.
    world.clock.advance(Duration::from_secs(60 * 3_600 + 600));
    let host = world.start().await;
    scheduler_sleeps(&world).await;
    host.wait_for_events(EventKind::RunCompleted, 4).await;
    let runs = host.runs().await;
    let caught_up: Vec<_> = runs.iter().rev().skip(1).collect();
    assert!(caught_up.iter().all(|run| run.trigger == Trigger::Catchup));
    let events = host.events().await;
    let started = events
        .iter()
        .filter(|event| event.kind == EventKind::RunStarted)
        .skip(1);
    let started: Vec<_> = started.map(|event| event.run_id).collect();
    let expected: Vec<_> = caught_up.iter().map(|run| run.id).collect();
    assert_eq!(started, expected, "one after the other, the oldest first");
    let stored = schedule(&host).await;
    assert_eq!(stored.last_run, Some(at("2024-01-17T19:00:00Z")));
    assert_eq!(stored.cursor, at("2024-01-17T19:00:00Z"));
}

async fn a_disabled_pipeline_fires_only_after_it_is_enabled(store: Store) {
    let enabled = every_hour().catch_up();
    let mut disabled = enabled.clone();
    disabled.enabled = false;
    let world = world(store, disabled).pipeline(chain("q", &["a"]).schedule("@yearly"));
    let host = world.start().await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    advance_to(&world, "2024-01-15T08:30:00Z").await;
    assert_eq!(created_runs(&host).await, []);
    put(&host, &enabled).await;
    advance_to(&world, "2024-01-15T09:00:00Z").await;
    let tick = (Trigger::Schedule, at("2024-01-15T09:00:00Z"));
    assert_eq!(created_runs(&host).await, [tick]);
}

async fn a_changed_schedule_applies_from_its_save(store: Store) {
    let world = world(store, every_hour().catch_up());
    let host = world.start_with(Builder::allow_pipeline_edits).await;
    advance_to(&world, "2024-01-15T06:50:00Z").await;
    // The save wakes the scheduler, which would sleep until seven.
    put(&host, &every_hour().schedule("15,45,55 * * * *").catch_up()).await;
    advance_to(&world, "2024-01-15T06:55:00Z").await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    advance_to(&world, "2024-01-15T07:15:00Z").await;
    let expected = ["2024-01-15T06:55:00Z", "2024-01-15T07:15:00Z"];
    assert_eq!(
        created_runs(&host).await,
        expected.map(|instant| (Trigger::Schedule, at(instant)))
    );
}

async fn a_deleted_pipeline_no_longer_fires(store: Store) {
    let world = world(store, every_hour()).pipeline(chain("q", &["a"]).schedule("@yearly"));
    let host = world.start_with(Builder::allow_pipeline_edits).await;
    scheduler_sleeps(&world).await;
    let service = host.floret.service(Access::allow_all());
    let delete = request(http::Method::DELETE, "/api/pipelines/p", None);
    assert_eq!(send(&service, delete).await.status, 204);
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    assert_eq!(created_runs(&host).await, []);
}

async fn no_schedule_fires_after_a_shutdown(store: Store) {
    let world = world(store, every_hour());
    let host = world.start().await;
    scheduler_sleeps(&world).await;
    host.floret.shutdown(Duration::ZERO).await.unwrap();
    let calls = host.storage.total_calls();
    world.clock.advance(Duration::from_secs(3_600));
    tokio::task::yield_now().await;
    assert_eq!(world.clock.next_wake(), None, "no task sleeps any more");
    assert_eq!(host.storage.total_calls(), calls);
    host.crash().await;
    let host = world.start().await;
    scheduler_sleeps(&world).await;
    assert_eq!(created_runs(&host).await, []);
}

async fn a_tick_creates_one_run_even_if_storage_fails(store: Store) {
    let world = world(store, every_hour());
    let host = world.start().await;
    for (fault, instant) in [
        (
            Fault::before(Method::Advance, Problem::StorageBusy),
            "2024-01-15T07:00:00Z",
        ),
        (
            Fault::after(Method::Advance, Problem::StorageBusy),
            "2024-01-15T08:00:00Z",
        ),
        (
            Fault::before(Method::Schedules, Problem::StorageFull),
            "2024-01-15T09:00:00Z",
        ),
    ] {
        scheduler_sleeps(&world).await;
        let calls = host.storage.calls(Method::Schedules);
        host.storage.fail(fault);
        advance_to(&world, instant).await;
        // The scheduler retries after a short delay.
        while host.storage.calls(Method::Schedules) < calls + 2 {
            world.advance_within(Duration::from_millis(200)).await;
            scheduler_sleeps(&world).await;
        }
        let stored = schedule(&host).await;
        assert_eq!(stored.last_run, Some(at(instant)));
    }
    assert_eq!(created_runs(&host).await.len(), 3);
}

async fn a_crash_after_a_tick_does_not_repeat_it(store: Store) {
    let world = world(store, every_hour().catch_up());
    let host = world.start().await;
    scheduler_sleeps(&world).await;
    let gate = Gate::new();
    host.storage.hold_after(Method::Advance, &gate);
    world.clock.advance(Duration::from_secs(1_800));
    while host.runs().await.is_empty() {
        tokio::task::yield_now().await;
    }
    host.crash().await;
    let host = world.start().await;
    scheduler_sleeps(&world).await;
    advance_to(&world, "2024-01-15T07:30:00Z").await;
    let tick = (Trigger::Schedule, at("2024-01-15T07:00:00Z"));
    assert_eq!(created_runs(&host).await, [tick]);
    assert_eq!(schedule(&host).await.last_run, Some(tick.1));
}

async fn two_schedulers_create_one_run_for_each_tick(store: Store) {
    let world = world(store, every_hour());
    let storage = world.store.open().await;
    let first = world.start_on(storage.clone(), |builder| builder).await;
    let second = world.start_on(storage, |builder| builder).await;
    let mut expected = Vec::new();
    for hour in 7..=20 {
        let instant = format!("2024-01-15T{hour:02}:00:00Z");
        let step = at(&instant).signed_duration_since(world.clock.clock().now());
        world.clock.advance(step.to_std().unwrap());
        expected.push((Trigger::Schedule, at(&instant)));
        while schedule(&first).await.cursor < at(&instant) {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(created_runs(&first).await, expected);
    drop(second);
}

async fn a_clock_that_a_test_advances_during_a_round_adds_no_sleep(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let storage = world.store.open().await;
    let gate = Gate::new();
    storage.hold_after(Method::Schedules, &gate);
    let host = world.start_on(storage, |builder| builder).await;
    let rounds = async |count| {
        while host.storage.calls(Method::Schedules) < count {
            tokio::task::yield_now().await;
        }
    };
    rounds(1).await;
    let service = host.floret.service(Access::allow_all());
    let path = "/api/pipelines/p";
    let saved = send(&service, request(http::Method::GET, path, None)).await;
    let save = request(http::Method::PUT, path, Some(&saved.json()));
    assert_eq!(send(&service, save).await.status, 200);
    world.clock.advance(CHECK);
    gate.open();
    // The save asks for another round, which no sleep on the clock may delay.
    rounds(2).await;
}

/// A seeded generator of random numbers (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % below
    }
}

async fn a_jumping_clock_repeats_no_tick(store: Store) {
    const SEED: u64 = 12;
    const DAY: i64 = 86_400;
    let catching_up = chain("q", &["a"]).schedule("20 * * * *").catch_up();
    let world = world(store, every_hour()).pipeline(catching_up);
    let host = world.start().await;
    let mut random = Random(SEED);
    let mut count_before = 0;
    for jump in 0..200 {
        scheduler_sleeps(&world).await;
        let span = if jump % 2 == 0 { 3_652 * DAY } else { 2 * DAY };
        let seconds = i64::try_from(random.next(span.cast_unsigned())).unwrap() - DAY;
        let wall = world.clock.clock().now() + TimeDelta::seconds(seconds);
        world.clock.set_wall(wall);
        world.clock.advance(CHECK);
        scheduler_sleeps(&world).await;
        let count = host.runs().await.len();
        assert!(
            count - count_before <= 3,
            "jump {jump} of seed {SEED} created {} runs",
            count - count_before
        );
        count_before = count;
    }
    host.wait_for_events(EventKind::RunCompleted, count_before)
        .await;
    let runs = host.runs().await;
    let on_time: Vec<_> = runs
        .iter()
        .filter(|run| run.trigger == Trigger::Schedule)
        .map(|run| (run.pipeline_id.clone(), run.created_at.timestamp() / 3_600))
        .collect();
    let distinct: BTreeSet<_> = on_time.iter().collect();
    assert_eq!(distinct.len(), on_time.len(), "seed {SEED}");
    assert!(runs.len() > on_time.len(), "no run was caught up");
    assert!(
        runs.iter()
            .all(|run| run.started_at >= Some(run.created_at))
    );
    assert!(runs.iter().all(|run| run.finished_at.is_some()));
}

async fn a_clock_that_is_set_back_does_not_stop_a_schedule(store: Store) {
    let world = world(store, every_hour());
    let host = world.start().await;
    scheduler_sleeps(&world).await;
    world.clock.set_wall(at("2034-01-15T06:30:00Z"));
    advance_to(&world, "2034-01-15T07:00:00Z").await;
    assert_eq!(created_runs(&host).await.len(), 1);
    world.clock.set_wall(at("2024-01-15T06:45:00Z"));
    advance_to(&world, "2024-01-15T06:46:00Z").await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    world.clock.set_wall(at("2024-01-15T06:50:00Z"));
    advance_to(&world, "2024-01-15T06:51:00Z").await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    advance_to(&world, "2024-01-15T08:00:00Z").await;
    let instants = [
        "2034-01-15T07:00:00Z",
        "2024-01-15T07:00:00Z",
        "2024-01-15T08:00:00Z",
    ];
    assert_eq!(
        created_runs(&host).await,
        instants.map(|instant| (Trigger::Schedule, at(instant)))
    );
}

async fn nothing(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

async fn a_tick_with_an_unknown_node_type_creates_a_failed_run_that_names_it(store: Store) {
    let mut world = World::quiet(store);
    world.clock = ManualClock::new(at("2024-01-15T06:30:00Z"));
    let elsewhere = Pipeline::new("p")
        .node("a", "elsewhere")
        .schedule("0 * * * *");
    let host = world
        .start_with(|builder| builder.node("elsewhere", nothing).pipeline(elsewhere))
        .await;
    host.stop().await;
    let host = world.start().await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    host.wait_for_events(EventKind::RunFailed, 1).await;
    let run = host.runs().await.remove(0);
    assert_eq!(
        (run.status, run.trigger),
        (RunStatus::Failed, Trigger::Schedule)
    );
    assert!(run.error.unwrap().contains("elsewhere"));
}

async fn a_tick_at_a_full_queue_is_recorded(store: Store) {
    let mut world = world(store, every_hour());
    world.limits.runs_max = 0;
    world.limits.queued_pipeline_max = 1;
    let host = world.start().await;
    advance_to(&world, "2024-01-15T07:00:00Z").await;
    advance_to(&world, "2024-01-15T08:00:00Z").await;
    assert_eq!(created_runs(&host).await.len(), 1);
    let stored = schedule(&host).await;
    assert_eq!(stored.skipped, Some(SkipReason::Blocked));
    assert_eq!(stored.cursor, at("2024-01-15T08:00:00Z"));
}
