//! What happens to a new run while as many runs of its concurrency key are unfinished as may be.
//!
//! `concurrency` has the runs that wait for one another.

use super::concurrency::{create_all, finish, keyed};
use super::fixtures::{
    all_events, assert_problem, at, claim, claim_one, new_backfill, read_run, run_id, save,
};
use super::gates::{end_run, put_rules};
use super::schedules::{advance, count_runs, hourly, only_schedule, save_at, tick};
use super::upstream_ends::{answer, answered, waiting_runs};
use crate::error::Problem;
use crate::model::{
    DependencyRule, OnConflict, Overlap, Run, RunConcurrency, RunStatus, SkipReason,
};
use crate::storage::{CreateRuns, EndAnswer, NewRun, Storage, TickOutcome};

/// Returns a run that is created unless its key is taken.
fn skipping(run: Run) -> NewRun {
    let mut new = NewRun::new(run);
    new.on_conflict = OnConflict::Skip;
    new
}

/// A run MUST be refused while its key is taken, by a run of any unfinished status, and MUST be
/// created once the key is free. Another key MUST NOT matter.
pub async fn a_run_is_refused_while_its_key_is_taken(storage: &dyn Storage) {
    save(storage, "daily").await;
    let create = |n, key| CreateRuns::new(vec![skipping(keyed(n, key))]);
    storage.create_runs(create(1, "a")).await.unwrap();
    storage.create_runs(create(2, "b")).await.unwrap();
    let events = all_events(storage).await;
    let refused = storage.create_runs(create(3, "a")).await;
    let message = assert_problem(refused, Problem::ConcurrencyKeyTaken);
    assert!(message.contains(&run_id(1).to_string()), "{message}");
    assert_eq!(all_events(storage).await, events);
    let first = claim_one(storage, claim(1, 10), run_id(1)).await;
    let refused = storage.create_runs(create(3, "a")).await;
    assert_problem(refused, Problem::ConcurrencyKeyTaken);
    finish(storage, &first, RunStatus::Failed).await;
    storage.create_runs(create(3, "a")).await.unwrap();
    let mut delayed = keyed(4, "c");
    delayed.run_after = Some(at(500));
    create_all(storage, [delayed]).await;
    let refused = storage.create_runs(create(5, "c")).await;
    assert_problem(refused, Problem::ConcurrencyKeyTaken);
}

/// As many runs of a key MUST be created as the new one allows, those that wait included.
pub async fn a_run_is_refused_by_the_maximum_that_it_allows(storage: &dyn Storage) {
    save(storage, "daily").await;
    create_all(storage, [keyed(1, "a"), keyed(2, "a")]).await;
    let create = |n, max| {
        let mut run = keyed(n, "a");
        run.concurrency = Some(RunConcurrency::new("a", max));
        CreateRuns::new(vec![skipping(run)])
    };
    let refused = storage.create_runs(create(3, 2)).await;
    assert_problem(refused, Problem::ConcurrencyKeyTaken);
    storage.create_runs(create(3, 3)).await.unwrap();
    let queued = CreateRuns::new(vec![NewRun::new(keyed(4, "a"))]);
    storage.create_runs(queued).await.unwrap();
}

/// A backfill MUST skip the runs whose key is taken, by an earlier one too, in a preview as well.
pub async fn a_backfill_skips_the_runs_whose_key_is_taken(storage: &dyn Storage) {
    save(storage, "daily").await;
    create_all(storage, [keyed(9, "a")]).await;
    let mut create = new_backfill(1, "daily", 1, 4);
    for (index, new) in create.runs.iter_mut().enumerate() {
        let key = if index == 1 { "b" } else { "a" };
        new.run.concurrency = Some(RunConcurrency::new(key, 2));
        new.on_conflict = OnConflict::Skip;
    }
    let mut preview = create.clone();
    preview.is_preview = true;
    let skipped = [3, 4].map(run_id);
    let planned = storage.create_runs(preview).await.unwrap();
    assert_eq!(planned.skipped, skipped);
    let created = storage.create_runs(create).await.unwrap();
    assert_eq!(created.skipped, skipped);
    assert_eq!(created.run_ids, [1, 2].map(run_id));
    let run = read_run(storage, run_id(1)).await.run;
    assert_eq!(run.concurrency, Some(RunConcurrency::new("a", 2)));
}

/// A tick MUST be skipped, and say why, while the key of its run is taken.
pub async fn a_tick_is_skipped_while_its_key_is_taken(storage: &dyn Storage) {
    save_at(storage, hourly().overlap(Overlap::Queue), 0).await;
    create_all(storage, [keyed(1, "a")]).await;
    let mut taken = tick(&only_schedule(storage).await, 2, 60);
    taken.queued_max = 1;
    taken.run = Some(NewRun {
        fire_at: taken.run.as_ref().unwrap().fire_at,
        ..skipping(keyed(2, "a"))
    });
    let skipped = TickOutcome::Skipped(SkipReason::ConcurrencyKey);
    assert_eq!(advance(storage, taken).await, skipped);
    let schedule = only_schedule(storage).await;
    assert_eq!(schedule.cursor, at(60));
    assert_eq!(schedule.skipped, Some(SkipReason::ConcurrencyKey));
    assert_eq!(count_runs(storage).await, 1);
}

/// An end MUST be answered without a run while the key of the run is taken.
pub async fn an_end_starts_no_run_while_its_key_is_taken(storage: &dyn Storage) {
    save(storage, "load").await;
    put_rules(storage, "report", vec![DependencyRule::any("load")]).await;
    let report = storage
        .find_pipeline("report", &crate::model::Scope::All)
        .await
        .unwrap()
        .unwrap();
    end_run(storage, 1, "load", RunStatus::Success).await;
    end_run(storage, 2, "load", RunStatus::Success).await;
    for (n, end, expected) in [(3, 1, EndAnswer::Created), (4, 2, EndAnswer::Dropped)] {
        let mut starting = answer(&report, n, &[end]);
        let mut run = starting.run.take().unwrap().run;
        run.concurrency = Some(RunConcurrency::new("a", 1));
        starting.run = Some(skipping(run));
        assert_eq!(answered(storage, starting).await, expected);
    }
    assert_eq!(waiting_runs(storage).await, []);
}
