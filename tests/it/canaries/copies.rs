//! Copies of a store in use, taken as the operating guide says: a copy exposes no secret, and its
//! secrets open only under the right key.

use std::path::Path;
use std::sync::Arc;

use floret::Builder;
use floret::testing::{Scratch, scratch};

use super::{assert_hidden, error_after_reopen, error_on, key, run, store_secrets, with_node};
use crate::wire::{Backend, Host};

/// Copies a store with the SQL of the guide, except for the file name.
fn copy(from: &Path, to: &Path) {
    const COMMAND: &str = "VACUUM INTO 'backup.db'";
    let guide = include_str!("../../../docs/guides/operating.md");
    assert!(guide.contains(COMMAND), "the guide gives another command");
    let command = COMMAND.replace("backup.db", to.to_str().unwrap());
    let connection = rusqlite::Connection::open(from).unwrap();
    connection.execute_batch(&command).unwrap();
}

/// Returns a folder with a copy of a store that is in use and has run with its secrets.
async fn copy_of_used_store() -> Scratch {
    let host = Host::build(Backend::Sqlite, |builder| {
        with_node(builder, &Arc::default()).secret_key(key(7))
    })
    .await;
    store_secrets(&host).await;
    run(&host, "fine").await;
    run(&host, "fails").await;
    let folder = scratch();
    copy(
        &host.folder.path().join("runs.db"),
        &folder.path().join("runs.db"),
    );
    // The original store still works.
    run(&host, "fine").await;
    folder
}

#[tokio::test]
async fn a_copy_of_a_store_in_use_exposes_no_secret() {
    let folder = copy_of_used_store().await;
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = std::fs::read(folder.path().join("runs.db")).unwrap();
    let plain = b"warehouse";
    let is_found = bytes.windows(plain.len()).any(|part| part == plain);
    assert!(is_found, "the search finds plain text");
    assert_hidden("the copy", &bytes);
}

#[tokio::test]
async fn a_copy_opens_its_secrets_only_under_its_key() {
    let folder = copy_of_used_store().await;
    let (host, error) = error_on(folder, |builder: Builder| builder.secret_key(key(7))).await;
    assert_eq!(error, None);
    let (host, error) = error_after_reopen(host, |builder| builder.secret_key(key(8))).await;
    let error = error.unwrap();
    assert!(
        error.contains("sealed with a key that is not configured"),
        "{error}"
    );
    assert_hidden("the error under another key", error.as_bytes());
    let (_host, error) = error_after_reopen(host, |builder| builder).await;
    let error = error.unwrap();
    assert!(error.contains("no encryption key is configured"), "{error}");
}
