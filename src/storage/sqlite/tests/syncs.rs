//! Tests of syncs that fail although the writes before them succeeded.
//!
//! A library in front of the system's makes real syncs fail, below SQLite. Failures of writes are
//! left to `disk`.

use std::path::PathBuf;
use std::process::Command;

use futures_util::future::join_all;

use super::child::{is_child, run_test};
use super::*;

const RUNS: u64 = 16;

/// The variable that names the file which controls the faults.
const CONTROL: &str = "FLORET_TEST_SYNC_FAULTS";

/// Executes a test in a process whose syncs can be made to fail.
fn with_faulty_syncs(name: &str, test: impl AsyncFnOnce(SyncFaults)) {
    if is_child() {
        let faults = SyncFaults(std::env::var_os(CONTROL).unwrap().into());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(test(faults));
    }
    let dir = tempfile::tempdir().unwrap();
    let (source, library) = (dir.path().join("faults.c"), dir.path().join("faults.so"));
    std::fs::write(&source, include_str!("sync_faults.c")).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-Wall", "-Werror", "-shared", "-fPIC", "-o"]);
    let compiled = compiler.args([&library, &source]).status();
    assert!(compiled.unwrap().success());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("LD_PRELOAD", library);
    command.env(CONTROL, dir.path().join("faults"));
    run_test(
        &mut command,
        &format!("storage::sqlite::tests::syncs::{name}"),
    );
}

/// The faults of this process.
struct SyncFaults(PathBuf);

impl SyncFaults {
    /// Makes the next `count` syncs of files fail whose names end like this.
    fn fail(&self, error: &str, count: u32, end: &str) {
        self.heal();
        let new = self.0.with_extension("new");
        std::fs::write(&new, format!("{error} {count} {end}")).unwrap();
        std::fs::rename(new, &self.0).unwrap();
    }

    /// Lets all syncs succeed again. Returns how many have failed.
    fn heal(&self) -> u64 {
        let hits = self.0.with_extension("hits");
        let count = std::fs::metadata(&hits).map_or(0, |hits| hits.len());
        for file in [&self.0, &hits] {
            if file.exists() {
                std::fs::remove_file(file).unwrap();
            }
        }
        count
    }
}

/// Creates runs as one group. Returns whether all callers got an error; otherwise none did.
async fn is_refused(storage: &SqliteStorage, runs: std::ops::Range<u64>) -> bool {
    let busy = Busy::new(storage).await;
    let creations = join_all(runs.clone().map(|n| storage.create_runs(create(n))));
    let (created, ()) = tokio::join!(creations, busy.release());
    let failed = created.iter().filter(|created| created.is_err()).count();
    for (n, created) in runs.zip(&created) {
        let kind = created.as_ref().err().map(crate::Error::kind);
        assert!(
            matches!(kind, None | Some(ErrorKind::Unavailable)),
            "{kind:?}"
        );
        let expected = created.is_ok().then_some(RunStatus::Pending);
        assert_eq!(status(storage, n).await, expected, "run {n}");
    }
    assert!(
        failed == 0 || failed == created.len(),
        "{failed} of a group"
    );
    failed > 0
}

/// Opens a copy of the files, as the next process would find them after a crash.
async fn after_crash(dir: &Scratch) -> (Scratch, SqliteStorage) {
    let copy = scratch();
    for file in ["runs.db", "runs.db-wal"] {
        std::fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
    }
    let storage = open(copy.path()).await;
    (copy, storage)
}

#[test]
fn a_commit_whose_sync_fails_is_refused_and_takes_effect_once_when_repeated() {
    let name = "a_commit_whose_sync_fails_is_refused_and_takes_effect_once_when_repeated";
    with_faulty_syncs(name, async |faults| {
        let (dir, storage) = store().await;
        let mut acknowledged = 0;
        let errors = ["EIO", "ENOSPC"].into_iter().cycle();
        let counts = [1, 1, 2, 3, u32::MAX, u32::MAX].into_iter().zip(errors);
        for (n, (count, error)) in (0..).zip(counts) {
            let first = 1 + n * RUNS;
            faults.fail(error, count, "-wal");
            assert!(is_refused(&storage, first..first + RUNS).await);
            assert!(faults.heal() > 0, "a sync failed");
            let (copy, next) = after_crash(&dir).await;
            // The refused group may be whole after a crash: its frames were written.
            let found = event_count(&next).await;
            let whole = acknowledged + usize::try_from(RUNS).unwrap();
            assert!([acknowledged, whole].contains(&found), "{found} events");
            assert!(!is_refused(&next, first..first + RUNS).await);
            assert_eq!(event_count(&next).await, whole);
            assert_intact(&copy, next).await;
            assert!(!is_refused(&storage, first..first + RUNS).await);
            acknowledged = whole;
            assert_eq!(event_count(&storage).await, acknowledged);
        }
        let (_copy, next) = after_crash(&dir).await;
        assert_eq!(event_count(&next).await, acknowledged);
        assert_intact(&dir, storage).await;
    });
}

