//! Tests of copies of a store, and of the check of its file.

use super::*;

/// Returns a store with a run, and the paths of its file and of a copy to be.
async fn store_to_copy() -> (Scratch, SqliteStorage, PathBuf, PathBuf) {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let (file, copy) = (dir.path().join("runs.db"), dir.path().join("copy.db"));
    (dir, storage, file, copy)
}

fn names(dir: &Scratch) -> Vec<String> {
    let files = std::fs::read_dir(dir.path()).unwrap();
    let name = |file: std::io::Result<std::fs::DirEntry>| file.unwrap().file_name();
    let mut names: Vec<_> = files
        .map(|file| name(file).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_copy_of_an_open_store_is_a_store_with_its_runs() {
    let (dir, storage, file, copy) = store_to_copy().await;
    let size = SqliteStorage::backup(&file, &copy).await.unwrap();
    assert_eq!(size, std::fs::metadata(&copy).unwrap().len());
    storage.create_runs(create(2)).await.unwrap();
    let copied = open_file(&copy).await;
    assert_eq!(status(&copied, 1).await, Some(RunStatus::Pending));
    assert_eq!(status(&copied, 2).await, None);
    claim(&copied, 1, 1).await;
    assert_eq!(status(&copied, 1).await, Some(RunStatus::Running));
    assert_eq!(status(&storage, 1).await, Some(RunStatus::Pending));
    assert_intact(&dir, storage).await;
}

#[tokio::test]
async fn a_copy_has_what_a_crash_left_in_the_log() {
    let (dir, storage, file, _) = store_to_copy().await;
    let crashed = scratch();
    for name in ["runs.db", "runs.db-wal"] {
        std::fs::copy(dir.path().join(name), crashed.path().join(name)).unwrap();
    }
    drop((storage, file));
    let (file, copy) = (
        crashed.path().join("runs.db"),
        crashed.path().join("copy.db"),
    );
    let before = std::fs::read(&file).unwrap();
    SqliteStorage::backup(&file, &copy).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let copied = open_file(&copy).await;
    assert_eq!(status(&copied, 1).await, Some(RunStatus::Pending));
}

#[tokio::test]
async fn a_copy_overwrites_nothing_and_leaves_nothing_after_an_error() {
    let (dir, _storage, file, copy) = store_to_copy().await;
    std::fs::write(&copy, "precious").unwrap();
    let error = SqliteStorage::backup(&file, &copy).await.unwrap_err();
    assert_eq!(error.slug(), "already-exists");
    assert_eq!(std::fs::read(&copy).unwrap(), b"precious");
    let error = SqliteStorage::backup(&file, &file).await.unwrap_err();
    assert_eq!(error.slug(), "already-exists");
    let before = names(&dir);
    for (from, to, expected) in [
        ("absent.db", "new.db", ErrorKind::NotFound),
        ("copy.db", "new.db", ErrorKind::NotADatabase),
        ("runs.db", "absent/new.db", ErrorKind::Unavailable),
    ] {
        let (from, to) = (dir.path().join(from), dir.path().join(to));
        let error = SqliteStorage::backup(&from, &to).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{error}");
    }
    assert_eq!(names(&dir), before);
    let partial = dir.path().join("new.db.partial");
    std::fs::write(&partial, "of another call").unwrap();
    let new = dir.path().join("new.db");
    let error = SqliteStorage::backup(&file, &new).await.unwrap_err();
    assert_eq!(error.slug(), "already-exists");
    assert!(error.to_string().contains("new.db.partial"), "{error}");
    assert_eq!(std::fs::read(&partial).unwrap(), b"of another call");
}

#[tokio::test]
async fn the_store_of_another_program_is_not_copied() {
    let dir = scratch();
    let (file, copy) = (dir.path().join("other.db"), dir.path().join("copy.db"));
    let other = Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    other.close().unwrap();
    let error = SqliteStorage::backup(&file, &copy).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotADatabase);
    assert_eq!(names(&dir), ["other.db"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_copy_belongs_to_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let (_dir, _storage, file, copy) = store_to_copy().await;
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    SqliteStorage::backup(&file, &copy).await.unwrap();
    let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Overwrites the middle of a page of a closed store, other than the first.
fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let page = 4_096;
    let count = bytes.len() / page;
    for page_no in 2..count {
        bytes[page_no * page..page_no * page + 64].fill(0xff);
    }
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_sound_file_has_no_finding_and_stays_as_it_is() {
    let (_dir, storage, file, _) = store_to_copy().await;
    assert_eq!(SqliteStorage::check(&file).await.unwrap(), [""; 0]);
    storage.close().await.unwrap();
    let before = std::fs::read(&file).unwrap();
    assert_eq!(SqliteStorage::check(&file).await.unwrap(), [""; 0]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let error = SqliteStorage::check(&file.with_extension("absent")).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn damage_is_found_and_not_copied() {
    let (dir, storage, file, copy) = store_to_copy().await;
    storage.close().await.unwrap();
    damage(&file);
    let before = names(&dir);
    let found = SqliteStorage::check(&file).await.unwrap();
    assert!(!found.is_empty());
    let error = SqliteStorage::backup(&file, &copy).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    assert!(error.to_string().contains("damaged"), "{error}");
    let mut after = names(&dir);
    // SQLite may have left its own files.
    after.retain(|name| before.contains(name) || !name.starts_with("runs.db-"));
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_reference_to_a_missing_row_is_found() {
    let (_dir, storage, file, copy) = store_to_copy().await;
    storage.close().await.unwrap();
    let shell = Connection::open(&file).unwrap();
    shell.pragma_update(None, "foreign_keys", false).unwrap();
    let deleted = shell.execute("DELETE FROM pipelines", []).unwrap();
    assert!(deleted > 0);
    shell.close().unwrap();
    let found = SqliteStorage::check(&file).await.unwrap();
    assert!(
        found
            .iter()
            .any(|line| line.ends_with("refers to a missing row of pipelines")),
        "{found:?}"
    );
    let error = SqliteStorage::backup(&file, &copy).await.unwrap_err();
    assert!(
        error.to_string().starts_with("the copy is damaged"),
        "{error}"
    );
    assert!(!copy.exists());
}
