//! Drives recorded stores over everything that this backend does.
//!
//! The contract is the greater part: it calls every method in every way that it promises about.
//! `filters` and `lists` ask with filters.

use std::path::Path;

use super::super::durable::InFile;
use super::super::open_file;
use super::{filters, lists};
use crate::storage::sqlite::recorded_texts::RECORDED_FILE;
use crate::storage::sqlite::{Durability, SqliteOptions, SqliteStorage};
use crate::storage::{Pipelines, System};
use crate::testing::contract::durable::{self, Shutdown};
use crate::testing::contract::fixtures::{at, create, new_run, put, started_run};
use crate::testing::scratch;

/// Runs the load whose texts are in the file.
pub(super) async fn run(stores: &[SqliteStorage; 2]) {
    // Hundreds of stores: copies of one save a third of the time.
    let fresh = fresh_store().await;
    let open = async |dir: &Path| {
        std::fs::write(dir.join(RECORDED_FILE), &fresh).unwrap();
        open(dir).await
    };
    crate::storage_contract! { @as in_turn open }
    crate::handles_contract! { @as in_turn open }
    Box::pin(survive_trouble()).await;
    recover().await;
    count_many_days(&stores[0]).await;
    filters::ask(stores).await;
    lists::ask(&stores[0]).await;
}

async fn open(dir: &Path) -> SqliteStorage {
    // Nobody cuts the power.
    let options = SqliteOptions::default().durability(Durability::Normal);
    let file = dir.join(RECORDED_FILE);
    SqliteStorage::open_with(file, options).await.unwrap()
}

/// Returns the file of an empty store.
async fn fresh_store() -> Vec<u8> {
    let dir = scratch();
    open(dir.path()).await.close().await.unwrap();
    std::fs::read(dir.path().join(RECORDED_FILE)).unwrap()
}

/// Reopens stores, damages them and lets commits fail.
async fn survive_trouble() {
    let folders = [(); 5].map(|()| scratch());
    let [reopened, limited, orphaned, damaged, failed] = folders
        .each_ref()
        .map(|dir| InFile(dir.path().join(RECORDED_FILE)));
    let dropped = Shutdown::Dropped;
    durable::everything_survives_a_reopen(&reopened, dropped).await;
    durable::a_backfill_continues_within_its_limits(&limited, dropped).await;
    durable::an_unreadable_orphan_does_not_fail_a_claim(&orphaned, dropped).await;
    durable::an_unreadable_run_does_not_fail_a_claim(&damaged).await;
    durable::the_result_of_a_failed_commit_matches_its_effect(&failed).await;
}

/// A run that is left to sweep, a lost number, and a pipeline whose definition cannot be read.
const CRASH: &str = "INSERT INTO sweeps VALUES (0, 99); INSERT INTO previews VALUES (99 << 12, x''); \
     DELETE FROM meta WHERE name = 'purged_seq'; UPDATE definitions SET body = '{'";

/// Opens a store that a crash has left with chunks, rows to sweep and lost numbers.
async fn recover() {
    let dir = scratch();
    let file = dir.path().join(RECORDED_FILE);
    let storage = open_file(&file).await;
    let driver = started_run(&storage, 1).await;
    driver.put_chunks(&storage, 0, &[b"one"]).await;
    storage.close().await.unwrap();
    let shell = rusqlite::Connection::open(&file).unwrap();
    shell.execute_batch(CRASH).unwrap();
    drop(shell);
    let storage = open_file(&file).await;
    storage.put_pipeline(put("daily")).await.unwrap();
    storage.close().await.unwrap();
}

/// Creates runs of so many days that the first one is no longer counted by the minute.
async fn count_many_days(storage: &SqliteStorage) {
    for n in 100..110 {
        let mut run = new_run(n, "daily");
        run.created_at = at(86_400 * i64::try_from(n).unwrap());
        create(storage, run).await.unwrap();
    }
}
