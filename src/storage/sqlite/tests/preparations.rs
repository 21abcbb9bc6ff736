//! Tests that SQLite prepares each statement of a connection once.
//!
//! `agreement` has a mixed load.

use super::*;
use crate::storage::sqlite::preparations::{Preparations, counted};

impl SqliteStorage {
    /// Returns what the writer and a reader have executed.
    pub(crate) async fn preparations(&self) -> [Preparations; 2] {
        let writer = self.step(|_| Ok(counted())).await.unwrap();
        let reader = self.read(|_| Ok(counted())).await.unwrap();
        [writer, reader]
    }
}

#[tokio::test]
async fn each_connection_keeps_the_plans_of_its_statements() {
    use rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
    let (_dir, storage) = store().await;
    let is_kept = |conn: &rusqlite::Connection| Ok(conn.db_config(SQLITE_DBCONFIG_ENABLE_QPSG)?);
    assert!(storage.step(move |tx| is_kept(&tx.conn)).await.unwrap());
    assert!(
        storage
            .read(move |reader| is_kept(&reader.conn))
            .await
            .unwrap()
    );
    // The writer opens its connection again.
    storage.fail_next_commit(CommitFault::BeforeEffect);
    storage.create_runs(create(1)).await.unwrap_err();
    assert!(storage.step(move |tx| is_kept(&tx.conn)).await.unwrap());
}
