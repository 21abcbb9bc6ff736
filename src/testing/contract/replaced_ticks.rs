//! The overlap rule `cancel_running`: a tick replaces the unfinished runs of its schedule.

use super::fixtures::{
    Driver, at, claim, claim_one, create, new_run, read_run, run_finished, run_id,
};
use super::schedules::{advance, count_runs, hourly, only_schedule, save_at, tick};
use crate::model::{Overlap, RunCancel, RunStatus, SkipReason};
use crate::storage::{Advance, ReplacedRun, Storage, TickOutcome};

/// A tick MUST create its run and cancel every other
/// unfinished run of the schedule by force. Other runs of the pipeline MUST go on.
pub async fn an_overlapping_tick_can_replace_the_earlier_runs(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    create(storage, new_run(1, "daily")).await.unwrap();
    for (n, seconds) in [(2, 60), (3, 120)] {
        let queued = tick(&only_schedule(storage).await, n, seconds);
        assert_eq!(advance(storage, queued).await, TickOutcome::Created);
    }
    claim_one(storage, claim(1, 130), run_id(1)).await;
    let mut driver = Driver::new(&claim_one(storage, claim(2, 130), run_id(2)).await);
    let mut replacing = tick(&only_schedule(storage).await, 4, 180);
    replacing.overlap = Overlap::CancelRunning;
    let created_at = replacing.run.as_ref().unwrap().run.created_at;
    let advanced = storage.advance(replacing).await.unwrap();
    let expected = [(2, RunStatus::Running), (3, RunStatus::Cancelled)];
    let expected = expected.map(|(n, status)| ReplacedRun::new(run_id(n), status));
    assert_eq!(advanced.tick, TickOutcome::Created);
    assert_eq!(advanced.replaced, expected);
    assert_eq!(advanced.seq, storage.newest_seq().await.unwrap());
    for (n, status) in [
        (1, RunStatus::Running),
        (2, RunStatus::Running),
        (3, RunStatus::Cancelled),
        (4, RunStatus::Pending),
    ] {
        let run = read_run(storage, run_id(n)).await.run;
        assert_eq!(run.status, status, "{n}");
        let cancel = matches!(n, 2 | 3).then(|| RunCancel::of_tick(created_at));
        assert_eq!(run.cancel, cancel, "{n}");
    }
    // The new run waits until the executing one has stopped.
    let waiting = storage.claim(claim(3, 131)).await.unwrap();
    assert_eq!(waiting.claimed.len(), 0);
    driver
        .append(storage, [run_finished(2, RunStatus::Cancelled)])
        .await;
    claim_one(storage, claim(3, 132), run_id(4)).await;
}

/// A tick whose run is not created MUST cancel nothing.
pub async fn a_tick_without_a_run_replaces_none(storage: &dyn Storage) {
    save_at(storage, hourly().overlap(Overlap::CancelRunning), 0).await;
    advance(storage, tick(&only_schedule(storage).await, 1, 60)).await;
    let again = tick(&only_schedule(storage).await, 2, 60);
    let mut full = tick(&only_schedule(storage).await, 2, 120);
    full.queued_max = 1;
    let blocked = TickOutcome::Skipped(SkipReason::Blocked);
    for (refused, outcome) in [(again, TickOutcome::Taken), (full, blocked)] {
        let advanced = storage.advance(refused).await.unwrap();
        assert_eq!((advanced.tick, advanced.replaced), (outcome, Vec::new()));
    }
    let passed = Advance::new(&only_schedule(storage).await, at(180));
    assert_eq!(advance(storage, passed).await, TickOutcome::Passed);
    assert_eq!(read_run(storage, run_id(1)).await.run.cancel, None);
    assert_eq!(count_runs(storage).await, 1);
}
