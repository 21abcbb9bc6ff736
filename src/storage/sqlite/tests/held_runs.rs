//! Runs that their concurrency keys hold back: a great many of them, and one that cannot be read.

use super::*;
use crate::model::RunConcurrency;
use crate::storage::sqlite::statement_counts::StatementCounts;

fn keyed(n: u64, key: u64) -> NewRun {
    let mut run = new_run(n);
    run.concurrency = Some(RunConcurrency::new(format!("key {key}"), 1));
    NewRun::new(run)
}

fn finished() -> Entry {
    Entry::RunFinished {
        status: RunStatus::Success,
        error: None,
        at: at(5),
    }
}

async fn finish(storage: &SqliteStorage, n: u64, epoch: u64) {
    let appended = append(storage, n, (epoch, 0), vec![finished()]).await;
    appended.unwrap();
}

/// Claims two runs one after another, of a store with this many keys that have two runs each.
/// Returns what the second claim executes.
async fn second_claim(keys: u64) -> StatementCounts {
    let (_dir, storage) = store().await;
    let runs = (0..2 * keys).map(|n| keyed(n + 1, n % keys));
    let create = CreateRuns::new(runs.collect());
    storage.create_runs(create).await.unwrap();
    assert_eq!(claim(&storage, 1, 1).await.claimed[0].run.id, run_id(1));
    let [before, _] = storage.statement_counts().await;
    assert_eq!(claim(&storage, 2, 1).await.claimed[0].run.id, run_id(2));
    let [after, _] = storage.statement_counts().await;
    StatementCounts {
        executed: after.executed - before.executed,
        prepared_again: 0,
        steps: after.steps - before.steps,
    }
}

#[tokio::test]
async fn a_claim_costs_the_same_however_many_keys_hold_runs_back() {
    let few = second_claim(4).await;
    assert_eq!(second_claim(3_000).await, few);
}

#[tokio::test]
async fn a_held_run_whose_id_is_damaged_holds_up_no_other_one() {
    let (dir, storage) = store().await;
    let create = CreateRuns::new((1..=3).map(|n| keyed(n, 1)).collect());
    storage.create_runs(create).await.unwrap();
    drop(storage);
    let shell = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    let id = run_id(2).as_uuid().into_bytes();
    let changed = shell.execute("UPDATE runs SET id = x'00' WHERE id = ?", [id]);
    assert_eq!(changed.unwrap(), 1);
    drop(shell);
    let storage = open(dir.path()).await;
    let claims = claim(&storage, 1, 9).await;
    // Its id sorts before all others, and its key is free while nothing executes.
    let ids: Vec<_> = claims.claimed.iter().map(|one| one.run.id).collect();
    assert_eq!(ids, [run_id(1)]);
    finish(&storage, 1, claims.claimed[0].epoch).await;
    let claims = claim(&storage, 2, 9).await;
    let ids: Vec<_> = claims.claimed.iter().map(|one| one.run.id).collect();
    assert_eq!(ids, [run_id(3)]);
    let mut next = CreateRuns::new(vec![keyed(4, 2)]);
    next.queued_max = 1;
    storage.create_runs(next).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_fails_leaves_the_next_run_of_a_key_held_back() {
    let (_dir, storage) = store().await;
    let create = CreateRuns::new((1..=2).map(|n| keyed(n, 1)).collect());
    storage.create_runs(create).await.unwrap();
    let epoch = claim(&storage, 1, 9).await.claimed[0].epoch;
    storage.fail_next_commit(CommitFault::BeforeEffect);
    let failed = append(&storage, 1, (epoch, 0), vec![finished()]).await;
    failed.unwrap_err();
    assert_eq!(claim(&storage, 2, 9).await.claimed.len(), 0);
    finish(&storage, 1, epoch).await;
    assert_eq!(claim(&storage, 2, 9).await.claimed[0].run.id, run_id(2));
}
