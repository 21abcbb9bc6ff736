//! Fault injection for tests: failing commits, damaged rows and a full disk.
//!
//! This file is compiled only for tests and with the feature `testing`. `tx` commits.

use std::sync::atomic::{AtomicU8, Ordering};

use super::SqliteStorage;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{chunk_keys, id};
use crate::error::{Error, Result};
use crate::model::{NodeIndex, RunId};

/// How the next commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitFault {
    /// The commit fails and writes nothing.
    BeforeEffect,
    /// The commit succeeds, but reports a failure.
    AfterEffect,
}

/// The fault that the writer injects into its next commit.
#[derive(Debug, Default)]
pub(super) struct FaultInjector(
    // 0 means no fault. The writer resets the value when it takes it, so that only one commit
    // fails.
    AtomicU8,
);

impl FaultInjector {
    /// Commits, or fails as a test requested.
    pub(super) fn commit(&self, tx: &Tx) -> Result<(), StoreError> {
        match self.0.swap(0, Ordering::AcqRel) {
            1 => Err(StoreError::Injected),
            2 => tx.commit().and(Err(StoreError::Injected)),
            _ => tx.commit(),
        }
    }
}

impl SqliteStorage {
    /// Makes the next commit fail.
    pub fn fail_next_commit(&self, fault: CommitFault) {
        let code = match fault {
            CommitFault::BeforeEffect => 1,
            CommitFault::AfterEffect => 2,
        };
        self.0
            .published
            .fault_injector
            .0
            .store(code, Ordering::Release);
    }

    /// Flips a byte of the stored output of a node.
    ///
    /// # Errors
    /// `NotFound` if the node has no stored output.
    pub async fn damage_output(&self, run: RunId, node_index: NodeIndex) -> Result<()> {
        self.step(move |tx| {
            let source = tx.row(
                "SELECT o.source FROM runs r JOIN outputs o ON o.key = (r.key << 12) + ? WHERE r.id = ?",
                rusqlite::params![i64::from(node_index), id(&run)],
                |row| Ok(row.get::<_, i64>(0)?),
            )?;
            let (first, last) = chunk_keys(source.ok_or_else(|| Error::run_not_found(run))?);
            let found = tx.row(
                "SELECT key, bytes FROM chunks WHERE key BETWEEN ? AND ? LIMIT 1",
                [first, last],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)),
            )?;
            let (key, mut bytes) = found.ok_or_else(|| Error::run_not_found(run))?;
            if let Some(byte) = bytes.first_mut() {
                *byte = !*byte;
            }
            tx.write("UPDATE chunks SET bytes = ? WHERE key = ?", rusqlite::params![bytes, key])?;
            Ok(())
        })
        .await
    }

    /// Makes the row of a run unreadable.
    ///
    /// # Errors
    /// `NotFound` if there is no such run.
    pub async fn damage_run(&self, run: RunId) -> Result<()> {
        self.step(move |tx| {
            let count = tx.write("UPDATE runs SET params = '{' WHERE id = ?", [id(&run)])?;
            if let Some(active) = tx.state.running.get_mut(&run) {
                active.cached = None;
            }
            if count == 0 {
                return Err(Error::run_not_found(run).into());
            }
            Ok(())
        })
        .await
    }

    /// Limits the store to this number of pages. `None` removes the limit.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    pub async fn limit_pages(&self, pages: Option<u32>) -> Result<()> {
        self.step(move |tx| {
            let pages = pages.map_or(i64::from(u32::MAX) - 1, i64::from);
            tx.conn
                .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        })
        .await
    }

    /// Returns how many pages the store has.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    pub async fn page_count(&self) -> Result<u32> {
        self.step(|tx| {
            let count: i64 = tx
                .conn
                .query_row("PRAGMA page_count", [], |row| row.get(0))?;
            Ok(super::values::to_u32(count))
        })
        .await
    }
}
