//! The dates and instants that a backfill skips, both when it is created and in a preview.
//!
//! `backfills` covers how a backfill is created for the remaining dates.

use chrono::{NaiveTime, TimeDelta};

use super::backfills::{finish_all, run_ids, with_key};
use super::fixtures::{
    at, create, date, new_backfill, new_run, pipeline_id, purge_all, resume, run_id, save,
    save_for, snapshot,
};
use crate::model::{BackfillUnit, RunStatus, Trigger};
use crate::storage::{CreateRuns, DeletePipeline, NewRun, Storage};

fn skip_existing(mut create: CreateRuns) -> CreateRuns {
    let backfill = create.backfill.as_mut().unwrap();
    backfill.skip_existing = true;
    create
}

/// Creates a run for 2024-01-02 with this trigger, and finishes it with this status.
async fn create_finished_run(storage: &dyn Storage, n: u64, trigger: Trigger, status: RunStatus) {
    let mut run = new_run(n, "daily");
    (run.trigger, run.date) = (trigger, date("2024-01-02"));
    create(storage, run).await.unwrap();
    finish_all(storage, status).await;
}

/// A date MUST be skipped if a run of a backfill, a schedule or a catch-up has succeeded for it,
/// and for no other reason.
pub async fn dates_with_a_successful_run_are_skipped(storage: &dyn Storage) {
    use RunStatus::{Failed, Success};
    use Trigger::{Backfill, Catchup, Dependency, Manual, Schedule, Webhook};
    save(storage, "daily").await;
    let mut n = 100;
    for (trigger, status, is_skipped) in [
        (Manual, Success, false),
        (Webhook, Success, false),
        (Dependency, Success, false),
        (Schedule, Failed, false),
        (Schedule, Success, true),
        (Catchup, Success, true),
        (Backfill, Success, true),
    ] {
        n += 1;
        create_finished_run(storage, n, trigger, status).await;
        let create = skip_existing(new_backfill(n, "daily", n * 10, 3));
        let created = storage.create_runs(create.clone()).await.unwrap();
        let mut expected = run_ids(&create);
        if is_skipped {
            expected.remove(1);
        }
        assert_eq!(created.run_ids, expected, "{trigger:?} {status:?}");
        let skipped = is_skipped.then(|| run_id(n * 10 + 1));
        assert!(created.skipped.iter().eq(skipped.iter()));
        finish_all(storage, Failed).await;
        purge_all(storage).await;
    }
}

/// Where a date may have several runs, a run MUST be skipped if a run of the same instant has
/// succeeded, whatever its date, and for no other reason. Elsewhere the date decides.
pub async fn instants_with_a_successful_run_are_skipped_where_a_date_has_several(
    storage: &dyn Storage,
) {
    use BackfillUnit::{Day, Hour, Month, Tick, Week};
    save(storage, "daily").await;
    let noon = date("2024-01-02").and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(12);
    // The date of a run is that of the zone at its creation.
    let mut moved = new_run(1, "daily");
    (moved.trigger, moved.date) = (Trigger::Backfill, date("2024-01-03"));
    moved.scheduled_at = Some(noon);
    let mut tick = NewRun::new(new_run(2, "daily"));
    (tick.run.trigger, tick.run.date) = (Trigger::Schedule, date("2024-01-02"));
    tick.fire_at = Some(noon + TimeDelta::hours(1));
    let mut unknown = new_run(3, "daily");
    (unknown.trigger, unknown.date) = (Trigger::Backfill, date("2024-01-02"));
    let earlier = CreateRuns::new(vec![NewRun::new(moved), tick, NewRun::new(unknown)]);
    storage.create_runs(earlier).await.unwrap();
    finish_all(storage, RunStatus::Success).await;
    for (unit, expected) in [
        (Hour, &[1, 2][..]),
        (Tick, &[1, 2]),
        (Day, &[0, 1, 2, 3]),
        (Week, &[0, 1, 2, 3]),
        (Month, &[0, 1, 2, 3]),
    ] {
        let mut create = skip_existing(new_backfill(1, "daily", 10, 5));
        create.is_preview = true;
        create.backfill.as_mut().unwrap().backfill.unit = unit;
        for (hour, new) in (-1..).zip(&mut create.runs) {
            new.run.date = date("2024-01-02");
            new.run.scheduled_at = Some(noon + TimeDelta::hours(hour));
        }
        let last = &mut create.runs[4].run;
        (last.date, last.scheduled_at) = (date("2024-01-04"), None);
        let skipped = storage.create_runs(create).await.unwrap().skipped;
        let expected = expected.iter().map(|n| run_id(10 + n));
        assert!(skipped.iter().copied().eq(expected), "{unit:?} {skipped:?}");
    }
}

/// Returns backfill `n` of one date, whose run `n` repeats another one.
fn repeating(n: u64, repeated: u64) -> CreateRuns {
    let mut create = skip_existing(new_backfill(n, "daily", n, 1));
    create.runs[0].run.rerun_of = Some(run_id(repeated));
    create
}

/// Returns whether backfill `n` would leave out the date of run 1.
async fn is_left_out(storage: &dyn Storage, n: u64) -> bool {
    let mut preview = repeating(n, 1);
    preview.is_preview = true;
    !storage
        .create_runs(preview)
        .await
        .unwrap()
        .skipped
        .is_empty()
}

