//! Tests that the totals of lists of a period equal a recount of the runs.

use chrono::TimeDelta;

use super::*;
use crate::model::{Cancel, PageRequest, RunStatus};
use crate::storage::{CancelRequest, Purge, RunFilter};

/// Times around two midnights, within a minute, and days apart, in milliseconds after `at(0)`.
fn ages() -> Vec<i64> {
    const DAY: i64 = 86_400_000;
    let around = |time: i64| [-60_001, -60_000, -1, 0, 1, 59_999, 60_000].map(|ms| time + ms);
    let midnight = -at(0).timestamp_millis().rem_euclid(DAY);
    [2 * DAY, 7 * DAY, 8 * DAY, 8 * DAY + DAY / 2]
        .into_iter()
        .flat_map(|time| around(midnight + time))
        .collect()
}

fn moment(age: i64) -> DateTime<Utc> {
    at(0) + TimeDelta::milliseconds(age)
}

async fn total(storage: &SqliteStorage, filter: RunFilter) -> u64 {
    let page = PageRequest::Numbered {
        page: 1,
        per_page: 0,
    };
    let page = storage.list_runs(filter, page).await.unwrap();
    page.total.unwrap()
}

/// Compares the totals of all periods with the runs that a list without a period shows.
async fn check(storage: &SqliteStorage) {
    let newest = PageRequest::Newest { limit: 1_000 };
    let all = storage.list_runs(RunFilter::default(), newest).await;
    let all = all.unwrap().items;
    let mut moments: Vec<_> = ages().into_iter().map(|age| Some(moment(age))).collect();
    moments.push(None);
    for from in &moments {
        for to in &moments {
            for status in [None, Some(RunStatus::Pending), Some(RunStatus::Success)] {
                let is_counted = |run: &&Run| {
                    from.is_none_or(|from| run.created_at >= from)
                        && to.is_none_or(|to| run.created_at < to)
                        && status.is_none_or(|status| run.status == status)
                };
                let expected = all.iter().filter(is_counted).count() as u64;
                for mut filter in same_runs() {
                    (filter.from, filter.to) = (*from, *to);
                    filter.statuses = status.into_iter().collect();
                    let found = total(storage, filter.clone()).await;
                    assert_eq!(found, expected, "{filter:?}");
                }
            }
        }
    }
}

/// Filters that all runs of the store meet: they have one pipeline, and no tenant.
fn same_runs() -> [RunFilter; 3] {
    let of_pipeline = RunFilter {
        pipeline: Some(PipelineId::new("daily").unwrap()),
        ..RunFilter::default()
    };
    let without_tenant = RunFilter {
        scope: Scope::NoTenant,
        ..RunFilter::default()
    };
    [RunFilter::default(), of_pipeline, without_tenant]
}

async fn create_at(storage: &SqliteStorage, n: u64, age: i64) {
    let mut run = new_run(n);
    run.created_at = moment(age);
    let create = CreateRuns::new(vec![NewRun::new(run)]);
    storage.create_runs(create).await.unwrap();
}

async fn finish_some(storage: &SqliteStorage) {
    let mut request = crate::storage::Claim::new(OwnerId::from_uuid(Uuid::nil()), 9, moment(0));
    request.runs_max = 1_000;
    for claimed in storage.claim(request).await.unwrap().claimed {
        let entry = Entry::RunFinished {
            status: RunStatus::Success,
            error: None,
            at: at(3),
        };
        let append = Append::new(claimed.run.id, claimed.epoch, 0, vec![entry]);
        storage.append(append).await.unwrap();
    }
}

#[tokio::test]
async fn the_totals_of_periods_equal_a_recount() {
    let (dir, storage) = store().await;
    for (n, age) in (1..).zip(ages()) {
        create_at(&storage, n, age).await;
        if n % 5 == 0 {
            finish_some(&storage).await;
        }
    }
    check(&storage).await;
    // A run of a day whose minutes are no longer counted, and one of the day before the newest.
    create_at(&storage, 500, ages()[0]).await;
    create_at(&storage, 501, ages()[8]).await;
    storage.close().await.unwrap();
    let storage = open(dir.path()).await;
    finish_some(&storage).await;
    check(&storage).await;
    let purge = Purge::new(at(1_000_000), 500);
    assert!(storage.purge(purge).await.unwrap().deleted > 10);
    check(&storage).await;
}

#[tokio::test]
async fn the_minutes_of_four_days_are_kept() {
    let (_dir, storage) = store().await;
    for (n, age) in (1..).zip(ages()) {
        create_at(&storage, n, age).await;
    }
    let minutes = storage.step(|tx| {
        let sql = "SELECT count(*), sum(pending) FROM totals WHERE unit = 1";
        tx.row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    });
    // All but those before the first midnight.
    assert_eq!(minutes.await.unwrap(), Some((14, 25)));
}

#[tokio::test]
async fn a_clock_that_was_wrong_for_a_while_ends_no_counting() {
    const DAY: i64 = 86_400_000;
    let (dir, storage) = store().await;
    let start = *ages().last().unwrap();
    for (n, days) in (1..).zip([0, 1, 40_000, 50_000, 1, 2, 3, -9, 4]) {
        create_at(&storage, n, start + days * DAY).await;
        check(&storage).await;
    }
    storage.close().await.unwrap();
    let storage = open(dir.path()).await;
    check(&storage).await;
    let today = moment(start + 4 * DAY).date_naive();
    let today = values::day(today);
    let counted = storage.step(move |tx| Ok(tx.state.counted_days.contains(today)));
    assert!(counted.await.unwrap());
}

