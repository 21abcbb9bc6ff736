//! Tests of what a purge and a success leave to the sweep: every step is bounded, and in the end
//! nothing is left.
//!
//! What readers see of a purge is in the contract.

use super::*;
use crate::storage::{Outputs, Purge};
use crate::testing::contract::fixtures::{
    Driver, claim_one, finished_run, read_output, resume, run_finished, run_id, started_run,
};

/// The rows of the journal of a run with a long log.
const ROWS: i64 = 20_000;

/// The rows that a step may change.
const STEP_ROWS_MAX: i64 = 150;

async fn number(storage: &SqliteStorage, sql: &'static str) -> i64 {
    let step = |tx: &mut Tx| {
        let found = tx.row(sql, [], |row| Ok(row.get(0)?))?;
        Ok(found.unwrap_or(0))
    };
    storage.step(step).await.unwrap()
}

/// Gives the runs of a store a journal of this many rows each.
async fn write_long_log(storage: &SqliteStorage) {
    let step = |tx: &mut Tx| {
        tx.write(
            "INSERT INTO journal (seq, run, n, body) \
             WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) \
             SELECT row_number() OVER () + 1000, r.key, 1, '[]' FROM runs r CROSS JOIN c",
            [ROWS],
        )?;
        tx.state.next_seq = number_of(tx, "SELECT max(seq) + 1 FROM journal")?;
        Ok(())
    };
    storage.step(step).await.unwrap();
}

fn number_of(tx: &Tx, sql: &str) -> Result<i64, StoreError> {
    Ok(tx.row(sql, [], |row| Ok(row.get(0)?))?.unwrap_or(0))
}

/// Applies a step and returns its result with the number of rows that it changed.
async fn count_changes<T: Send + 'static>(
    storage: &SqliteStorage,
    mut run: impl FnMut(&mut Tx) -> Result<T, StoreError> + Send + 'static,
) -> (T, i64) {
    let step = move |tx: &mut Tx| {
        let before = number_of(tx, "SELECT total_changes()")?;
        let value = run(tx)?;
        tx.wants_sweep = false;
        Ok((value, number_of(tx, "SELECT total_changes()")? - before))
    };
    storage.step(step).await.unwrap()
}

#[tokio::test]
async fn every_step_of_a_purge_is_bounded_by_rows() {
    let dir = scratch();
    let storage = open(dir.path()).await;
    for n in 1..=3 {
        finished_run(&storage, n, RunStatus::Failed).await;
    }
    write_long_log(&storage).await;
    let purge = Purge::new(at(1_000_000), 100);
    let (outcome, changed) = count_changes(&storage, move |tx| tx.purge(&purge)).await;
    assert_eq!(outcome.deleted, 3);
    assert!(changed < STEP_ROWS_MAX, "{changed}");
    assert_eq!(
        storage.find_run(run_id(1), &Scope::All).await.unwrap(),
        None
    );
    assert_eq!(event_count(&storage).await, 0, "the runs are gone at once");
    let mut steps = 0;
    loop {
        let (is_left, changed) = count_changes(&storage, Tx::sweep).await;
        assert!(changed < STEP_ROWS_MAX, "{changed}");
        if !is_left {
            break;
        }
        steps += 1;
        assert!(steps < 1_000, "the sweep does not end");
    }
    assert!(steps > 100, "{steps}");
    assert_empty(&storage).await;
}

async fn assert_empty(storage: &SqliteStorage) {
    for sql in [
        "SELECT count(*) FROM journal",
        "SELECT count(*) FROM node_runs",
        "SELECT count(*) FROM previews",
        "SELECT count(*) FROM outputs",
        "SELECT count(*) FROM chunks",
        "SELECT count(*) FROM sweeps",
        "SELECT count(*) FROM runs",
        "SELECT count(*) FROM daily",
    ] {
        assert_eq!(number(storage, sql).await, 0, "{sql}");
    }
}

