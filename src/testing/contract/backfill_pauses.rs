//! Pauses of backfills: what they stop, what ends them, and what does not change them.
//!
//! `pauses` covers those of pipelines.

use super::concurrency::{finish, keyed};
use super::fixtures::{
    Driver, all_backfills, assert_problem, at, backfill_id, claim, claim_one, claimed_ids, create,
    new_backfill, new_run, run_finished, run_id, save, save_for, scope,
};
use super::pauses::pause;
use crate::error::Problem;
use crate::model::{
    Backfill, BackfillStatus, Cancel, PageRequest, Pause, RunConcurrency, RunStatus, Scope,
    WaitReason,
};
use crate::storage::{BackfillFilter, CancelBackfill, CreateRuns, SetBackfillPause, Storage};

async fn set(storage: &dyn Storage, pause: Option<Pause>) -> Backfill {
    let request = SetBackfillPause::new(backfill_id(1), pause);
    storage.set_backfill_pause(request).await.unwrap().backfill
}

/// Creates backfill 1 of this many dates. All of its runs may execute at once.
async fn backfill(storage: &dyn Storage, dates: u64, max_failures: Option<u32>) {
    save(storage, "daily").await;
    let mut create: CreateRuns = new_backfill(1, "daily", 1, dates);
    let backfill = &mut create.backfill.as_mut().unwrap().backfill;
    (backfill.max_parallel, backfill.max_failures) = (100, max_failures);
    storage.create_runs(create).await.unwrap();
}

/// Claims one run of the backfill.
async fn claim_first(storage: &dyn Storage) -> Driver {
    let mut one = claim(1, 10);
    one.count_max = 1;
    Driver::new(&storage.claim(one).await.unwrap().claimed[0])
}

async fn read(storage: &dyn Storage) -> Backfill {
    all_backfills(storage).await.pop().unwrap().backfill
}

async fn reason(storage: &dyn Storage, n: u64) -> WaitReason {
    let waiting = storage.waiting(run_id(n), &Scope::All, at(10));
    waiting.await.unwrap().unwrap().reason
}

/// A pause MUST be returned with its backfill everywhere, with the status `paused`. A second one
/// MUST change nothing.
pub async fn a_pause_is_returned_with_its_backfill(storage: &dyn Storage) {
    backfill(storage, 2, None).await;
    let open = read(storage).await;
    assert_eq!(
        (open.status, &open.paused),
        (BackfillStatus::Running, &None)
    );
    let expected = Backfill {
        status: BackfillStatus::Paused,
        paused: Some(pause(7)),
        ..open.clone()
    };
    assert_eq!(set(storage, Some(pause(7))).await, expected);
    assert_eq!(set(storage, Some(Pause::new(at(9)))).await, expected);
    assert_eq!(read(storage).await, expected);
    let page = PageRequest::Newest { limit: 10 };
    let listed = storage.list_backfills(BackfillFilter::default(), page);
    assert_eq!(listed.await.unwrap().items, [expected]);
    for _ in 0..2 {
        assert_eq!(set(storage, None).await, open);
        assert_eq!(read(storage).await, open);
    }
}

/// While a backfill is paused, none of its pending runs MUST start. Runs that execute MUST go on,
/// and so MUST other runs of the pipeline. Afterwards, the pending ones MUST start.
pub async fn a_pause_stops_the_pending_runs_of_its_backfill(storage: &dyn Storage) {
    backfill(storage, 3, None).await;
    let mut driver = claim_first(storage).await;
    set(storage, Some(pause(7))).await;
    create(storage, new_run(9, "daily")).await.unwrap();
    assert_eq!(reason(storage, 2).await, WaitReason::Paused);
    assert_eq!(reason(storage, 9).await, WaitReason::EngineLimit);
    assert_eq!(claimed_ids(storage, claim(2, 11)).await, [run_id(9)]);
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    assert_eq!(claimed_ids(storage, claim(3, 12)).await, []);
    let paused = read(storage).await;
    assert_eq!(paused.status, BackfillStatus::Paused);
    assert_eq!((paused.counts.success, paused.counts.pending), (1, 2));
    set(storage, None).await;
    let rest = claimed_ids(storage, claim(4, 13)).await;
    assert_eq!(rest, [run_id(2), run_id(3)]);
}

/// A run whose owner is gone MUST be claimed again, though its backfill is paused.
pub async fn a_pause_stops_no_run_that_has_started(storage: &dyn Storage) {
    backfill(storage, 2, None).await;
    claim_first(storage).await;
    set(storage, Some(pause(7))).await;
    assert_eq!(claimed_ids(storage, claim(2, 500)).await, [run_id(1)]);
}

/// A cancel MUST end the pause, and so MUST `max_failures` and the end of the last run.
pub async fn a_cancel_and_the_end_end_the_pause_of_a_backfill(storage: &dyn Storage) {
    backfill(storage, 2, Some(1)).await;
    let mut driver = claim_first(storage).await;
    set(storage, Some(pause(7))).await;
    let cancel = CancelBackfill::new(backfill_id(1), Cancel::Plain, at(8));
    let cancelled = storage.cancel_backfill(cancel).await.unwrap();
    let cancelled = cancelled.detail.backfill;
    assert_eq!(
        (cancelled.status, &cancelled.paused),
        (BackfillStatus::Running, &None)
    );
    assert_eq!(read(storage).await, cancelled);
    driver
        .append(storage, [run_finished(1, RunStatus::Cancelled)])
        .await;
    assert_eq!(read(storage).await.status, BackfillStatus::Cancelled);
}

