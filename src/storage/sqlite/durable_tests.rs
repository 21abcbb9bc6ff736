//! The promises of a durable backend, taken by this one.
//!
//! What it does to the file is `hooks`.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::SqliteStorage;
use crate::model::{NodeIndex, RunId};
use crate::storage::System as _;
use crate::testing::contract::durable::{CommitFault, Durable};

struct InFile(PathBuf);

#[async_trait]
impl Durable for InFile {
    type Storage = SqliteStorage;

    async fn open(&self) -> SqliteStorage {
        SqliteStorage::open(&self.0).await.unwrap()
    }

    async fn reopen(&self, storage: SqliteStorage) -> SqliteStorage {
        storage.close().await.unwrap();
        drop(storage);
        self.open().await
    }

    async fn damage_run(&self, storage: &SqliteStorage, run: RunId) {
        storage.damage_run(run).await.unwrap();
    }

    async fn damage_output(&self, storage: &SqliteStorage, run: RunId, node_index: NodeIndex) {
        storage.damage_output(run, node_index).await.unwrap();
    }

    fn fail_next_commit(&self, storage: &SqliteStorage, fault: CommitFault) {
        storage.fail_next_commit(match fault {
            CommitFault::BeforeEffect => super::CommitFault::BeforeEffect,
            CommitFault::AfterEffect => super::CommitFault::AfterEffect,
        });
    }
}

crate::durable_contract!(|dir: &Path| InFile(dir.join("runs.db")));