#[tokio::test]
async fn a_purge_leaves_nothing_of_its_runs() {
    let dir = scratch();
    let storage = open(dir.path()).await;
    for n in 1..=2 {
        let mut driver = started_run(&storage, n).await;
        driver.succeed(&storage, 0, b"one").await;
        driver.put_chunks(&storage, 1, &[b"part"]).await;
        let outcome = run_finished(n, RunStatus::Failed);
        driver.append(&storage, [outcome]).await;
    }
    let purged = storage.purge(Purge::new(at(1_000_000), 100)).await.unwrap();
    assert_eq!(purged.deleted, 2);
    assert_empty(&storage).await;
}

/// Waits for the sweeps that the writer queues itself: each step of a test shares its group with
/// one of them.
async fn wait_for_sweeps(storage: &SqliteStorage) {
    for _ in 0..1_000 {
        if number(storage, "SELECT count(*) FROM sweeps").await == 0 {
            return;
        }
    }
    panic!("the sweep does not end");
}

#[tokio::test]
async fn a_sweep_goes_on_after_the_next_open() {
    let dir = scratch();
    let storage = open(dir.path()).await;
    finished_run(&storage, 1, RunStatus::Failed).await;
    write_long_log(&storage).await;
    let purge = Purge::new(at(1_000_000), 100);
    count_changes(&storage, move |tx| tx.purge(&purge)).await;
    storage.close().await.unwrap();
    let storage = open(dir.path()).await;
    wait_for_sweeps(&storage).await;
    assert_empty(&storage).await;
}

/// The largest output that is dropped at once, and the smallest one that is swept.
const LARGEST: [u8; 4_096] = [7; 4_096];
const SWEPT: [u8; 4_097] = [7; 4_097];

#[tokio::test]
async fn only_large_outputs_are_left_to_the_sweep() {
    let dir = scratch();
    let storage = open(dir.path()).await;
    let mut driver = started_run(&storage, 1).await;
    driver.succeed(&storage, 0, b"one").await;
    driver.succeed(&storage, 1, &LARGEST).await;
    driver.succeed(&storage, 2, &SWEPT).await;
    let step = |tx: &mut Tx| {
        let run = number_of(tx, "SELECT key FROM runs")?;
        tx.drop_outputs(run, |_, _| false)?;
        ["outputs", "chunks", "sweeps"]
            .map(|table| number_of(tx, &format!("SELECT count(*) FROM {table}")))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
    };
    assert_eq!(storage.step(step).await.unwrap(), [0, 1, 1]);
    wait_for_sweeps(&storage).await;
    assert_eq!(number(&storage, "SELECT count(*) FROM chunks").await, 0);
}

#[tokio::test]
async fn the_outputs_of_a_chain_are_swept_after_its_success() {
    let dir = scratch();
    let storage = open(dir.path()).await;
    let mut first = started_run(&storage, 1).await;
    first.succeed(&storage, 0, &SWEPT).await;
    first.succeed(&storage, 1, b"one").await;
    first
        .append(&storage, [run_finished(1, RunStatus::Failed)])
        .await;
    let create = CreateRuns::new(vec![NewRun::new(resume(2, first.run, first.run))]);
    storage.create_runs(create).await.unwrap();
    let claim = crate::testing::contract::fixtures::claim(1, 10);
    let mut second = Driver::new(&claim_one(&storage, claim, run_id(2)).await);
    second
        .append(&storage, [run_finished(2, RunStatus::Success)])
        .await;
    for node_index in [0, 1] {
        let output = read_output(&storage, first.run, node_index).await;
        assert_eq!(output, None, "at once");
    }
    wait_for_sweeps(&storage).await;
    assert_eq!(number(&storage, "SELECT count(*) FROM chunks").await, 0);
}

#[tokio::test]
async fn a_node_that_executes_again_keeps_its_new_chunks() {
    let dir = scratch();
    let storage = open(dir.path()).await;
    let old = started_run(&storage, 1).await;
    old.put_chunks(&storage, 0, &[b"one", b"two"]).await;
    let claim = crate::testing::contract::fixtures::claim(2, 500);
    let mut driver = Driver::new(&claim_one(&storage, claim, old.run).await);
    driver.succeed(&storage, 0, b"new").await;
    wait_for_sweeps(&storage).await;
    let stored = storage.find_output(driver.run, 0, &Scope::All).await;
    assert_eq!(stored.unwrap().unwrap().bytes, b"new");
}
