//! Tests of opening: which files are refused, with which error and without a change to them.
//!
//! Recovery after an earlier process is left to `reopening`.

use super::*;

async fn refusal(path: &Path) -> crate::Error {
    SqliteStorage::open(path).await.unwrap_err()
}

/// Asserts that a refused file keeps its bytes and that no file is created next to it.
async fn refused_untouched(dir: &Path, path: &Path) -> crate::Error {
    let before = std::fs::read(path).unwrap();
    let error = refusal(path).await;
    assert_eq!(std::fs::read(path).unwrap(), before);
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 1);
    error
}

#[tokio::test]
async fn the_error_names_a_missing_folder() {
    let dir = scratch();
    let error = refusal(&dir.path().join("absent/runs.db")).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("absent"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_unchanged() {
    let dir = scratch();
    let path = dir.path().join("runs.db");
    for content in ["short".to_owned(), "no database ".repeat(100)] {
        std::fs::write(&path, content).unwrap();
        let error = refused_untouched(dir.path(), &path).await;
        assert_eq!(error.kind(), ErrorKind::NotADatabase);
    }
    let error = refusal(dir.path()).await;
    assert_eq!(error.kind(), ErrorKind::NotADatabase, "a folder");
}

#[tokio::test]
async fn the_database_of_another_program_is_unchanged() {
    let dir = scratch();
    let path = dir.path().join("runs.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    other.close().unwrap();
    let error = refused_untouched(dir.path(), &path).await;
    assert_eq!(error.kind(), ErrorKind::NotADatabase);
}

#[tokio::test]
async fn a_store_of_a_newer_floret_is_unchanged() {
    let dir = scratch();
    let path = dir.path().join("runs.db");
    open(dir.path()).await.close().await.unwrap();
    std::fs::remove_file(dir.path().join("runs.db.lock")).unwrap();
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer.close().unwrap();
    let error = refused_untouched(dir.path(), &path).await;
    let (found, supported) = (99, u32::try_from(schema::VERSION).unwrap());
    assert_eq!(error.kind(), ErrorKind::SchemaTooNew { found, supported });
}

#[tokio::test]
async fn a_read_only_file_is_refused() {
    let dir = scratch();
    let path = dir.path().join("runs.db");
    open(dir.path()).await.close().await.unwrap();
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    let error = refusal(&path).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("read-only"), "{error}");
}

#[tokio::test]
async fn the_refusal_of_a_second_handle_names_the_process_of_the_first() {
    let (dir, storage) = store().await;
    let error = refusal(&dir.path().join("runs.db")).await;
    let pid = Some(std::process::id());
    assert_eq!(error.kind(), ErrorKind::StoreInUse { pid });
    storage.create_runs(create(1)).await.unwrap();
    assert_eq!(status(&storage, 1).await, Some(RunStatus::Pending));
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_opens_the_store_that_it_points_to() {
    let (dir, storage) = store().await;
    let link = dir.path().join("link.db");
    std::os::unix::fs::symlink(dir.path().join("runs.db"), &link).unwrap();
    let error = refusal(&link).await;
    assert!(matches!(error.kind(), ErrorKind::StoreInUse { .. }));
    storage.close().await.unwrap();
    SqliteStorage::open(&link).await.unwrap();
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let dir = scratch();
    std::fs::write(dir.path().join("runs.db"), "").unwrap();
    let storage = open(dir.path()).await;
    assert_eq!(storage.newest_seq().await.unwrap(), 0);
}

#[tokio::test]
async fn a_closed_store_refuses_writes_and_leaves_no_log() {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    storage.close().await.unwrap();
    storage.close().await.unwrap();
    let error = storage.create_runs(create(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ShuttingDown);
    let log = std::fs::metadata(dir.path().join("runs.db-wal"));
    assert!(log.map_or(true, |log| log.len() == 0));
    let again = open(dir.path()).await;
    assert_eq!(status(&again, 1).await, Some(RunStatus::Pending));
}

#[tokio::test]
async fn the_events_are_readable_in_a_shell() {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let epoch = claim(&storage, 1, 1).await.claimed[0].epoch;
    append(&storage, 1, (epoch, 0), vec![started(0)])
        .await
        .unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    let mut rows = shell
        .prepare("SELECT seq, type, coalesce(tenant, 'none') || ' ' || pipeline_id, place, at FROM events ORDER BY seq")
        .unwrap();
    let rows: Vec<(u64, String, String, Option<i64>, String)> = rows
        .query_map([], |row| {
            let (seq, kind): (i64, _) = (row.get(0)?, row.get(1)?);
            let seq = values::to_u64(seq);
            Ok((seq, kind, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    let events = storage
        .events(EventFilter::default(), 0, 10)
        .await
        .unwrap()
        .events;
    assert_eq!(rows.len(), events.len());
    let (seq, kind, pipeline, node_index, time) = rows.last().unwrap();
    assert_eq!((*seq, kind.as_str()), (3, "node.started"));
    assert_eq!((pipeline.as_str(), *node_index), ("none daily", Some(0)));
    assert_eq!(time, "2024-01-15 06:00:02.000");
}