#[tokio::test]
async fn a_run_that_one_group_creates_and_purges_leaves_the_totals_right() {
    let (_dir, storage) = store().await;
    for (n, age) in (1..).zip(ages()) {
        create_at(&storage, n, age).await;
    }
    let newer = ages().last().unwrap() + 3 * 86_400_000;
    let busy = Busy::new(&storage).await;
    let cancel = CancelRequest::new(run_id(900), Cancel::Plain, moment(newer));
    let purge = Purge::new(moment(newer + 1), 500);
    let (_, cancelled, purged, ()) = tokio::join!(
        create_at(&storage, 900, newer),
        storage.request_cancel(cancel),
        storage.purge(purge),
        busy.release()
    );
    cancelled.unwrap();
    assert_eq!(purged.unwrap().deleted, 1);
    check(&storage).await;
    create_at(&storage, 901, *ages().last().unwrap()).await;
    check(&storage).await;
}

/// Turns a store into one of version 3.
const TO_VERSION_3: &str = "
CREATE TABLE old_daily (
  pipeline INTEGER NOT NULL, tenant TEXT NOT NULL, day INTEGER NOT NULL, pending INTEGER NOT NULL,
  running INTEGER NOT NULL, success INTEGER NOT NULL, failed INTEGER NOT NULL, cancelled INTEGER NOT NULL,
  PRIMARY KEY (pipeline, tenant, day)
) STRICT, WITHOUT ROWID;
INSERT INTO old_daily SELECT pipeline, tenant, day, pending, running, success, failed, cancelled FROM daily;
INSERT INTO old_daily SELECT 0, tenant, at, pending, running, success, failed, cancelled FROM totals WHERE unit = 0;
DROP TABLE daily;
DROP TABLE totals;
DROP TABLE counted_days;
ALTER TABLE old_daily RENAME TO daily;
DROP INDEX runs_of_trigger;
ALTER TABLE runs DROP COLUMN created_by;
ALTER TABLE pipelines DROP COLUMN code_version;
PRAGMA user_version = 3;";

#[tokio::test]
async fn a_store_of_version_3_gets_the_totals_of_its_runs() {
    // Now, and before 1970.
    for shift in [0, -20_000 * 86_400_000] {
        let (dir, storage) = store().await;
        for (n, age) in (1..).zip(ages()) {
            create_at(&storage, n, age + shift).await;
        }
        finish_some(&storage).await;
        // The days, and the minutes of the newest two.
        let totals = "SELECT group_concat(unit || ' ' || at || ' ' || pending || ' ' || success) FROM totals \
             WHERE unit = 0 OR at <= (719164 - (SELECT max(at) FROM totals WHERE unit = 0)) * 1440";
        let texts = |tx: &mut Tx| tx.row(totals, [], |row| Ok(row.get::<_, String>(0)?));
        let before = storage.step(texts).await.unwrap();
        storage.close().await.unwrap();
        let shell = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
        shell.execute_batch(TO_VERSION_8).unwrap();
        shell.execute_batch(TO_VERSION_3).unwrap();
        drop(shell);
        let storage = open(dir.path()).await;
        assert_eq!(storage.step(texts).await.unwrap(), before, "{shift}");
        check(&storage).await;
    }
}

/// Turns a store into one of version 4, which counted the minutes of the newest day and of the day
/// before, and never deleted the row of the newest day.
const TO_VERSION_4: &str = "
DELETE FROM totals WHERE unit = 1
  AND at > (719164 - (SELECT max(at) FROM totals WHERE tenant = '' AND unit = 0)) * 1440;
DROP TABLE counted_days;
DROP INDEX daily_failed;
ALTER TABLE runs DROP COLUMN created_by;
ALTER TABLE pipelines DROP COLUMN code_version;
PRAGMA user_version = 4;";

/// The row of a newest day whose runs were all purged.
const PURGED_DAY: &str =
    "INSERT INTO totals (tenant, unit, at, pending, running, success, failed, cancelled)
SELECT '', 0, max(at) + 1, 0, 0, 0, 0, 0 FROM totals WHERE tenant = '' AND unit = 0;";

#[tokio::test]
async fn a_store_of_version_4_keeps_the_minutes_of_its_newest_days() {
    const DAY: i64 = 86_400_000;
    // The last one is of a build between the versions, which already had the table.
    for changes in [
        [TO_VERSION_4, ""],
        [PURGED_DAY, TO_VERSION_4],
        [
            "DROP INDEX daily_failed; ALTER TABLE runs DROP COLUMN created_by; \
             ALTER TABLE pipelines DROP COLUMN code_version;",
            "PRAGMA user_version = 4;",
        ],
    ] {
        let (dir, storage) = store().await;
        for (n, age) in (1..).zip(ages()) {
            create_at(&storage, n, age).await;
        }
        finish_some(&storage).await;
        storage.close().await.unwrap();
        let shell = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
        shell.execute_batch(TO_VERSION_8).unwrap();
        shell.execute_batch(&changes.concat()).unwrap();
        drop(shell);
        let storage = open(dir.path()).await;
        check(&storage).await;
        let newest = *ages().last().unwrap();
        for (n, days) in (900..).zip([0, -1, 1, 2, -9]) {
            create_at(&storage, n, newest + days * DAY).await;
            check(&storage).await;
        }
        let counted = storage.step(|tx: &mut Tx| Ok(tx.state.counted_days.len()));
        assert_eq!(counted.await.unwrap(), 4, "{changes:?}");
    }
}
