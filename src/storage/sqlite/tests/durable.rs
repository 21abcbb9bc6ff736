//! Runs the contract of durable backends on a SQLite store.
//!
//! The cases are left to `testing::contract::durable`, damaging the store to `fault_injection`.

use std::path::PathBuf;

use async_trait::async_trait;

use super::*;
use crate::model::NodeIndex;
use crate::testing::contract::durable::{self as promised, Durable};

/// A store in a file.
pub(super) struct InFile(pub(super) PathBuf);

#[async_trait]
impl Durable for InFile {
    type Storage = SqliteStorage;

    async fn open(&self) -> SqliteStorage {
        open_file(&self.0).await
    }

    async fn damage_run(&self, storage: &SqliteStorage, run: RunId) {
        storage.damage_run(run).await.unwrap();
    }

    async fn damage_output(&self, storage: &SqliteStorage, run: RunId, node_index: NodeIndex) {
        storage.damage_output(run, node_index).await.unwrap();
    }

    fn fail_next_commit(&self, storage: &SqliteStorage, fault: promised::CommitFailure) {
        storage.fail_next_commit(match fault {
            promised::CommitFailure::BeforeEffect => CommitFault::BeforeEffect,
            promised::CommitFailure::AfterEffect => CommitFault::AfterEffect,
        });
    }
}

crate::durable_contract!(|dir: &Path| InFile(dir.join("runs.db")));
