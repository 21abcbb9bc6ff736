//! The writer's memory of open backfills, and the changes that a transaction makes to their counts.
//!
//! The rows are authoritative: this memory is read from them when a store is opened.
//! `tx` writes the changes, and `settlement` settles a backfill.

use std::collections::HashMap;

use rusqlite::{Connection, Row};

use super::query::readable_rows;
use super::store_error::StoreError;
use super::unreadable::UnreadableRows;
use super::values::{NUMBERS_END, run_status, to_u32, to_u64};
use crate::model::{BackfillOrder, RunStatus};
use crate::storage::rules::{self, BackfillOutcomes};

/// The memory of one open backfill.
#[derive(Debug)]
pub(super) struct CachedBackfill {
    pub(super) order: BackfillOrder,
    pub(super) max_parallel: u32,
    pub(super) max_failures: Option<u32>,
    pub(super) is_paused: bool,
    pub(super) is_cancelled: bool,
    /// How many of its runs are pending or running.
    pub(super) unfinished: u64,
    pub(super) outcomes: BackfillOutcomes,
}

/// All open backfills, by the key of their rows.
#[derive(Debug, Default)]
pub(super) struct OpenBackfills {
    pub(super) next_key: i64,
    pub(super) by_key: HashMap<i64, CachedBackfill>,
}

impl OpenBackfills {
    /// Reads the open backfills of a store.
    pub(super) fn load(conn: &Connection, unreadable: &UnreadableRows) -> Result<Self, StoreError> {
        let sql = "SELECT max(key) FROM backfills WHERE key < ?";
        let max_key: Option<i64> = conn.query_row(sql, [NUMBERS_END], |row| row.get(0))?;
        let sql = "SELECT key, is_descending, max_parallel, max_failures, cancel IS NOT NULL, pending, running, ended_failed, ended_cancelled, paused_at IS NOT NULL \
                   FROM backfills WHERE finished_at IS NULL";
        let by_key = readable_rows(
            conn,
            (unreadable, "a backfill"),
            sql,
            [],
            read_open_backfill,
        )?;
        Ok(Self {
            next_key: max_key.unwrap_or(0).max(0) + 1,
            by_key: by_key.into_iter().collect(),
        })
    }

    /// Returns the order in which the runs of a lane are claimed.
    pub(super) fn order(&self, backfill: Option<i64>) -> BackfillOrder {
        let found = backfill.and_then(|key| self.by_key.get(&key));
        found.map_or_else(BackfillOrder::default, |backfill| backfill.order)
    }

    /// Returns whether the backfill of a lane is paused.
    pub(super) fn is_paused(&self, backfill: Option<i64>) -> bool {
        let found = backfill.and_then(|key| self.by_key.get(&key));
        found.is_some_and(|backfill| backfill.is_paused)
    }

    /// Returns how many runs of a backfill may execute at once.
    pub(super) fn running_max(&self, backfill: i64) -> Option<u64> {
        let found = self.by_key.get(&backfill)?;
        rules::usage_max(found.is_paused, Some(found.max_parallel.into()))
    }
}

fn read_open_backfill(row: &Row<'_>) -> Result<(i64, CachedBackfill), StoreError> {
    let backfill = CachedBackfill {
        order: order(row.get(1)?),
        max_parallel: to_u32(row.get(2)?).max(1),
        max_failures: row.get::<_, Option<i64>>(3)?.map(to_u32),
        is_paused: row.get(9)?,
        is_cancelled: row.get(4)?,
        unfinished: to_u64(row.get(5)?).saturating_add(to_u64(row.get(6)?)),
        outcomes: BackfillOutcomes {
            failed: to_u64(row.get(7)?),
            cancelled: to_u64(row.get(8)?),
        },
    };
    Ok((row.get(0)?, backfill))
}

/// Reads the order that a column holds.
pub(super) const fn order(is_descending: bool) -> BackfillOrder {
    if is_descending {
        BackfillOrder::Descending
    } else {
        BackfillOrder::Ascending
    }
}

/// The changes that a transaction makes to the counts of backfills.
#[derive(Debug, Default)]
pub(super) struct BackfillChanges(pub(super) HashMap<i64, BackfillChange>);

/// The changes to the counts of one backfill.
#[derive(Debug, Default)]
pub(super) struct BackfillChange {
    pub(super) by_status: [i64; 5],
    pub(super) outcomes: BackfillOutcomes,
    /// How many failed runs count as successes from now on.
    pub(super) recovered: i64,
    pub(super) has_purged: bool,
}

impl BackfillChanges {
    /// Counts a failed run as a success.
    pub(super) fn recover(&mut self, backfill: i64) {
        let change = self.0.entry(backfill).or_default();
        change.recovered = change.recovered.saturating_add(1);
    }

    /// Moves a run from one status to another.
    ///
    /// The status is `None` before its creation and after its purge.
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
            Some(status) => change.outcomes.count(status),
            None => change.has_purged = true,
        }
    }
}
