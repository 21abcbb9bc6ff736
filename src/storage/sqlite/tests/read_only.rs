//! Tests of a store that is open for reading alone.

use super::*;

/// Returns a folder with a closed store that has a run.
async fn closed() -> (Scratch, PathBuf) {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    claim(&storage, 1, 1).await;
    storage.close().await.unwrap();
    let file = dir.path().join("runs.db");
    (dir, file)
}

#[tokio::test]
async fn reading_changes_nothing_and_writing_is_refused() {
    let (_dir, file) = closed().await;
    let before = std::fs::read(&file).unwrap();
    let storage = SqliteStorage::open_read_only(&file).await.unwrap();
    assert_eq!(status(&storage, 1).await, Some(RunStatus::Running));
    assert_eq!(event_count(&storage).await, 2);
    assert!(storage.newest_seq().await.unwrap() >= 2);
    let error = storage.create_runs(create(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    storage.close().await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before);
    // The next owner finds the claim as it was.
    let storage = open_file(&file).await;
    assert_eq!(status(&storage, 1).await, Some(RunStatus::Running));
}

#[tokio::test]
async fn a_store_is_read_by_one_handle_or_written_by_one() {
    let (_dir, file) = closed().await;
    let storage = open_file(&file).await;
    let error = SqliteStorage::open_read_only(&file).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::StoreInUse { .. }));
    storage.close().await.unwrap();
    let reading = SqliteStorage::open_read_only(&file).await.unwrap();
    let error = SqliteStorage::open(&file).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::StoreInUse { .. }));
    reading.close().await.unwrap();
    open_file(&file).await;
}

#[tokio::test]
async fn a_store_is_not_created_or_upgraded() {
    let (dir, file) = closed().await;
    let absent = dir.path().join("absent.db");
    let error = SqliteStorage::open_read_only(&absent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(!absent.exists());
    let text = dir.path().join("text.db");
    std::fs::write(&text, "no database ".repeat(100)).unwrap();
    let error = SqliteStorage::open_read_only(&text).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotADatabase, "{error}");
    for (version, slug) in [(7, "precondition-failed"), (99, "schema-too-new")] {
        let shell = Connection::open(&file).unwrap();
        shell.pragma_update(None, "user_version", version).unwrap();
        shell.close().unwrap();
        let error = SqliteStorage::open_read_only(&file).await.unwrap_err();
        assert_eq!(error.slug(), slug, "{error}");
    }
}

#[tokio::test]
async fn what_a_crash_left_in_the_log_is_read() {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let crashed = scratch();
    for name in ["runs.db", "runs.db-wal"] {
        std::fs::copy(dir.path().join(name), crashed.path().join(name)).unwrap();
    }
    let file = crashed.path().join("runs.db");
    let before = std::fs::read(&file).unwrap();
    let reading = SqliteStorage::open_read_only(&file).await.unwrap();
    assert_eq!(status(&reading, 1).await, Some(RunStatus::Pending));
    reading.close().await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
