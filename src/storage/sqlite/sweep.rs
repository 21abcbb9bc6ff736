//! Deletes in small steps what nobody can see any more: the rows of purged runs, and the chunks of
//! dropped outputs.
//!
//! `sweep_queue` records what is swept. A step is bounded by rows and bytes, so that other
//! writers wait for a few milliseconds at most.

use std::sync::Arc;

use rusqlite::params;

use super::dropped_outputs::OwnChunks;
use super::inbox::Inbox;
use super::step::{StepFn, StepKind, WriteStep};
use super::store_error::StoreError;
use super::sweep_queue::Sweep;
use super::tx::Tx;
use super::values::{chunk_keys, node_keys, to_u64};
use crate::error::{Result, log, trace_causes};

/// What a step may still delete.
#[derive(Debug)]
struct Budget {
    rows: i64,
    bytes: i64,
}

impl Budget {
    /// 100 rows or 1 MiB: about two milliseconds, because the rows of old runs are far apart.
    const STEP: Self = Self {
        rows: 100,
        bytes: 1 << 20,
    };

    const fn is_spent(&self) -> bool {
        self.rows <= 0 || self.bytes <= 0
    }

    const fn spend(&mut self, bytes: i64) {
        self.rows -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Rows that a sweep deletes: their table, their key, their size and the range of their keys.
struct SweptRows {
    find: &'static str,
    delete: &'static str,
    range: (i64, i64),
}

impl SweptRows {
    /// The rows of a run, except its outputs.
    fn of_run(run: i64) -> [Self; 4] {
        let range = node_keys(run);
        [
            Self {
                find: "SELECT seq, octet_length(body) FROM journal WHERE run BETWEEN ? AND ? LIMIT ?",
                delete: "DELETE FROM journal WHERE seq = ?",
                range: (run, run),
            },
            Self {
                find: "SELECT key, octet_length(body) FROM previews WHERE key BETWEEN ? AND ? LIMIT ?",
                delete: "DELETE FROM previews WHERE key = ?",
                range,
            },
            Self {
                find: "SELECT key, octet_length(body) FROM profiles WHERE key BETWEEN ? AND ? LIMIT ?",
                delete: "DELETE FROM profiles WHERE key = ?",
                range,
            },
            Self {
                find: "SELECT key, 0 FROM node_runs WHERE key BETWEEN ? AND ? LIMIT ?",
                delete: "DELETE FROM node_runs WHERE key = ?",
                range,
            },
        ]
    }

    fn chunks_of(node: i64) -> Self {
        Self {
            find: "SELECT key, octet_length(bytes) FROM chunks WHERE key BETWEEN ? AND ? LIMIT ?",
            delete: "DELETE FROM chunks WHERE key = ?",
            range: chunk_keys(node),
        }
    }
}

impl Tx {
    /// Deletes a part of what is left to delete. Returns whether anything is left.
    pub(super) fn sweep(&mut self) -> Result<bool, StoreError> {
        let is_left = self.sweep_within(Budget::STEP)?;
        self.wants_sweep = false;
        self.frees_pages = true;
        Ok(is_left)
    }

    fn sweep_within(&mut self, mut budget: Budget) -> Result<bool, StoreError> {
        while let Some((kind, key)) = self.next_sweep()? {
            if budget.is_spent() {
                return Ok(true);
            }
            let is_done = match kind {
                0 => self.sweep_run(key, &mut budget)?,
                _ => self.sweep_rows(&SweptRows::chunks_of(key), &mut budget)?,
            };
            if is_done {
                self.write("DELETE FROM sweeps WHERE kind = ? AND key = ?", [kind, key])?;
                budget.spend(0);
            }
        }
        Ok(false)
    }

    fn next_sweep(&self) -> Result<Option<(i64, i64)>, StoreError> {
        self.row("SELECT kind, key FROM sweeps LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Deletes rows of a purged run. Returns whether none is left.
    fn sweep_run(&mut self, run: i64, budget: &mut Budget) -> Result<bool, StoreError> {
        for rows in SweptRows::of_run(run) {
            if !self.sweep_rows(&rows, budget)? {
                return Ok(false);
            }
        }
        self.sweep_parked(run, budget)?;
        self.sweep_outputs(run, budget)?;
        Ok(!budget.is_spent())
    }

    /// Deletes rows. Returns whether none is left.
    fn sweep_rows(&mut self, rows: &SweptRows, budget: &mut Budget) -> Result<bool, StoreError> {
        let (first, last) = rows.range;
        let count_max = budget.rows;
        let found = self.rows(rows.find, [first, last, count_max.max(0)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        let is_all = to_u64(count_max) > found.len() as u64;
        for (key, bytes) in found {
            if budget.is_spent() {
                return Ok(false);
            }
            budget.spend(bytes);
            self.write(rows.delete, [key])?;
        }
        Ok(is_all)
    }

    fn sweep_parked(&mut self, run: i64, budget: &mut Budget) -> Result<(), StoreError> {
        let count = self.write(
            "DELETE FROM parked WHERE (notifier, seq) IN (SELECT notifier, seq FROM parked WHERE run = ? LIMIT ?)",
            [run, budget.rows.max(0)],
        )?;
        (0..count).for_each(|_| budget.spend(0));
        Ok(())
    }

    /// Drops outputs of a purged run. The last run that holds an output takes the chunks with it.
    fn sweep_outputs(&mut self, run: i64, budget: &mut Budget) -> Result<(), StoreError> {
        let (first, last) = node_keys(run);
        let nodes = self.rows(
            "SELECT key FROM outputs WHERE key BETWEEN ? AND ? \
             UNION ALL SELECT key FROM staged WHERE key BETWEEN ? AND ? LIMIT ?",
            params![first, last, first, last, budget.rows.max(0)],
            |row| Ok(row.get::<_, i64>(0)?),
        )?;
        for node in nodes {
            budget.spend(0);
            self.drop_output(node, OwnChunks::Sweep)?;
            if self.write("DELETE FROM staged WHERE key = ?", [node])? > 0 {
                self.sweep_later(Sweep::Chunks, node)?;
            }
        }
        Ok(())
    }
}

/// Returns a step that sweeps, and that queues the next one until nothing is left.
///
/// A closed inbox takes no more: the next process goes on.
pub(super) fn sweep_step(steps: Arc<Inbox<Box<dyn WriteStep>>>) -> Box<dyn WriteStep> {
    let deliver = move |outcome: Result<bool>| match outcome {
        Ok(true) => {
            let next = sweep_step(Arc::clone(&steps));
            steps.push_background(next);
        }
        Ok(false) => {}
        Err(error) => {
            log::warn!(%error, "deleted rows could not be swept; a later purge goes on");
            trace_causes(&error);
        }
    };
    StepFn::boxed(StepKind::Ordinary, Tx::sweep, deliver)
}
