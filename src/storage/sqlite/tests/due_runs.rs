//! Delayed runs: a great many that are due at once, and rows that cannot be read.

use super::*;

fn delayed(n: u64) -> NewRun {
    let mut run = new_run(n);
    run.run_after = Some(at(1));
    NewRun::new(run)
}

#[tokio::test]
async fn a_claim_adds_a_bounded_number_of_due_runs_to_the_queue() {
    let (_dir, storage) = store().await;
    let all = CreateRuns::new((1..=1_005).map(delayed).collect());
    storage.create_runs(all).await.unwrap();
    let mut all = Claim::new(owner(1), 2_000, at(1));
    all.runs_max = 2_000;
    let first = storage.claim(all.clone()).await.unwrap();
    assert_eq!(first.claimed.len(), 1_000);
    assert_eq!(first.due_at, Some(at(1)), "more runs are due");
    all.owner = owner(2);
    let rest = storage.claim(all).await.unwrap();
    assert_eq!((rest.claimed.len(), rest.due_at), (5, None));
}

#[tokio::test]
async fn a_due_run_that_is_damaged_holds_up_no_other_one() {
    for damage in ["priority = 79", "status = 9"] {
        hold_up_no_other_run(damage).await;
    }
}

async fn hold_up_no_other_run(damage: &str) {
    let (dir, storage) = store().await;
    let all = CreateRuns::new((1..=3).map(delayed).collect());
    storage.create_runs(all).await.unwrap();
    drop(storage);
    let shell = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    let sql = format!("UPDATE runs SET {damage} WHERE id = ?");
    let id = run_id(1).as_uuid().into_bytes();
    assert_eq!(shell.execute(&sql, [id]).unwrap(), 1);
    drop(shell);
    let storage = open(dir.path()).await;
    let claims = claim(&storage, 1, 9).await;
    let ids: Vec<_> = claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect();
    assert_eq!((ids, claims.due_at), (vec![run_id(2), run_id(3)], None));
    let mut next = create(4);
    next.queued_max = 1;
    storage.create_runs(next).await.unwrap();
    let claims = claim(&storage, 2, 9).await;
    assert_eq!(claims.claimed[0].run.id, run_id(4), "{damage}");
}

#[tokio::test]
async fn a_commit_that_fails_leaves_the_delay_as_it_was() {
    let (_dir, storage) = store().await;
    let all = CreateRuns::new(vec![delayed(1)]);
    storage.create_runs(all).await.unwrap();
    storage.fail_commits(&[CommitFault::DiskFull]);
    let failed = storage.claim(Claim::new(owner(1), 9, at(1))).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::StorageFull);
    storage.fail_commits(&[]);
    assert_eq!(claim(&storage, 1, 9).await.claimed.len(), 1);
}
