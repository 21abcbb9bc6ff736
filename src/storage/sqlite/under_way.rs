//! Backfills that have not ended, as the writer keeps them in memory, and what a transaction changes of the counts in their rows.
//!
//! The rows stay the truth: all of this is read from them when a store is opened. What becomes of a backfill is decided in `stops`.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::fault::Fault;
use super::tx::{Tx, rows};
use super::values::{int, run_status, small, uint};
use crate::error::Result;
use crate::model::{BackfillOrder, RunStatus};
use crate::storage::rules::Ends;

/// A backfill that has not ended.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) order: BackfillOrder,
    pub(super) max_parallel: u32,
    pub(super) max_failures: Option<u32>,
    pub(super) is_stopped: bool,
    /// Its runs that are pending or running.
    pub(super) left: u64,
    pub(super) ends: Ends,
}

/// All of them, by the key of their rows.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    pub(super) next_key: i64,
    pub(super) by_key: HashMap<i64, Unfinished>,
}

impl UnderWay {
    /// Reads everything that is known from the start.
    pub(super) fn load(conn: &Connection) -> Result<Self, Fault> {
        let greatest: Option<i64> =
            conn.query_row("SELECT max(key) FROM backfills", [], |row| row.get(0))?;
        let sql = "SELECT key, is_descending, max_parallel, max_failures, cancel IS NOT NULL, pending + running, ended_failed, ended_cancelled \
                   FROM backfills WHERE finished_at IS NULL";
        let by_key = rows(conn, sql, [], read_unfinished)?;
        Ok(Self {
            next_key: greatest.unwrap_or(0) + 1,
            by_key: by_key.into_iter().collect(),
        })
    }

    /// In which order the runs of a lane are claimed.
    pub(super) fn order(&self, backfill: Option<i64>) -> BackfillOrder {
        let found = backfill.and_then(|key| self.by_key.get(&key));
        found.map_or_else(BackfillOrder::default, |own| own.order)
    }

    /// How many runs of a backfill may execute at once.
    pub(super) fn max_parallel(&self, backfill: i64) -> u64 {
        let found = self.by_key.get(&backfill);
        found.map_or(u64::MAX, |own| u64::from(own.max_parallel))
    }
}

fn read_unfinished(row: &Row<'_>) -> Result<(i64, Unfinished), Fault> {
    let own = Unfinished {
        order: order(row.get(1)?),
        max_parallel: small(row.get(2)?),
        max_failures: row.get::<_, Option<i64>>(3)?.map(small),
        is_stopped: row.get(4)?,
        left: uint(row.get(5)?),
        ends: Ends {
            failed: uint(row.get(6)?),
            cancelled: uint(row.get(7)?),
        },
    };
    Ok((row.get(0)?, own))
}

/// The order as a column holds it.
pub(super) const fn order(is_descending: bool) -> BackfillOrder {
    if is_descending {
        BackfillOrder::Descending
    } else {
        BackfillOrder::Ascending
    }
}

/// What a transaction changes of the counts of backfills.
#[derive(Debug, Default)]
pub(super) struct Changes(HashMap<i64, Change>);

/// What it changes of one.
#[derive(Debug, Default)]
struct Change {
    by_status: [i64; 5],
    ends: Ends,
    has_purged: bool,
}

impl Changes {
    /// Counts a run under another status; none before it is made and after it is purged.
    pub(super) fn note(
        &mut self,
        backfill: i64,
        before: Option<RunStatus>,
        after: Option<RunStatus>,
    ) {
        let change = self.0.entry(backfill).or_default();
        for (status, step) in [(before, -1), (after, 1)] {
            let index = status.and_then(|status| usize::try_from(run_status(status)).ok());
            if let Some(count) = index.and_then(|index| change.by_status.get_mut(index)) {
                *count += step;
            }
        }
        match after {
            Some(status) => change.ends.note(status),
            None => change.has_purged = true,
        }
    }
}

impl Tx {
    /// Writes what the transaction changed of the counts, and forgets backfills whose last run was purged.
    pub(super) fn write_backfills(&mut self) -> Result<(), Fault> {
        for (key, change) in std::mem::take(&mut self.backfills).0 {
            let Change {
                by_status: [pending, running, success, failed, cancelled],
                ends,
                has_purged,
            } = change;
            self.write(
                "UPDATE backfills SET pending = pending + ?, running = running + ?, success = success + ?, failed = failed + ?, \
                 cancelled = cancelled + ?, ended_failed = ended_failed + ?, ended_cancelled = ended_cancelled + ? WHERE key = ?",
                params![
                    pending,
                    running,
                    success,
                    failed,
                    cancelled,
                    int(ends.failed),
                    int(ends.cancelled),
                    key
                ],
            )?;
            if has_purged {
                self.write(
                    "DELETE FROM backfills WHERE key = ? AND pending + running + success + failed + cancelled = 0",
                    [key],
                )?;
            }
        }
        Ok(())
    }
}