/// The failure that cancels the rest of a paused backfill MUST finish it, without a pause.
pub async fn too_many_failures_end_the_pause_of_a_backfill(storage: &dyn Storage) {
    backfill(storage, 3, Some(1)).await;
    let mut driver = claim_first(storage).await;
    set(storage, Some(pause(7))).await;
    driver
        .append(storage, [run_finished(1, RunStatus::Failed)])
        .await;
    let failed = read(storage).await;
    assert_eq!(
        (failed.status, failed.paused),
        (BackfillStatus::Failed, None)
    );
    assert_eq!(failed.counts.cancelled, 2);
}

/// The end of its last run MUST finish a paused backfill, without a pause.
pub async fn a_paused_backfill_finishes_with_its_last_run(storage: &dyn Storage) {
    backfill(storage, 1, None).await;
    let mut driver = claim_first(storage).await;
    set(storage, Some(pause(7))).await;
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    let done = read(storage).await;
    assert_eq!((done.status, done.paused), (BackfillStatus::Success, None));
    assert!(done.finished_at.is_some());
}

/// The pause of a backfill that has finished or was cancelled MUST be refused, and so MUST the
/// unpause of one that has finished. Nothing MUST change.
pub async fn only_an_open_backfill_can_be_paused(storage: &dyn Storage) {
    backfill(storage, 2, None).await;
    let mut driver = claim_first(storage).await;
    let cancel = CancelBackfill::new(backfill_id(1), Cancel::Plain, at(8));
    storage.cancel_backfill(cancel).await.unwrap();
    let cancelled = read(storage).await;
    let request = |pause| storage.set_backfill_pause(SetBackfillPause::new(backfill_id(1), pause));
    assert_problem(request(Some(pause(9))).await, Problem::RunFinished);
    assert_eq!(request(None).await.unwrap().backfill, cancelled);
    driver
        .append(storage, [run_finished(1, RunStatus::Cancelled)])
        .await;
    let finished = read(storage).await;
    for pause in [Some(pause(9)), None] {
        assert_problem(request(pause).await, Problem::RunFinished);
    }
    assert_eq!(read(storage).await, finished);
}

/// The pause of a backfill that is absent or outside the scope MUST be refused.
pub async fn only_a_backfill_in_scope_can_be_paused(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let mut new = new_backfill(1, "daily", 1, 2);
    new.scope = scope("ann");
    storage.create_runs(new).await.unwrap();
    for (n, caller) in [(1, scope("ben")), (2, Scope::All)] {
        let mut request = SetBackfillPause::new(backfill_id(n), Some(pause(7)));
        request.scope = caller;
        let refused = storage.set_backfill_pause(request).await;
        assert_problem(refused, Problem::BackfillNotFound);
    }
    assert_eq!(read(storage).await.paused, None);
    let mut request = SetBackfillPause::new(backfill_id(1), Some(pause(7)));
    request.scope = scope("ann");
    let paused = storage.set_backfill_pause(request).await.unwrap();
    assert_eq!(paused.backfill.paused, Some(pause(7)));
    assert_eq!(paused.runs.len(), 2);
}

/// A pending run of a paused backfill MUST leave its concurrency key to other runs, those that are
/// created later and those that wait already. Once the pause has ended, it MUST wait for them.
pub async fn a_paused_backfill_leaves_its_keys_to_others(storage: &dyn Storage) {
    save(storage, "daily").await;
    for (n, first) in [(1, 1), (2, 11)] {
        let mut create = new_backfill(n, "daily", first, 2);
        for new in &mut create.runs {
            new.run.concurrency = Some(RunConcurrency::new("a", 1));
        }
        storage.create_runs(create).await.unwrap();
    }
    set(storage, Some(pause(7))).await;
    assert_eq!(reason(storage, 1).await, WaitReason::Paused);
    let waiting = claim_one(storage, claim(1, 10), run_id(11)).await;
    finish(storage, &waiting, RunStatus::Success).await;
    let waiting = claim_one(storage, claim(2, 10), run_id(12)).await;
    finish(storage, &waiting, RunStatus::Success).await;
    create(storage, keyed(9, "a")).await.unwrap();
    let later = claim_one(storage, claim(3, 10), run_id(9)).await;
    set(storage, None).await;
    assert_eq!(reason(storage, 1).await, WaitReason::ConcurrencyKey);
    assert_eq!(claimed_ids(storage, claim(4, 10)).await, []);
    finish(storage, &later, RunStatus::Success).await;
    let own = claim_one(storage, claim(5, 10), run_id(1)).await;
    set(storage, Some(pause(8))).await;
    finish(storage, &own, RunStatus::Success).await;
    assert_eq!(claimed_ids(storage, claim(6, 10)).await, []);
    set(storage, None).await;
    assert_eq!(claimed_ids(storage, claim(7, 10)).await, [run_id(2)]);
}
