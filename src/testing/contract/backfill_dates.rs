//! Which dates a backfill leaves out, made and previewed.
//!
//! Making it with the dates that are left is promised in `backfills`.

use super::backfills::{end, ids, with_key};
use super::fixtures::{
    at, create, date, new_backfill, new_run, pipeline_id, purge_all, resume, run_id, save,
    save_for, snapshot,
};
use crate::model::{RunStatus, Trigger};
use crate::storage::{CreateRuns, DeletePipeline, Storage};

fn skipping(mut create: CreateRuns) -> CreateRuns {
    let backfill = create.backfill.as_mut().unwrap();
    backfill.skip_existing = true;
    create
}

/// Ends a run that was made for a date by this trigger.
async fn run_of_date(storage: &dyn Storage, n: u64, trigger: Trigger, status: RunStatus) {
    let mut run = new_run(n, "daily");
    (run.trigger, run.date) = (trigger, date("2024-01-02"));
    create(storage, run).await.unwrap();
    end(storage, status).await;
}

/// A date is left out that a backfill, a schedule or a catch-up has run with success, and no other.
pub async fn dates_that_were_run_are_left_out(storage: &dyn Storage) {
    use RunStatus::{Failed, Success};
    use Trigger::{Backfill, Catchup, Dependency, Manual, Schedule, Webhook};
    save(storage, "daily").await;
    let mut n = 100;
    for (trigger, status, is_left_out) in [
        (Manual, Success, false),
        (Webhook, Success, false),
        (Dependency, Success, false),
        (Schedule, Failed, false),
        (Schedule, Success, true),
        (Catchup, Success, true),
        (Backfill, Success, true),
    ] {
        n += 1;
        run_of_date(storage, n, trigger, status).await;
        let create = skipping(new_backfill(n, "daily", n * 10, 3));
        let created = storage.create_runs(create.clone()).await.unwrap();
        let mut expected = ids(&create);
        if is_left_out {
            expected.remove(1);
        }
        assert_eq!(created.run_ids, expected, "{trigger:?} {status:?}");
        let skipped = is_left_out.then(|| date("2024-01-02"));
        assert!(created.skipped.iter().eq(skipped.iter()));
        end(storage, Failed).await;
        purge_all(storage).await;
    }
}

/// The resume of a run that was made for a date stands for that date.
pub async fn a_date_that_was_resumed_is_left_out(storage: &dyn Storage) {
    save(storage, "daily").await;
    for (n, trigger, is_left_out) in [(1, Trigger::Manual, false), (3, Trigger::Schedule, true)] {
        run_of_date(storage, n, trigger, RunStatus::Failed).await;
        let mut run = resume(n + 1, run_id(n), run_id(n));
        run.date = date("2024-01-02");
        create(storage, run).await.unwrap();
        end(storage, RunStatus::Success).await;
        let mut create = skipping(new_backfill(n, "daily", n * 10, 3));
        create.is_preview = true;
        let skipped = storage.create_runs(create).await.unwrap().skipped;
        assert_eq!(!skipped.is_empty(), is_left_out, "{trigger:?}");
    }
}

/// What another tenant ran under the same id leaves nothing out.
pub async fn a_date_of_another_tenant_is_not_left_out(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    run_of_date(storage, 1, Trigger::Schedule, RunStatus::Success).await;
    let daily = pipeline_id("daily");
    storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(60)))
        .await
        .unwrap();
    let version = save_for(storage, "daily", "ben").await.version;
    let mut create = skipping(new_backfill(1, "daily", 11, 3));
    for new in &mut create.runs {
        new.run.pipeline_version = version;
    }
    let created = storage.create_runs(create).await.unwrap();
    assert_eq!((created.run_ids.len(), created.skipped), (3, Vec::new()));
}

/// Without a date left nothing is made.
pub async fn a_backfill_of_dates_that_were_run_is_nothing(storage: &dyn Storage) {
    save(storage, "daily").await;
    let first = new_backfill(1, "daily", 1, 2);
    storage.create_runs(first).await.unwrap();
    end(storage, RunStatus::Success).await;
    let before = snapshot(storage).await;
    let again = skipping(with_key(new_backfill(2, "daily", 11, 2), "once", 1));
    let created = storage.create_runs(again).await.unwrap();
    assert_eq!((created.run_ids, created.backfill), (Vec::new(), None));
    assert_eq!(created.skipped, [date("2024-01-01"), date("2024-01-02")]);
    assert_eq!(snapshot(storage).await, before);
}

/// A preview makes nothing, uses up no key and needs no room in the queue.
pub async fn a_preview_makes_nothing(storage: &dyn Storage) {
    save(storage, "daily").await;
    run_of_date(storage, 100, Trigger::Schedule, RunStatus::Success).await;
    let before = snapshot(storage).await;
    let mut preview = skipping(with_key(new_backfill(1, "daily", 1, 3), "once", 1));
    (preview.is_preview, preview.queued_max) = (true, 0);
    let told = storage.create_runs(preview.clone()).await.unwrap();
    assert_eq!(told.run_ids, [run_id(1), run_id(3)]);
    assert_eq!(told.skipped, [date("2024-01-02")]);
    assert_eq!(snapshot(storage).await, before);
    (preview.is_preview, preview.queued_max) = (false, 2);
    let made = storage.create_runs(preview).await.unwrap();
    assert!(!made.is_replayed);
    assert_eq!(made.run_ids, told.run_ids);
}
