//! One round: a copy of the store, and the writers before, during and after its purge.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use floret::Floret;
use floret::executor::{Ctx, ExecutorError};
use floret::storage::SqliteStorage;
use rusqlite::Connection;

use crate::store::{self, DAYS, GROUP, Store};
use crate::writers::{Waits, write_during};

/// What a round measured.
pub(crate) struct Round {
    pub(crate) before: Waits,
    pub(crate) during: Waits,
    pub(crate) after: Waits,
    /// The deleted runs.
    pub(crate) deleted: u64,
    /// How long the call of the purge took.
    pub(crate) call: Duration,
    /// How long it took until nothing of the runs was left.
    pub(crate) whole: Duration,
}

/// Purges the older half of a copy of the store.
pub(crate) async fn measure(store: &Store, around: Duration) -> Round {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("runs.db");
    std::fs::copy(&store.path, &path).unwrap();
    let floret = open(&path).await;
    // The first runs fill caches.
    write_during(&floret, tokio::time::sleep(around / 4)).await;
    let (before, _) = write_during(&floret, tokio::time::sleep(around)).await;
    let (mut deleted, mut call) = (0, Duration::ZERO);
    let purge = async {
        let begin = std::time::Instant::now();
        deleted = floret.system().purge().days(days()).await.unwrap();
        call = begin.elapsed();
        all_swept(&path).await;
    };
    let (during, whole) = write_during(&floret, purge).await;
    let (after, _) = write_during(&floret, tokio::time::sleep(around)).await;
    // The age counts in whole days, and the runs of a group end together.
    let inexact = store.runs.div_ceil(DAYS) + GROUP;
    let is_half = deleted.abs_diff(store.runs / 2) <= inexact;
    assert!(is_half, "{deleted} runs were deleted");
    floret.shutdown(Duration::from_secs(10)).await.unwrap();
    Round {
        before,
        during,
        after,
        deleted,
        call,
        whole,
    }
}

/// Opens the store with default options, so that each commit survives a power loss.
async fn open(path: &Path) -> Floret {
    let nothing = |_: Ctx| async { Ok::<_, ExecutorError>(()) };
    let storage = SqliteStorage::open(path).await.unwrap();
    let builder = Floret::builder(storage).node("nothing", nothing);
    builder.start().await.unwrap()
}

/// Returns the age in days that only the older half of the runs has.
fn days() -> u32 {
    let middle = store::now() - TimeDelta::days(i64::try_from(DAYS / 2).unwrap());
    let now = DateTime::<Utc>::from(std::time::SystemTime::now());
    u32::try_from((now - middle).num_days()).unwrap()
}

/// Waits until all rows of the purged runs are deleted. They are, once nothing is left to sweep.
async fn all_swept(path: &Path) {
    let plain = Connection::open(path).unwrap();
    let left = "SELECT EXISTS (SELECT 1 FROM sweeps)";
    while plain.query_one(left, [], |row| row.get(0)).unwrap() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
