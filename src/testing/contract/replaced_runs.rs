//! Runs that a newer run of their concurrency key replaces.
//!
//! `replaced_ticks` has those that the next tick of their schedule replaces.

use super::concurrency::{create_all, finish, keyed};
use super::fixtures::{
    all_events, assert_problem, at, claim, claim_one, claimed_ids, create, new_backfill, new_run,
    read_run, run_id, save,
};
use super::gates::{end_run, put_rules};
use super::schedules::{hourly, only_schedule, save_at, tick};
use super::upstream_ends::answer;
use crate::error::Problem;
use crate::model::{
    DependencyRule, OnConflict, Overlap, Run, RunCancel, RunConcurrency, RunStatus, Scope, Trigger,
};
use crate::storage::{CreateRuns, EndAnswer, NewRun, ReplacedRun, Storage, TickOutcome};

/// Returns a run that replaces those of its key.
fn replacing(run: Run) -> NewRun {
    let mut new = NewRun::new(run);
    new.on_conflict = OnConflict::CancelRunning;
    new
}

fn create_replacing(run: Run) -> CreateRuns {
    CreateRuns::new(vec![replacing(run)])
}

fn replaced<const N: usize>(runs: [(u64, RunStatus); N]) -> Vec<ReplacedRun> {
    let replaced = runs.map(|(n, status)| ReplacedRun::new(run_id(n), status));
    replaced.to_vec()
}

/// A run MUST cancel the unfinished runs of its key by force: those that wait at once, and one that
/// executes when its nodes have stopped, which the new run MUST await. Runs of other keys MUST go
/// on.
pub async fn a_run_replaces_the_earlier_ones_of_its_key(storage: &dyn Storage) {
    save(storage, "daily").await;
    create_all(storage, [keyed(1, "a"), keyed(2, "a"), keyed(3, "b")]).await;
    create(storage, new_run(4, "daily")).await.unwrap();
    let mut delayed = keyed(5, "a");
    delayed.run_after = Some(at(900));
    create_all(storage, [delayed]).await;
    let first = claim_one(storage, claim(1, 10), run_id(1)).await;
    let created = storage.create_runs(create_replacing(keyed(6, "a"))).await;
    let created = created.unwrap();
    let expected = [
        (1, RunStatus::Running),
        (2, RunStatus::Cancelled),
        (5, RunStatus::Cancelled),
    ];
    assert_eq!(created.replaced, replaced(expected));
    assert_eq!(created.seq, storage.newest_seq().await.unwrap());
    for (n, status) in expected {
        let run = read_run(storage, run_id(n)).await.run;
        assert_eq!(
            (run.status, run.cancel),
            (status, Some(RunCancel::of_key(at(6))))
        );
    }
    assert_eq!(claimed_ids(storage, claim(2, 10)).await, [3, 4].map(run_id));
    finish(storage, &first, RunStatus::Cancelled).await;
    assert_eq!(claimed_ids(storage, claim(3, 10)).await, [run_id(6)]);
}

/// Only as many runs MUST be cancelled as are too many, the oldest first.
pub async fn as_many_runs_are_replaced_as_are_too_many(storage: &dyn Storage) {
    save(storage, "daily").await;
    let two = |n| {
        let mut run = keyed(n, "a");
        run.concurrency = Some(RunConcurrency::new("a", 2));
        run
    };
    create_all(storage, [two(1)]).await;
    let second = storage.create_runs(create_replacing(two(2))).await;
    assert_eq!(second.unwrap().replaced, []);
    let third = storage.create_runs(create_replacing(two(3))).await;
    let expected = replaced([(1, RunStatus::Cancelled)]);
    assert_eq!(third.unwrap().replaced, expected);
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [2, 3].map(run_id));
}

/// A run that is delayed, one that is refused, and a preview MUST replace none.
pub async fn a_run_that_cannot_start_replaces_none(storage: &dyn Storage) {
    save(storage, "daily").await;
    create_all(storage, [keyed(1, "a")]).await;
    let mut delayed = keyed(2, "a");
    delayed.run_after = Some(at(500));
    let created = storage.create_runs(create_replacing(delayed)).await;
    assert_eq!(created.unwrap().replaced, []);
    let events = all_events(storage).await;
    let mut full = create_replacing(keyed(3, "a"));
    full.queued_max = 2;
    assert_problem(storage.create_runs(full).await, Problem::QueueFull);
    let mut preview = create_replacing(keyed(3, "a"));
    preview.is_preview = true;
    assert_eq!(storage.create_runs(preview).await.unwrap().replaced, []);
    assert_eq!(all_events(storage).await, events);
}

/// The runs of a backfill MUST replace the earlier runs of their key, and wait for one another.
pub async fn the_runs_of_a_backfill_do_not_replace_one_another(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut earlier = keyed(9, "a");
    earlier.trigger = Trigger::Backfill;
    create_all(storage, [earlier]).await;
    let mut backfill = new_backfill(1, "daily", 11, 3);
    for new in &mut backfill.runs {
        new.run.concurrency = Some(RunConcurrency::new("a", 1));
        new.on_conflict = OnConflict::CancelRunning;
    }
    let created = storage.create_runs(backfill).await.unwrap();
    assert_eq!(created.replaced, replaced([(9, RunStatus::Cancelled)]));
    for (owner, n) in [(1, 11), (2, 12), (3, 13)] {
        let claimed = claim_one(storage, claim(owner, 10), run_id(n)).await;
        assert_eq!(claimed_ids(storage, claim(owner + 10, 10)).await, []);
        finish(storage, &claimed, RunStatus::Success).await;
    }
}

/// The run of a tick and that of an end MUST replace the earlier ones of their key, and MUST return
/// them, each once.
pub async fn a_tick_and_an_end_return_what_they_replace(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    let mut first = tick(&only_schedule(storage).await, 1, 60);
    first.run.as_mut().unwrap().run.concurrency = Some(RunConcurrency::new("a", 1));
    storage.advance(first).await.unwrap();
    claim_one(storage, claim(1, 70), run_id(1)).await;
    let mut second = tick(&only_schedule(storage).await, 2, 120);
    second.overlap = Overlap::CancelRunning;
    let new = second.run.as_mut().unwrap();
    new.run.concurrency = Some(RunConcurrency::new("a", 1));
    new.on_conflict = OnConflict::CancelRunning;
    let advanced = storage.advance(second).await.unwrap();
    assert_eq!(advanced.tick, TickOutcome::Created);
    assert_eq!(advanced.replaced, replaced([(1, RunStatus::Running)]));

    save(storage, "load").await;
    put_rules(storage, "report", vec![DependencyRule::any("load")]).await;
    let found = storage.find_pipeline("report", &Scope::All).await;
    let report = found.unwrap().unwrap();
    let mut waits = new_run(11, "report");
    waits.pipeline_version = report.version;
    waits.concurrency = Some(RunConcurrency::new("a", 1));
    waits.run_after = Some(at(100_000));
    create(storage, waits).await.unwrap();
    end_run(storage, 12, "load", RunStatus::Success).await;
    let mut starting = answer(&report, 13, &[12]);
    let mut run = starting.run.take().unwrap().run;
    run.concurrency = Some(RunConcurrency::new("a", 1));
    starting.run = Some(replacing(run));
    let answered = storage.answer_ends(starting).await.unwrap();
    assert_eq!(answered.answer, EndAnswer::Created);
    assert_eq!(answered.replaced, replaced([(11, RunStatus::Cancelled)]));
    assert_eq!(answered.seq, storage.newest_seq().await.unwrap());
}
