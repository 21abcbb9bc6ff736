//! Fault injection for tests: failing commits, damaged rows and a full disk.
//!
//! This file is compiled only for tests and with the feature `testing`. `tx` commits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;

use super::SqliteStorage;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{chunk_keys, id};
use crate::error::{Error, Result};
use crate::model::{NodeIndex, RunId};

/// How a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitFault {
    /// The commit fails and writes nothing.
    BeforeEffect,
    /// The commit succeeds, but reports a failure.
    AfterEffect,
    /// The commit finds no room on the disk and writes nothing.
    DiskFull,
}

/// The faults that the writer injects into its work.
#[derive(Debug, Default)]
pub(super) struct FaultInjector {
    /// The faults of the next commits, in order.
    commits: Mutex<VecDeque<CommitFault>>,
    /// How many of the next tries to open the store again fail. It guards no other data, so that
    /// any memory ordering would be correct. The same holds for the other flag.
    failing_opens: AtomicU32,
    ends_writer: AtomicBool,
}

impl FaultInjector {
    /// Commits, or fails as a test requested.
    pub(super) fn commit(&self, tx: &Tx) -> Result<(), StoreError> {
        let fault = self.commits.lock().pop_front();
        match fault {
            Some(CommitFault::BeforeEffect) => Err(StoreError::Injected),
            Some(CommitFault::AfterEffect) => tx.commit().and(Err(StoreError::Injected)),
            Some(CommitFault::DiskFull) => Err(disk_full()),
            None => tx.commit(),
        }
    }

    /// Fails if a test requested that the store cannot be opened again.
    pub(super) fn open(&self) -> Result<(), StoreError> {
        let take_one = |left: u32| left.checked_sub(1);
        let taken = self
            .failing_opens
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take_one);
        match taken {
            Ok(_) => Err(StoreError::Injected),
            Err(_) => Ok(()),
        }
    }

    /// Panics if a test requested that the writer thread ends.
    pub(super) fn end_writer(&self) {
        assert!(
            !self.ends_writer.load(Ordering::Acquire),
            "a test ends the writer"
        );
    }
}

fn disk_full() -> StoreError {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
    StoreError::Sql(rusqlite::Error::SqliteFailure(code, None))
}

impl SqliteStorage {
    /// Makes the next commit fail.
    pub fn fail_next_commit(&self, fault: CommitFault) {
        self.fail_commits(&[fault]);
    }

    /// Makes the next commits fail, each with its fault.
    pub fn fail_commits(&self, faults: &[CommitFault]) {
        let mut commits = self.0.published.fault_injector.commits.lock();
        *commits = faults.iter().copied().collect();
    }

    /// Returns how many of the requested faults no commit has taken yet.
    #[must_use]
    pub fn failing_commits_left(&self) -> usize {
        self.0.published.fault_injector.commits.lock().len()
    }

    /// Makes this many of the next tries to open the store after a failed commit fail.
    pub fn fail_opens(&self, count: u32) {
        let injector = &self.0.published.fault_injector;
        injector.failing_opens.store(count, Ordering::Release);
    }

    /// Makes the writer thread panic at its next step, outside of what it recovers from.
    pub fn end_writer(&self) {
        let injector = &self.0.published.fault_injector;
        injector.ends_writer.store(true, Ordering::Release);
    }

    /// Rolls a group of steps back, after which the writer reads its memory again from the rows.
    #[cfg(test)]
    pub(crate) async fn roll_back_group(&self) {
        let fails = |_: &mut Tx| Err(StoreError::unreadable("a row", "on purpose"));
        let outcome: Result<()> = self.step(fails).await;
        debug_assert!(outcome.is_err(), "the step fails");
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
