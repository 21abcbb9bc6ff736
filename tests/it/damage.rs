//! Loss of power, simulated as a write-ahead log whose tail did not reach the disk: 100 damaged
//! copies of a store in use.
//!
//! A crash of the process alone is left to `crash`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::storage::{Durability, SqliteOptions, SqliteStorage};
use floret::{Floret, Pipeline, RunId};
use serde_json::{Value, json};

const DAMAGES: u64 = 100;
const RUNS: usize = 40;

async fn rows(_: Ctx) -> Result<Vec<Value>, ExecutorError> {
    Ok(vec![json!({"n": 1}), json!({"n": 2})])
}

async fn never_finish(_: Ctx, _: Vec<Value>) -> Result<(), ExecutorError> {
    std::future::pending().await
}

async fn succeed(_: Ctx, _: Vec<Value>) -> Result<(), ExecutorError> {
    Ok(())
}

async fn open(file: &Path) -> floret::Builder {
    let options = SqliteOptions::default().durability(Durability::Normal);
    let storage = SqliteStorage::open_with(file, options).await.unwrap();
    let pipeline = Pipeline::new("p")
        .node("rows", "rows")
        .node("last", "last")
        .after("rows");
    Floret::builder(storage)
        .node("rows", rows)
        .pipeline(pipeline)
}

/// Returns the file and the log of a store in use, and its runs in order of creation.
async fn copy_live_store(dir: &Path) -> (Vec<u8>, Vec<u8>, Vec<RunId>) {
    let file = dir.join("busy.db");
    let floret = open(&file)
        .await
        .node("last", never_finish)
        .start()
        .await
        .unwrap();
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(floret.run("p").start().await.unwrap().id());
    }
    let copy = (
        fs::read(&file).unwrap(),
        fs::read(dir.join("busy.db-wal")).unwrap(),
        runs,
    );
    floret.shutdown(Duration::ZERO).await.unwrap();
    copy
}

/// Truncates the log somewhere in its second half, flips a bit there or zeroes the rest.
fn damage(log: &mut Vec<u8>, seed: u64) {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 1).unwrap() % below
    };
    let half = log.len() / 2;
    let at = half + next(log.len() - half);
    match next(3) {
        0 => log.truncate(at),
        1 => log[at] ^= 1 << next(8),
        _ => log[at..].fill(0),
    }
}

/// Asserts that the damaged store opens intact with the oldest runs only, and that those finish.
async fn check(dir: &Path, runs: &[RunId], seed: u64) {
    let file = dir.join("damaged.db");
    let floret = open(&file)
        .await
        .node("last", succeed)
        .start()
        .await
        .unwrap();
    let mut recovered = 0;
    for (index, run) in runs.iter().enumerate() {
        let handle = floret.run_by_id(*run);
        match handle.finished().await {
            Ok(_) => {
                assert_eq!(recovered, index, "seed {seed}: a run outlived an older one");
                recovered += 1;
            }
            Err(error) => assert_eq!(error.slug(), "run-not-found", "seed {seed}"),
        }
    }
    floret.shutdown(Duration::from_secs(10)).await.unwrap();
    let connection = rusqlite::Connection::open(&file).unwrap();
    let integrity: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok", "seed {seed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_a_damaged_log_tail_recovers_a_prefix_of_its_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (file, log, runs) = copy_live_store(dir.path()).await;
    for seed in 0..DAMAGES {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log.clone();
        damage(&mut log, seed);
        fs::write(dir.path().join("damaged.db"), &file).unwrap();
        fs::write(dir.path().join("damaged.db-wal"), &log).unwrap();
        check(dir.path(), &runs, seed).await;
    }
}
