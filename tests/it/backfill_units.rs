//! Backfills of hours, weeks, months and ticks: the instants of their runs, on every path.
//!
//! Those of a date a run are in `backfills`, and the clock changes in the unit tests of the engine.

use chrono::{DateTime, NaiveDate, Utc};
use floret::storage::BackfillDetail;
use floret::testing::Step;
use floret::{
    Access, BackfillBuilder, BackfillHandle, BackfillStatus, BackfillUnit, ErrorKind, Pipeline,
    Problem, Run, Trigger,
};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, Store, World, chain, step};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    each_hour_of_a_date_gets_a_run_with_its_instant,
    a_preview_shows_the_instants_of_what_it_would_run,
    ticks_that_have_a_successful_run_are_skipped,
    what_failed_of_a_date_runs_again_with_its_instant,
    ticks_of_a_pipeline_without_a_schedule_are_refused,
    a_resume_and_a_rerun_keep_the_instant_of_their_run,
}

/// Returns a pipeline of Berlin whose node `load` has the instant of its run in its config.
fn berlin() -> Pipeline {
    let load = step("load").config("at", "${run.scheduled_at} ${run.date}");
    Pipeline::new("p")
        .schedule_timezone("Europe/Berlin")
        .with(load)
}

/// Returns a pipeline that fires twice a day, and is disabled so that it does not.
fn twice_a_day() -> Pipeline {
    let mut pipeline = chain("p", &["load"]).schedule("0 6,18 * * *");
    pipeline.enabled = false;
    pipeline
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn of_dates(host: &Host, first: &str, last: &str, unit: BackfillUnit) -> BackfillBuilder {
    let dates = date(first)..=date(last);
    host.floret.backfill("p", dates).unit(unit)
}

async fn finished(started: BackfillHandle) -> BackfillDetail {
    started.finished().await.unwrap().unwrap()
}

fn instants(detail: &BackfillDetail) -> Vec<DateTime<Utc>> {
    detail
        .runs
        .iter()
        .filter_map(|run| run.scheduled_at)
        .collect()
}

async fn call(host: &Host, method: Method, path: &str, body: Option<&Value>) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    send(&service, request(method, path, body)).await
}

