//! Loss of power, as the tail of a write-ahead log that did not reach the disk: 200 damages of a
//! live store.
//!
//! Loss of the process alone is `crash`'s.

use std::fs;
use std::path::Path;
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::storage::{Durability, SqliteOptions, SqliteStorage};
use floret::{Floret, Pipeline, RunId};
use serde_json::{Value, json};

const DAMAGES: u64 = 200;
const RUNS: usize = 40;

async fn rows(_: Ctx) -> Result<Vec<Value>, ExecutorError> {
    Ok(vec![json!({"n": 1}), json!({"n": 2})])
}

async fn endless(_: Ctx, _: Vec<Value>) -> Result<(), ExecutorError> {
    std::future::pending().await
}

async fn done(_: Ctx, _: Vec<Value>) -> Result<(), ExecutorError> {
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

/// A store as it stands in the middle of its work: the file and its log, and the runs in the order
/// of their creation.
async fn live(dir: &Path) -> (Vec<u8>, Vec<u8>, Vec<RunId>) {
    let file = dir.join("live.db");
    let floret = open(&file)
        .await
        .node("last", endless)
        .start()
        .await
        .unwrap();
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(floret.run("p").start().await.unwrap().id());
    }
    let copy = (
        fs::read(&file).unwrap(),
        fs::read(dir.join("live.db-wal")).unwrap(),
        runs,
    );
    floret.shutdown(Duration::ZERO).await.unwrap();
    copy
}

/// Cuts the second half of the log somewhere, or turns some of its bytes.
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

/// The damaged store opens, has the first of the runs and no other, is whole, and every run of it
/// ends.
async fn check(dir: &Path, runs: &[RunId], seed: u64) {
    let file = dir.join("damaged.db");
    let floret = open(&file).await.node("last", done).start().await.unwrap();
    let mut kept = 0;
    for (index, run) in runs.iter().enumerate() {
        let handle = floret.handle(*run);
        match handle.finished().await {
            Ok(_) => {
                assert_eq!(kept, index, "seed {seed}: a run survived an older one");
                kept += 1;
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
async fn a_log_whose_tail_is_damaged_leaves_a_prefix_that_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (file, log, runs) = live(dir.path()).await;
    for seed in 0..DAMAGES {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log.clone();
        damage(&mut log, seed);
        fs::write(dir.path().join("damaged.db"), &file).unwrap();
        fs::write(dir.path().join("damaged.db-wal"), &log).unwrap();
        check(dir.path(), &runs, seed).await;
    }
}