#[test]
fn a_claim_whose_sync_fails_is_neither_returned_nor_charged() {
    let name = "a_claim_whose_sync_fails_is_neither_returned_nor_charged";
    with_faulty_syncs(name, async |faults| {
        let (_dir, storage) = store().await;
        storage.create_runs(create(1)).await.unwrap();
        for error in ["EIO", "ENOSPC"] {
            faults.fail(error, 1, "-wal");
            let refused = storage.claim(Claim::new(owner(1), 1, at(1))).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
            assert_eq!(faults.heal(), 1);
            assert_eq!(status(&storage, 1).await, Some(RunStatus::Pending));
        }
        let claimed = claim(&storage, 1, 1).await.claimed;
        assert_eq!((claimed[0].epoch, claimed[0].claim_count), (1, 1));
        let epoch = claimed[0].epoch;
        faults.fail("EIO", 1, "-wal");
        let refused = append(&storage, 1, (epoch, 0), vec![started(0)]).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
        faults.heal();
        append(&storage, 1, (epoch, 0), vec![started(0)])
            .await
            .unwrap();
        let nodes = storage.find_run(run_id(1), &Scope::All).await.unwrap();
        assert_eq!(nodes.unwrap().nodes.len(), 1);
        // The creation, the start of the run and that of its node.
        assert_eq!(event_count(&storage).await, 3);
    });
}

#[test]
fn a_checkpoint_whose_sync_fails_loses_nothing_and_is_repeated() {
    const SIZE: usize = 200_000;
    let name = "a_checkpoint_whose_sync_fails_loses_nothing_and_is_repeated";
    with_faulty_syncs(name, async |faults| {
        for durability in [Durability::Full, Durability::Normal] {
            let options = SqliteOptions::default().durability(durability);
            let (dir, storage) = store_with(options).await;
            let log = dir.path().join("runs.db-wal");
            let log_bytes = || std::fs::metadata(&log).unwrap().len();
            let create_large = async |n| {
                let mut run = new_run(n);
                run.params.insert("text", "x".repeat(SIZE));
                let create = CreateRuns::new(vec![NewRun::new(run)]);
                storage.create_runs(create).await.unwrap();
            };
            for (n, error) in (0..).zip(["EIO", "ENOSPC"]) {
                faults.fail(error, u32::MAX, "runs.db");
                // More than the 1,000 pages after which SQLite makes a checkpoint.
                for run in n * 40..n * 40 + 40 {
                    create_large(1 + run).await;
                }
                assert!(faults.heal() > 0, "a checkpoint failed");
                let (_copy, next) = after_crash(&dir).await;
                assert_eq!(event_count(&next).await as u64, (n + 1) * 40);
            }
            let grown = log_bytes();
            for run in 80..160 {
                create_large(1 + run).await;
            }
            // The next commit may still be appended. The others are 16 MB.
            let more = log_bytes() - grown;
            assert!(
                more < 1_000_000,
                "the log is used from its start again: {more}"
            );
            faults.fail("EIO", u32::MAX, "runs.db");
            let closed = storage.close().await.unwrap_err();
            assert_eq!(closed.kind(), ErrorKind::Internal);
            faults.heal();
            drop(storage);
            let storage = open(dir.path()).await;
            assert_eq!(event_count(&storage).await, 160);
            assert_intact(&dir, storage).await;
        }
    });
}

#[test]
fn a_store_that_cannot_be_synced_is_not_created_until_it_can() {
    let name = "a_store_that_cannot_be_synced_is_not_created_until_it_can";
    with_faulty_syncs(name, async |faults| {
        for end in ["runs.db", "-wal", "-journal"] {
            let dir = scratch();
            for count in [1, u32::MAX] {
                faults.fail("EIO", count, end);
                let opened = SqliteStorage::open(dir.path().join("runs.db")).await;
                if faults.heal() > 0 {
                    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Unavailable, "{end}");
                }
            }
            let storage = open(dir.path()).await;
            assert_eq!(event_count(&storage).await, 0);
            assert_intact(&dir, storage).await;
        }
    });
}
