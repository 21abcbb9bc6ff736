//! Tests of writes that the operating system refuses in the middle of a commit.
//!
//! The limit on the size of a file makes real writes fail at any byte, without privileges and below
//! SQLite. Failures that SQLite itself reports are left to `outages`.

use std::process::Command;

use futures_util::future::join_all;
use rustix::process::{Resource, getrlimit, setrlimit};

use super::child::{is_child, run_test};
use super::*;

/// A frame of the write-ahead log: its header and a page.
const FRAME: u64 = 24 + 4_096;

/// Limits the size of the files that this process writes.
fn limit_files(bytes: Option<u64>) {
    let mut limit = getrlimit(Resource::Fsize);
    limit.current = bytes;
    setrlimit(Resource::Fsize, limit).unwrap();
}

/// Creates runs as one group. Returns how many callers got an error, which is all of them or none.
async fn failures(storage: &SqliteStorage, runs: std::ops::Range<u64>) -> usize {
    let busy = Busy::new(storage).await;
    let creations = join_all(runs.clone().map(|n| storage.create_runs(create(n))));
    let (created, ()) = tokio::join!(creations, busy.release());
    for (n, created) in runs.zip(&created) {
        let kind = created.as_ref().err().map(crate::Error::kind);
        assert!(
            matches!(kind, None | Some(ErrorKind::Unavailable)),
            "{kind:?}"
        );
        let expected = created.is_ok().then_some(RunStatus::Pending);
        assert_eq!(status(storage, n).await, expected, "run {n}");
    }
    created.iter().filter(|created| created.is_err()).count()
}

/// Cuts the write of a commit after every number of frames, and once within a frame.
async fn cut_commits() {
    const RUNS: u64 = 16;
    const CUTS: u64 = 16;
    let (dir, mut storage) = store().await;
    let log = dir.path().join("runs.db-wal");
    let mut failed = 0;
    for n in 0..CUTS {
        let first = 1 + n * RUNS;
        let room = n * FRAME + if n % 3 == 0 { 100 } else { 0 };
        limit_files(Some(std::fs::metadata(&log).unwrap().len() + room));
        let count = failures(&storage, first..first + RUNS).await;
        assert!(count == 0 || count == 16, "{count} of a group");
        failed += u64::from(count > 0);
        if n == 5 {
            // The next process finds what was acknowledged, and nothing else.
            drop(storage);
            storage = open(dir.path()).await;
        }
        limit_files(None);
        let again = failures(&storage, first..first + RUNS).await;
        assert_eq!(again, 0, "there is room again");
    }
    assert!((3..CUTS).contains(&failed), "{failed} commits failed");
    assert_eq!(event_count(&storage).await as u64, CUTS * RUNS);
    assert_intact(&dir, storage).await;
}

/// The limit is one per process, so that this test has a process of its own. The shell makes it
/// ignore the signal that comes with a refused write.
#[test]
fn a_commit_that_the_disk_cuts_anywhere_is_made_whole_or_not_at_all() {
    if is_child() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(cut_commits());
    }
    let path = "storage::sqlite::tests::disk::a_commit_that_the_disk_cuts_anywhere_is_made_whole_or_not_at_all";
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    run_test(shell.arg(std::env::current_exe().unwrap()), path);
}

/// Needs a file system of a few MiB, such as a `tmpfs`, at the path in the variable.
#[tokio::test]
#[ignore = "needs a small file system in FLORET_TEST_SMALL_DISK"]
async fn a_disk_without_room_refuses_writes_until_there_is_room() {
    let disk = std::env::var_os("FLORET_TEST_SMALL_DISK").unwrap();
    let dir = tempfile::tempdir_in(disk).unwrap();
    let storage = open(dir.path()).await;
    let id = PipelineId::new("daily").unwrap();
    let slug = SlugChoice::Derived(Slug::new("daily").unwrap());
    let definition = Arc::new(Pipeline::new("daily").node("load", "load"));
    let put = PutPipeline::new(id, slug, definition, at(0));
    storage.put_pipeline(put).await.unwrap();
    let filler = dir.path().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 4_096]).is_ok() {}
    let mut refused = 0;
    for n in 1..=500 {
        match storage.create_runs(create(n)).await {
            Ok(_) => assert_eq!(status(&storage, n).await, Some(RunStatus::Pending)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::StorageFull);
                assert_eq!(status(&storage, n).await, None);
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "the disk was never full");
    drop(file);
    std::fs::remove_file(&filler).unwrap();
    for n in 1..=500 {
        storage.create_runs(create(n)).await.unwrap();
    }
    assert_eq!(event_count(&storage).await, 500);
    storage.close().await.unwrap();
}
