//! Tests that a backfill stores the parameters of its runs once.
//!
//! That each run is read with its parameters is left to the contract.

use super::*;
use crate::model::Params;
use crate::storage::Purge;
use crate::testing::contract::backfill_fixtures::new_backfill;

const LARGE: usize = 20_000;

/// Returns a backfill whose runs have a large parameter and their date.
fn large_backfill(dates: u64) -> CreateRuns {
    let mut create = new_backfill(1, "daily", 1, dates);
    for new in &mut create.runs {
        let date = new.run.date.to_string();
        let params = [("date", date), ("text", "x".repeat(LARGE))];
        new.run.params = params.into_iter().collect();
    }
    create
}

async fn params_of(storage: &SqliteStorage, run: RunId) -> Params {
    let found = storage.find_run(run, &Scope::All).await.unwrap();
    found.unwrap().run.params
}

/// Returns how many bytes of parameters the rows of all runs and of all backfills have.
async fn stored_bytes(storage: &SqliteStorage) -> (i64, i64) {
    let count = |tx: &mut Tx| {
        let sql = "SELECT (SELECT coalesce(sum(octet_length(params)), 0) FROM runs), \
                   (SELECT coalesce(sum(octet_length(params)), 0) FROM backfills)";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        Ok(tx.conn.query_row(sql, [], read)?)
    };
    storage.step(count).await.unwrap()
}

/// Damages rows. `write` marks the step as one to commit.
async fn execute(storage: &SqliteStorage, statements: &'static [&'static str]) {
    let step = |tx: &mut Tx| {
        let mut all = statements.iter();
        all.try_for_each(|sql| tx.write(sql, []).map(drop))
    };
    storage.step(step).await.unwrap();
}

#[tokio::test]
async fn a_backfill_stores_the_params_of_its_runs_once() {
    let (_dir, storage) = store().await;
    let create = large_backfill(500);
    storage.create_runs(create.clone()).await.unwrap();
    let text = i64::try_from(LARGE + r#"{"text":""}"#.len()).unwrap();
    assert_eq!(stored_bytes(&storage).await, (0, text));
    let pages = storage.page_count().await.unwrap();
    assert!(pages < 500, "{pages} pages");
    for new in &create.runs {
        assert_eq!(params_of(&storage, new.run.id).await, new.run.params);
    }
}

#[tokio::test]
async fn a_run_that_differs_from_its_backfill_stores_its_own_params() {
    let (_dir, storage) = store().await;
    let mut create = large_backfill(2);
    create.runs[1].run.params = Params::from_iter([("date", "2023-12-31")]);
    storage.create_runs(create).await.unwrap();
    let text = i64::try_from(r#"{"date":"2023-12-31"}"#.len()).unwrap();
    assert_eq!(stored_bytes(&storage).await.0, text);
}

#[tokio::test]
async fn runs_of_an_older_version_keep_their_own_params() {
    let (_dir, storage) = store().await;
    let create = large_backfill(2);
    storage.create_runs(create.clone()).await.unwrap();
    execute(
        &storage,
        &[
            "UPDATE backfills SET params = NULL",
            "UPDATE runs SET params = '{\"a\":\"1\"}' WHERE key = (SELECT min(key) FROM runs)",
        ],
    )
    .await;
    let own = Params::from_iter([("a", "1")]);
    assert_eq!(params_of(&storage, create.runs[0].run.id).await, own);
    let none = Params::new();
    assert_eq!(params_of(&storage, create.runs[1].run.id).await, none);
}

/// The counts of a damaged row say that no run is left.
#[tokio::test]
async fn a_purge_keeps_the_params_of_the_runs_that_are_left() {
    let (_dir, storage) = store().await;
    let create = large_backfill(2);
    storage.create_runs(create.clone()).await.unwrap();
    execute(
        &storage,
        &[
            "UPDATE backfills SET pending = 0, success = 1",
            "UPDATE runs SET status = 2, finished_at = 1 WHERE key = (SELECT min(key) FROM runs)",
        ],
    )
    .await;
    let purge = Purge::new(at(1_000_000), 1);
    assert_eq!(storage.purge(purge).await.unwrap().deleted, 1);
    let left = &create.runs[1].run;
    assert_eq!(params_of(&storage, left.id).await, left.params);
}
