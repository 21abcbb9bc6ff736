//! A copy of a store that is in use, taken as the guide of operating says: it has no secret in it,
//! and all of them under the right key.

use std::path::Path;
use std::sync::Arc;

use floret::Builder;
use floret::testing::{Scratch, scratch};

use super::{assert_hidden, error_on, error_under, key, run, store_secrets, with_node};
use crate::wire::{Backend, Host};

/// Takes a copy as the guide says: its SQL, word for word but for the name.
fn copy(from: &Path, to: &Path) {
    const TOLD: &str = "VACUUM INTO 'backup.db'";
    let guide = include_str!("../../../docs/guides/operating.md");
    assert!(guide.contains(TOLD), "the guide tells another way");
    let told = TOLD.replace("backup.db", to.to_str().unwrap());
    let connection = rusqlite::Connection::open(from).unwrap();
    connection.execute_batch(&told).unwrap();
}

/// A copy of a store that is in use and has run with its secrets, where a host may find it.
async fn copied() -> Scratch {
    let host = Host::build(Backend::Sqlite, |builder| {
        with_node(builder, &Arc::default()).secret_key(key(7))
    })
    .await;
    store_secrets(&host).await;
    run(&host, "fine").await;
    run(&host, "fails").await;
    let place = scratch();
    copy(
        &host.folder.path().join("runs.db"),
        &place.path().join("runs.db"),
    );
    // It goes on as if nothing had been.
    run(&host, "fine").await;
    place
}

#[tokio::test]
async fn a_copy_of_a_store_in_use_has_no_secret_in_it() {
    let place = copied().await;
    let files: Vec<_> = std::fs::read_dir(place.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = std::fs::read(place.path().join("runs.db")).unwrap();
    let plain = b"warehouse";
    let finds = bytes.windows(plain.len()).any(|part| part == plain);
    assert!(finds, "the search finds what is stored plainly");
    assert_hidden("the copy", &bytes);
}

#[tokio::test]
async fn a_copy_opens_its_secrets_under_its_key_alone() {
    let place = copied().await;
    let (host, error) = error_on(place, |builder: Builder| builder.secret_key(key(7))).await;
    assert_eq!(error, None);
    let (host, error) = error_under(host, |builder| builder.secret_key(key(8))).await;
    let error = error.unwrap();
    assert!(error.contains("sealed under another key"), "{error}");
    assert_hidden("the error under another key", error.as_bytes());
    let (_host, error) = error_under(host, |builder| builder).await;
    let error = error.unwrap();
    assert!(error.contains("no encryption key is configured"), "{error}");
}
