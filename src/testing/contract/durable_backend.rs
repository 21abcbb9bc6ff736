//! The trait of a durable backend under test, with the shutdowns and failures that it has to
//! produce, and the macro that turns the cases into tests.
//!
//! The cases are in `durable`.

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

/// Creates a test for every promise of a durable backend, each in a fresh directory.
///
/// A promise about a reopen becomes two tests, one for each
/// [`Shutdown`](crate::testing::contract::durable::Shutdown).
///
/// The argument is a closure that receives the directory and returns a
/// [`Durable`](crate::testing::contract::durable::Durable).
///
/// ```
/// # mod tests {
/// use std::path::{Path, PathBuf};
/// use floret::RunId;
/// use floret::storage::{CommitFault, NodeIndex, SqliteStorage};
/// use floret::testing::contract::durable::{CommitFailure, Durable};
///
/// struct InFolder(PathBuf);
///
/// #[async_trait::async_trait]
/// impl Durable for InFolder {
///     type Storage = SqliteStorage;
///     async fn open(&self) -> SqliteStorage {
///         SqliteStorage::open(self.0.join("runs.db")).await.unwrap()
///     }
///     async fn damage_run(&self, storage: &SqliteStorage, run: RunId) {
///         storage.damage_run(run).await.unwrap();
///     }
///     async fn damage_output(&self, storage: &SqliteStorage, run: RunId, node: NodeIndex) {
///         storage.damage_output(run, node).await.unwrap();
///     }
///     fn fail_next_commit(&self, storage: &SqliteStorage, failure: CommitFailure) {
///         storage.fail_next_commit(match failure {
///             CommitFailure::BeforeEffect => CommitFault::BeforeEffect,
///             CommitFailure::AfterEffect => CommitFault::AfterEffect,
///             unknown => panic!("unknown failure: {unknown:?}"),
///         });
///     }
/// }
/// floret::durable_contract!(|folder: &Path| InFolder(folder.to_owned()));
/// # }
/// ```
#[macro_export]
macro_rules! durable_contract {
    ($durable:expr) => {
        $crate::durable_contract! { @open $durable,
            durable: [
                a_damaged_output_does_not_match_its_hash,
                an_unreadable_run_does_not_fail_a_claim,
                the_result_of_a_failed_commit_matches_its_effect,
            ],
        }
        $crate::durable_contract! { @open $durable,
            durable_audit: [a_command_is_in_the_audit_if_its_commit_took_effect],
        }
        $crate::durable_contract! { @reopened $durable, closed, Closed }
        $crate::durable_contract! { @reopened $durable, dropped, Dropped }
    };
    (@reopened $durable:expr, $module:ident, $shutdown:ident) => {
        $crate::durable_contract! { @reopen $durable, $module, $shutdown,
            durable: [
                everything_survives_a_reopen,
                orphans_are_claimed_at_once_after_a_reopen,
                a_claim_of_an_earlier_process_is_stale,
                the_queue_survives_a_reopen,
                a_backfill_continues_within_its_limits,
                priorities_and_delays_survive_a_reopen,
                concurrency_keys_survive_a_reopen,
                dependencies_survive_a_reopen,
                sequence_numbers_continue_after_a_reopen,
                an_unreadable_orphan_does_not_fail_a_claim,
                an_append_can_be_repeated_after_a_failed_commit,
            ],
        }
    };
    (@open $durable:expr, $suite:ident: [$($case:ident),* $(,)?],) => {
        mod $suite {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let dir = $crate::testing::scratch();
                    let durable = $durable;
                    $crate::testing::contract::$suite::$case(&durable(dir.path())).await;
                }
            )*
        }
    };
    (
        @reopen $durable:expr, $module:ident, $shutdown:ident,
        $suite:ident: [$($case:ident),* $(,)?],
    ) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let dir = $crate::testing::scratch();
                    let durable = $durable;
                    let shutdown = $crate::testing::contract::$suite::Shutdown::$shutdown;
                    $crate::testing::contract::$suite::$case(&durable(dir.path()), shutdown).await;
                }
            )*
        }
    };
}