async fn each_hour_of_a_date_gets_a_run_with_its_instant(store: Store) {
    let world = World::quiet(store).pipeline(berlin());
    let host = world.start().await;
    // The clock of Berlin went back on this day.
    let body = json!({"dates": ["2023-10-29"], "unit": "hour", "max_parallel": 1});
    let path = "/api/pipelines/p/backfill";
    let started = call(&host, Method::POST, path, Some(&body)).await;
    assert_eq!(started.status, 202, "{started:?}");
    let location = started.header("location").to_owned();
    let id = location.rsplit('/').next().unwrap().parse().unwrap();
    for run in started.json().as_array().unwrap() {
        let run = run.as_str().unwrap().parse().unwrap();
        host.floret.run_by_id(run).finished().await.unwrap();
    }
    let done = host.floret.backfills().get(id).await.unwrap();
    assert_eq!(done.backfill.unit, BackfillUnit::Hour);
    let first = instant("2023-10-28T22:00:00Z");
    let hours = (0..25).map(|hour| first + chrono::TimeDelta::hours(hour));
    assert!(instants(&done).into_iter().eq(hours));
    let texts: Vec<_> = world
        .script
        .calls_of("load")
        .iter()
        .map(|call| call.node.config["at"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts.len(), 25);
    // Both hours that begin at 2 o'clock.
    assert_eq!(
        texts[2..4],
        [
            "2023-10-29T00:00:00Z 2023-10-29",
            "2023-10-29T01:00:00Z 2023-10-29"
        ]
    );
    let shown = call(&host, Method::GET, &location, None).await.json();
    assert_eq!(
        (&shown["unit"], &shown["start_date"]),
        (&json!("hour"), &json!("2023-10-29"))
    );
    let last = done.runs[24].id;
    let run = call(&host, Method::GET, &format!("/api/runs/{last}"), None).await;
    let run = run.json();
    assert_eq!(run["scheduled_at"], "2023-10-29T22:00:00Z");
    assert_eq!(run["params"], json!({"date": "2023-10-29"}));
}

async fn a_preview_shows_the_instants_of_what_it_would_run(store: Store) {
    let world = World::quiet(store).pipeline(berlin());
    let host = world.start().await;
    let body = json!({
        "start_date": "2023-10-25", "end_date": "2023-12-01", "unit": "month", "preview": true,
    });
    let path = "/api/pipelines/p/backfill";
    let shown = call(&host, Method::POST, path, Some(&body)).await;
    let expected = json!({
        "dates": ["2023-11-01", "2023-12-01"],
        "skipped": [],
        "instants": ["2023-10-31T23:00:00Z", "2023-11-30T23:00:00Z"],
    });
    assert_eq!(shown.json(), expected);
    // A success of its Monday alone is not one of the week.
    for unit in [BackfillUnit::Day, BackfillUnit::Week] {
        let monday = |date| of_dates(&host, date, date, unit);
        let date = match unit {
            BackfillUnit::Day => "2023-11-20",
            _ => "2023-11-13",
        };
        finished(monday(date).await.unwrap()).await;
    }
    let weeks = || of_dates(&host, "2023-11-07", "2023-11-26", BackfillUnit::Week);
    let preview = weeks().skip_existing().preview().await.unwrap();
    assert_eq!(preview.dates, [date("2023-11-20")]);
    assert_eq!(preview.skipped, [date("2023-11-13")]);
    assert_eq!(preview.instants, [instant("2023-11-19T23:00:00Z")]);
    assert_eq!(preview.skipped_instants, [instant("2023-11-12T23:00:00Z")]);
    let body = json!({
        "start_date": "2023-11-13", "end_date": "2023-11-19", "unit": "week",
        "skip_existing": true, "preview": true,
    });
    let shown = call(&host, Method::POST, path, Some(&body)).await;
    let expected = json!({
        "dates": [], "skipped": ["2023-11-13"],
        "instants": [], "skipped_instants": ["2023-11-12T23:00:00Z"],
    });
    assert_eq!(shown.json(), expected, "all are skipped");
    let body = json!({
        "start_date": "2023-11-20", "end_date": "2023-11-20",
        "skip_existing": true, "preview": true,
    });
    let shown = call(&host, Method::POST, path, Some(&body)).await;
    assert_eq!(
        shown.json(),
        json!({"dates": [], "skipped": ["2023-11-20"]})
    );
    assert_eq!(host.runs().await.len(), 2);
    assert_eq!(finished(weeks().await.unwrap()).await.runs.len(), 2);
}

async fn ticks_that_have_a_successful_run_are_skipped(store: Store) {
    let world = World::quiet(store).pipeline(twice_a_day());
    let host = world.start().await;
    let ticks = || of_dates(&host, "2024-01-01", "2024-01-02", BackfillUnit::Tick);
    world
        .script
        .script("load", [Step::nothing(), Step::permanent("no file")]);
    let first = finished(ticks().max_failures(1).await.unwrap()).await;
    assert_eq!(first.backfill.status, BackfillStatus::Failed);
    let all = [
        "2024-01-01T06:00:00Z",
        "2024-01-01T18:00:00Z",
        "2024-01-02T06:00:00Z",
        "2024-01-02T18:00:00Z",
    ];
    assert_eq!(instants(&first), all.map(instant));
    world
        .script
        .script("load", [Step::nothing(), Step::nothing(), Step::nothing()]);
    let rest = finished(ticks().skip_existing().await.unwrap()).await;
    assert_eq!(
        instants(&rest),
        all[1..].iter().copied().map(instant).collect::<Vec<_>>()
    );
    let nothing = ticks().skip_existing().await.unwrap();
    assert_eq!((nothing.id(), nothing.run_ids().len()), (None, 0));
    // An hour is another interval, though a tick may begin with it, and so is the day.
    for (unit, count) in [(BackfillUnit::Hour, 24), (BackfillUnit::Day, 1)] {
        let others = of_dates(&host, "2024-01-01", "2024-01-01", unit);
        let preview = others.skip_existing().preview().await.unwrap();
        assert_eq!((preview.dates.len(), preview.skipped.len()), (count, 0));
    }
}

async fn what_failed_of_a_date_runs_again_with_its_instant(store: Store) {
    let world = World::quiet(store);
    let host = world.start().await;
    let saved = host.floret.pipelines().create(twice_a_day()).await;
    saved.unwrap();
    let day = || of_dates(&host, "2024-01-01", "2024-01-01", BackfillUnit::Tick);
    world
        .script
        .script("load", [Step::nothing(), Step::permanent("no file")]);
    let old = finished(day().max_failures(2).await.unwrap()).await;
    // A rerun needs the schedule no more.
    let without = chain("p", &["load"]);
    host.floret.pipelines().put(without).await.unwrap();
    world.script.script("load", [Step::nothing()]);
    let rerun = || host.floret.backfills().rerun(old.backfill.id);
    let preview = rerun().preview().await.unwrap();
    assert_eq!(preview.instants, [instant("2024-01-01T18:00:00Z")]);
    let again = finished(rerun().await.unwrap()).await;
    assert_eq!(again.backfill.unit, BackfillUnit::Tick);
    assert_eq!(again.backfill.rerun_of, Some(old.backfill.id));
    assert_eq!(instants(&again), [instant("2024-01-01T18:00:00Z")]);
    let run = host.find(again.runs[0].id).await.run;
    assert_eq!(run.rerun_of, Some(old.runs[1].id));
    assert_eq!(run.date, date("2024-01-01"));
}

async fn ticks_of_a_pipeline_without_a_schedule_are_refused(store: Store) {
    let world = World::quiet(store).pipeline(berlin());
    let host = world.start().await;
    let ticks = of_dates(&host, "2024-01-01", "2024-01-01", BackfillUnit::Tick);
    let refused = ticks.await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(
        refused.to_string().contains("the pipeline has no schedule"),
        "{refused}"
    );
    let weeks = of_dates(&host, "2024-01-02", "2024-01-07", BackfillUnit::Week);
    assert_eq!(weeks.await.unwrap_err().problem(), Problem::RangeInvalid);
    assert_eq!(host.runs().await.len(), 0);
}

async fn a_resume_and_a_rerun_keep_the_instant_of_their_run(store: Store) {
    let world = World::quiet(store).pipeline(berlin());
    world.script.script(
        "load",
        [Step::permanent("no file"), Step::nothing(), Step::nothing()],
    );
    let host = world.start().await;
    let first: Run = host.run("p").await.run;
    assert_eq!(
        (first.scheduled_at, first.instant()),
        (None, first.created_at)
    );
    world.clock.advance(std::time::Duration::from_secs(3_600));
    let resumed = host.floret.run_by_id(first.id).resume().await.unwrap();
    let resumed = resumed.finished().await.unwrap().run;
    assert_eq!(resumed.trigger, Trigger::Resume);
    let again = host.floret.run_by_id(resumed.id).rerun().await.unwrap();
    let again = again.finished().await.unwrap().run;
    assert_eq!(again.scheduled_at, resumed.scheduled_at);
    assert_eq!(again.scheduled_at, Some(first.created_at));
    let other = host
        .floret
        .run_by_id(resumed.id)
        .rerun()
        .param("date", "2024-01-02");
    let other = other.await.unwrap().finished().await.unwrap().run;
    assert_eq!(other.scheduled_at, Some(instant("2024-01-01T23:00:00Z")));
}
