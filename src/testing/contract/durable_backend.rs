//! The trait of a durable backend under test, with the shutdowns and failures that it has to
//! produce.
//!
//! The cases that use it are in `durable`.

use async_trait::async_trait;

use crate::model::{NodeIndex, RunId};
use crate::storage::{Storage, System as _};

/// The way in which a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitFailure {
    /// Nothing was written.
    BeforeEffect,
    /// Everything was written, but the commit reports a failure.
    AfterEffect,
}

/// The way in which a process stops using a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shutdown {
    /// It closes the storage and waits for that, as in an orderly shutdown.
    Closed,
    /// It drops the storage without closing it, as after a panic.
    Dropped,
}

/// A durable backend under test: opens its storage repeatedly at one location, and damages it.
#[async_trait]
pub trait Durable: Send + Sync {
    /// The storage under test.
    type Storage: Storage;

    /// Opens the storage. The first call creates it.
    async fn open(&self) -> Self::Storage;

    /// Closes the storage, or drops it without closing it, and opens it again.
    async fn reopen(&self, storage: Self::Storage, shutdown: Shutdown) -> Self::Storage {
        match shutdown {
            Shutdown::Closed => storage.close().await.unwrap(),
            Shutdown::Dropped => {}
        }
        drop(storage);
        self.open().await
    }

    /// Makes the row of a run unreadable.
    async fn damage_run(&self, storage: &Self::Storage, run: RunId);

    /// Changes a byte of a node's stored output.
    async fn damage_output(&self, storage: &Self::Storage, run: RunId, node_index: NodeIndex);

    /// Makes the next commit fail.
    fn fail_next_commit(&self, storage: &Self::Storage, fault: CommitFailure);
}
