//! Tests of the files of a store: their permissions, and what happens when one is replaced.
//!
//! The files of a refused store are left to `opening`.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::*;

const FILES: [&str; 4] = ["runs.db", "runs.db-wal", "runs.db-shm", "runs.db.lock"];

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Returns whether the user `nobody` can read a file, or `None` if this test may not become another
/// user.
fn is_readable_by_another(path: &Path) -> Option<bool> {
    let mut cat = Command::new("cat");
    let output = cat.arg(path).uid(65_534).gid(65_534).output().ok()?;
    Some(output.status.success())
}

#[tokio::test]
async fn the_files_of_a_store_belong_to_their_owner_alone() {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for name in FILES {
        let path = dir.path().join(name);
        assert_eq!(mode(&path), 0o600, "{name}");
        assert_ne!(is_readable_by_another(&path), Some(true), "{name}");
    }
    let open = dir.path().join("open");
    std::fs::write(&open, "").unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_ne!(is_readable_by_another(&open), Some(false));
}

/// Runs the test above in a process with this file mode creation mask, which is one per process.
fn with_mask(mask: &str) {
    let tests = std::env::current_exe().unwrap();
    let name = "storage::sqlite::tests::files::the_files_of_a_store_belong_to_their_owner_alone";
    let script = format!("umask {mask}; exec \"$0\" --exact {name}");
    let shell = Command::new("sh").arg("-c").arg(script).arg(tests).output();
    let output = shell.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{mask}: {text}");
    assert!(text.contains("1 passed"), "{mask}: {text}");
}

#[test]
fn the_mask_of_the_process_does_not_open_the_files_of_a_store() {
    ["000", "077", "400"].into_iter().for_each(with_mask);
}

#[tokio::test]
async fn an_existing_file_keeps_its_permissions() {
    let dir = scratch();
    let path = dir.path().join("runs.db");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let storage = open(dir.path()).await;
    assert_eq!(mode(&path), 0o640);
    assert_eq!(mode(&dir.path().join("runs.db-wal")), 0o640);
    drop(storage);
}

#[tokio::test]
async fn a_store_whose_file_was_replaced_is_not_written_until_it_is_back() {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    for (n, (name, what)) in [
        ("runs.db", "database"),
        ("runs.db-wal", "write-ahead log"),
        ("runs.db.lock", "lock file"),
    ]
    .into_iter()
    .enumerate()
    {
        let (path, elsewhere) = (dir.path().join(name), dir.path().join("elsewhere"));
        std::fs::rename(&path, &elsewhere).unwrap();
        let run = 2 + n as u64;
        for content in [None, Some("another")] {
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let error = storage.create_runs(create(run)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}");
            assert!(error.to_string().contains(what), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
        std::fs::rename(&elsewhere, &path).unwrap();
        storage.create_runs(create(run)).await.unwrap();
        assert_eq!(status(&storage, run).await, Some(RunStatus::Pending));
    }
}

#[tokio::test]
async fn a_removed_log_loses_no_acknowledged_write() {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    std::fs::remove_file(dir.path().join("runs.db-wal")).unwrap();
    storage.create_runs(create(2)).await.unwrap_err();
    storage.close().await.unwrap_err();
    let again = open(dir.path()).await;
    assert_eq!(status(&again, 1).await, Some(RunStatus::Pending));
    assert_eq!(status(&again, 2).await, None);
}

#[tokio::test]
async fn a_lock_file_that_was_removed_while_a_second_handle_waited_locks_nobody_out() {
    let (dir, storage) = store().await;
    std::fs::remove_file(dir.path().join("runs.db.lock")).unwrap();
    // Nothing holds the new lock file. The first handle notices that it has lost its own.
    let second = open(dir.path()).await;
    let error = storage.create_runs(create(1)).await.unwrap_err();
    assert!(error.to_string().contains("lock file"), "{error}");
    second.create_runs(create(1)).await.unwrap();
    assert_eq!(status(&second, 1).await, Some(RunStatus::Pending));
}

#[tokio::test]
async fn the_size_of_a_store_counts_its_log() {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let log = std::fs::metadata(dir.path().join("runs.db-wal")).unwrap();
    assert!(log.len() > 0);
    let pages = u64::from(storage.page_count().await.unwrap());
    let stats = storage.stats(&Scope::All).await.unwrap();
    assert_eq!(stats.bytes, pages * 4_096 + log.len());
}