/// The date of a run that repeats another one MUST be skipped if that one, a resume or a rerun that
/// descends from it has succeeded. Success of the same date in another backfill MUST NOT count.
pub async fn a_repeated_date_is_skipped_once_its_own_run_has_succeeded(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage
        .create_runs(new_backfill(1, "daily", 1, 1))
        .await
        .unwrap();
    finish_all(storage, RunStatus::Failed).await;
    storage
        .create_runs(new_backfill(2, "daily", 2, 1))
        .await
        .unwrap();
    finish_all(storage, RunStatus::Success).await;
    assert!(
        !is_left_out(storage, 90).await,
        "another backfill has succeeded"
    );
    storage.create_runs(repeating(3, 1)).await.unwrap();
    finish_all(storage, RunStatus::Failed).await;
    assert!(!is_left_out(storage, 91).await, "its rerun has failed");
    create(storage, resume(4, run_id(3), run_id(3)))
        .await
        .unwrap();
    assert!(
        !is_left_out(storage, 92).await,
        "the resume of its rerun is pending"
    );
    finish_all(storage, RunStatus::Failed).await;
    storage.create_runs(repeating(5, 4)).await.unwrap();
    finish_all(storage, RunStatus::Success).await;
    assert!(
        is_left_out(storage, 93).await,
        "a rerun of that resume has succeeded"
    );
    let created = storage.create_runs(repeating(6, 1)).await.unwrap();
    assert_eq!((created.run_ids, created.skipped.len()), (Vec::new(), 1));
    let created = storage.create_runs(repeating(7, 2)).await.unwrap();
    assert_eq!(created.skipped.len(), 1, "it has succeeded itself");
    let mut every = repeating(8, 1);
    every.backfill.as_mut().unwrap().skip_existing = false;
    assert_eq!(
        storage.create_runs(every).await.unwrap().run_ids,
        [run_id(8)]
    );
}

/// A date MUST be skipped if a failed run of a backfill, a schedule or a catch-up was resumed for
/// it and the resume has succeeded.
pub async fn a_date_whose_resume_succeeded_is_skipped(storage: &dyn Storage) {
    save(storage, "daily").await;
    for (n, trigger, is_skipped) in [(1, Trigger::Manual, false), (3, Trigger::Schedule, true)] {
        create_finished_run(storage, n, trigger, RunStatus::Failed).await;
        let mut run = resume(n + 1, run_id(n), run_id(n));
        run.date = date("2024-01-02");
        create(storage, run).await.unwrap();
        finish_all(storage, RunStatus::Success).await;
        let mut create = skip_existing(new_backfill(n, "daily", n * 10, 3));
        create.is_preview = true;
        let skipped = storage.create_runs(create).await.unwrap().skipped;
        assert_eq!(!skipped.is_empty(), is_skipped, "{trigger:?}");
    }
}

/// A successful run of another tenant's pipeline with the same id MUST NOT cause a date to be
/// skipped.
pub async fn a_successful_run_of_another_tenant_skips_no_date(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    create_finished_run(storage, 1, Trigger::Schedule, RunStatus::Success).await;
    let daily = pipeline_id("daily");
    storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(60)))
        .await
        .unwrap();
    let version = save_for(storage, "daily", "ben").await.version;
    let mut create = skip_existing(new_backfill(1, "daily", 11, 3));
    for new in &mut create.runs {
        new.run.pipeline_version = version;
    }
    let created = storage.create_runs(create).await.unwrap();
    assert_eq!((created.run_ids.len(), created.skipped), (3, Vec::new()));
}

/// A backfill whose dates are all skipped MUST create nothing.
pub async fn a_backfill_without_remaining_dates_creates_nothing(storage: &dyn Storage) {
    save(storage, "daily").await;
    let first = new_backfill(1, "daily", 1, 2);
    storage.create_runs(first).await.unwrap();
    finish_all(storage, RunStatus::Success).await;
    let before = snapshot(storage).await;
    let again = skip_existing(with_key(new_backfill(2, "daily", 11, 2), "once", 1));
    let created = storage.create_runs(again).await.unwrap();
    assert_eq!((created.run_ids, created.backfill), (Vec::new(), None));
    assert_eq!(created.skipped, [run_id(11), run_id(12)]);
    assert_eq!(snapshot(storage).await, before);
}

/// A preview MUST create nothing and MUST NOT use up its idempotency key. The limits of the queue
/// MUST NOT apply to it.
pub async fn a_preview_creates_nothing(storage: &dyn Storage) {
    save(storage, "daily").await;
    create_finished_run(storage, 100, Trigger::Schedule, RunStatus::Success).await;
    let before = snapshot(storage).await;
    let mut preview = skip_existing(with_key(new_backfill(1, "daily", 1, 3), "once", 1));
    (preview.is_preview, preview.queued_max) = (true, 0);
    let previewed = storage.create_runs(preview.clone()).await.unwrap();
    assert_eq!(previewed.run_ids, [run_id(1), run_id(3)]);
    assert_eq!(previewed.skipped, [run_id(2)]);
    assert_eq!(snapshot(storage).await, before);
    (preview.is_preview, preview.queued_max) = (false, 2);
    let created = storage.create_runs(preview).await.unwrap();
    assert!(!created.is_replayed);
    assert_eq!(created.run_ids, previewed.run_ids);
}
