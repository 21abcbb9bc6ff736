//! The dates and instants that a backfill skips, both when it is created and in a preview.
//!
//! `backfills` covers how a backfill is created for the remaining dates.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::backfills::{finish_all, run_ids, with_key};
use super::fixtures::{
    at, create, date, new_backfill, new_run, pipeline_id, purge_all, resume, run_id, save,
    save_for, snapshot,
};
use crate::model::{BackfillUnit, Run, RunId, RunStatus, Trigger};
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

/// Returns the runs of a preview of five that would be skipped: four at 11 to 14 o'clock of
/// 2024-01-02, and one of 2024-01-04 without an instant.
async fn skipped_of_five(storage: &dyn Storage, unit: BackfillUnit) -> Vec<RunId> {
    let noon = noon();
    let mut create = skip_existing(new_backfill(1, "daily", 10, 5));
    create.is_preview = true;
    create.backfill.as_mut().unwrap().backfill.unit = unit;
    for (hour, new) in (-1..).zip(&mut create.runs) {
        new.run.date = date("2024-01-02");
        new.run.scheduled_at = Some(noon + TimeDelta::hours(hour));
    }
    let last = &mut create.runs[4].run;
    (last.date, last.scheduled_at) = (date("2024-01-04"), None);
    storage.create_runs(create).await.unwrap().skipped
}

fn noon() -> DateTime<Utc> {
    date("2024-01-02").and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(12)
}

/// Where a date may have several runs, a run MUST be skipped if a run of the same instant has
/// succeeded, whatever its date, and for no other reason. Elsewhere the date decides.
///
/// A success MUST count for no backfill of another unit, though both begin together: an hour is not
/// its day, nor a Monday its week. A run of the schedule MUST count for its tick and its date. The
/// success of a resume MUST count as that of the run that it resumes.
pub async fn instants_with_a_successful_run_are_skipped_where_a_date_has_several(
    storage: &dyn Storage,
) {
    use BackfillUnit::{Day, Hour, Month, Tick, Week};
    save(storage, "daily").await;
    let mut tick = new_run(2, "daily");
    (tick.trigger, tick.date) = (Trigger::Schedule, date("2024-01-02"));
    let mut tick = NewRun::new(tick);
    tick.fire_at = Some(noon() + TimeDelta::hours(1));
    storage
        .create_runs(CreateRuns::new(vec![tick]))
        .await
        .unwrap();
    finish_all(storage, RunStatus::Success).await;
    let mut n = 100;
    for (unit, expected) in [
        (Hour, &[1][..]),
        (Tick, &[1, 2]),
        (Day, &[0, 1, 2, 3]),
        (Week, &[0, 1, 2, 3]),
        (Month, &[0, 1, 2, 3]),
    ] {
        n += 10;
        let mut earlier = new_backfill(n, "daily", n, 2);
        earlier.backfill.as_mut().unwrap().backfill.unit = unit;
        // The date of a run is that of the zone at its creation.
        let [moved, unknown] = [0, 1].map(|index| earlier.runs[index].run.clone());
        let moved = Run {
            date: date("2024-01-03"),
            scheduled_at: Some(noon()),
            ..moved
        };
        let unknown = Run {
            date: date("2024-01-02"),
            scheduled_at: None,
            ..unknown
        };
        earlier.runs = [moved, unknown].map(NewRun::new).into();
        storage.create_runs(earlier).await.unwrap();
        finish_all(storage, RunStatus::Success).await;
        let skipped = skipped_of_five(storage, unit).await;
        let expected = expected.iter().map(|n| run_id(10 + n));
        assert!(skipped.iter().copied().eq(expected), "{unit:?} {skipped:?}");
    }
    purge_all(storage).await;
    check_other_units(storage).await;
}

/// Creates run `n` at the first instant of 2024-01-01: of a backfill with this unit, or of the
/// schedule.
async fn create_at_midnight(storage: &dyn Storage, n: u64, unit: Option<BackfillUnit>) {
    let mut create = new_backfill(n, "daily", n, 1);
    let midnight = create.runs[0].run.date.and_time(NaiveTime::MIN).and_utc();
    let new = &mut create.runs[0];
    match unit {
        Some(unit) => {
            new.run.scheduled_at = Some(midnight);
            create.backfill.as_mut().unwrap().backfill.unit = unit;
        }
        None => {
            (new.run.trigger, new.run.backfill_id) = (Trigger::Schedule, None);
            new.fire_at = Some(midnight);
            create.backfill = None;
        }
    }
    storage.create_runs(create).await.unwrap();
}

/// Checks which units the success of a run counts for, on a store without runs.
async fn check_other_units(storage: &dyn Storage) {
    use BackfillUnit::{Day, Hour, Month, Tick, Week};
    let units = [Day, Hour, Week, Month, Tick];
    let mut n = 1_000;
    for earlier in units.map(Some).into_iter().chain([None]) {
        for is_resumed in [false, true] {
            n += 10;
            create_at_midnight(storage, n, earlier).await;
            if is_resumed {
                finish_all(storage, RunStatus::Failed).await;
                let mut run = resume(n + 1, run_id(n), run_id(n));
                run.date = date("2024-01-01");
                run.scheduled_at = Some(run.date.and_time(NaiveTime::MIN).and_utc());
                create(storage, run).await.unwrap();
            }
            finish_all(storage, RunStatus::Success).await;
            let mut covered = Vec::new();
            for unit in units {
                let mut preview = skip_existing(new_backfill(1, "daily", 1, 1));
                preview.is_preview = true;
                preview.backfill.as_mut().unwrap().backfill.unit = unit;
                let run = &mut preview.runs[0].run;
                run.scheduled_at = Some(run.date.and_time(NaiveTime::MIN).and_utc());
                let skipped = storage.create_runs(preview).await.unwrap().skipped;
                covered.extend((!skipped.is_empty()).then_some(unit));
            }
            let expected = earlier.map_or_else(|| vec![Day, Tick], |unit| vec![unit]);
            assert_eq!(covered, expected, "{earlier:?}, resumed: {is_resumed}");
            purge_all(storage).await;
        }
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
