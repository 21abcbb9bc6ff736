//! Tests that the file of a store shrinks after a purge, and that its write-ahead log stays within
//! its size.
//!
//! Which runs a purge deletes is left to the contract.

use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::storage::Purge;

/// Creates runs with large params, claims and finishes them.
async fn finish_large_runs(storage: &SqliteStorage, count: u64) {
    for n in 1..=count {
        let mut run = new_run(n);
        run.params.insert("text".to_owned(), "x".repeat(200_000));
        let create = CreateRuns::new(vec![NewRun::new(run)]);
        storage.create_runs(create).await.unwrap();
        let epoch = claim(storage, 1, 1).await.claimed[0].epoch;
        let entry = Entry::RunFinished {
            status: RunStatus::Success,
            error: None,
            at: at(3),
        };
        append(storage, n, (epoch, 0), vec![entry]).await.unwrap();
    }
}

/// Returns the pages of the file and how many of them are free, at one moment.
///
/// A connection of its own reads them: the writer frees pages only while nobody asks it anything.
fn page_counts(dir: &Path) -> (u32, u32) {
    let mut conn = rusqlite::Connection::open(dir.join("runs.db")).unwrap();
    let moment = conn.transaction().unwrap();
    let number = |name: &str| {
        let read = moment.pragma_query_value(None, name, |row| row.get(0));
        values::to_u32(read.unwrap())
    };
    (number("page_count"), number("freelist_count"))
}

/// Waits until the writer has freed what it wants to free. Returns what [`page_counts`] then says.
async fn pages_in_the_end(dir: &Path) -> (u32, u32) {
    let (mut before, _) = page_counts(dir);
    let clock = Clock::system();
    loop {
        let (pages, free) = page_counts(dir);
        if free <= 1_024 || free <= pages / 4 {
            return (pages, free);
        }
        assert!(pages <= before, "{pages} after {before}");
        let is_late = clock.real_time() > Duration::from_secs(60);
        assert!(!is_late, "{pages} pages, {free} free");
        before = pages;
        clock.real_time_pause().await;
    }
}

#[tokio::test]
async fn a_file_shrinks_after_a_purge_until_little_of_it_is_free() {
    let (dir, storage) = store().await;
    finish_large_runs(&storage, 100).await;
    let full = storage.page_count().await.unwrap();
    assert!(full > 4_500, "{full} pages");
    let purge = Purge::new(at(1_000_000), 500);
    assert_eq!(storage.purge(purge).await.unwrap().deleted, 100);
    let (pages, free) = pages_in_the_end(dir.path()).await;
    assert!(pages < 1_300 && free <= 1_024, "{pages} pages, {free} free");
    storage.close().await.unwrap();
    let bytes = std::fs::metadata(dir.path().join("runs.db")).unwrap().len();
    assert!(bytes < u64::from(full) * 4_096 / 3, "{bytes} bytes");
}

#[tokio::test]
async fn a_file_that_was_not_shrunk_before_a_restart_shrinks_after_it() {
    let (dir, storage) = store().await;
    finish_large_runs(&storage, 60).await;
    storage.close().await.unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    shell
        .execute_batch("UPDATE runs SET params = NULL")
        .unwrap();
    drop(shell);
    let storage = open(dir.path()).await;
    let (pages, free) = pages_in_the_end(dir.path()).await;
    assert!(pages < 1_300 && free <= 1_024, "{pages} pages, {free} free");
    storage.close().await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_shrink_keeps_its_pages() {
    let dir = scratch();
    let path = dir.path().join("runs.db");
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.pragma_update(None, "application_id", schema::APPLICATION_ID)
        .unwrap();
    // Tables of a file that was created without the option.
    conn.execute_batch(include_str!("../migrations/1.sql"))
        .unwrap();
    conn.execute_batch("CREATE TABLE t (a); INSERT INTO t SELECT zeroblob(10000000); DROP TABLE t")
        .unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    conn.close().unwrap();
    let storage = open(dir.path()).await;
    let counts = page_counts(dir.path());
    assert!(counts.0 > 2_000 && counts.1 > 2_000, "{counts:?}");
    assert_eq!(storage.page_count().await.unwrap(), counts.0);
    assert_eq!(page_counts(dir.path()), counts);
}

#[tokio::test]
async fn a_log_that_outgrew_its_maximum_behind_a_reader_is_cut_once_the_reader_leaves() {
    const MAX: u64 = 256 << 10;
    let options = SqliteOptions::default().log_bytes_max(MAX);
    let (dir, storage) = store_with(options).await;
    let log_bytes = || {
        std::fs::metadata(dir.path().join("runs.db-wal"))
            .unwrap()
            .len()
    };
    let reader = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM runs")
        .unwrap();
    let large = |n| {
        let mut run = new_run(n);
        run.params.insert("text".to_owned(), "x".repeat(100_000));
        CreateRuns::new(vec![NewRun::new(run)])
    };
    for n in 1..=10 {
        storage.create_runs(large(n)).await.unwrap();
    }
    assert!(log_bytes() > 2 * MAX, "{} bytes", log_bytes());
    let held_back = log_bytes();
    reader.execute_batch("COMMIT").unwrap();
    for n in 11..=20 {
        storage.create_runs(large(n)).await.unwrap();
    }
    assert!(log_bytes() < held_back, "{} after {held_back}", log_bytes());
    let stats = storage.stats(&Scope::All).await.unwrap();
    assert!(stats.bytes > log_bytes());
}
