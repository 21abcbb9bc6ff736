//! Concurrency keys: which pending runs of a key are ready, and which their key holds back.
//!
//! Those that are held back wait in lanes of their own, which no claim reads. `rules` decides which
//! of them becomes ready next. The rows are authoritative: the memory knows only which lanes there
//! are.

use std::collections::BTreeSet;

use rusqlite::params;

use super::lanes::{Held, LaneKey};
use super::store_error::StoreError;
use super::tx::Tx;
use super::upcoming::Head;
use super::values::{run_id, to_i64, to_u64};
use crate::model::{BackfillOrder, Rank, Run, RunConcurrency};
use crate::storage::NewRun;
use crate::storage::rules::{self, FirstHeld, KeyStep};

/// A pending run of a key, at one end of its lane.
struct KeyedRun {
    id: Vec<u8>,
    key: i64,
    max: u64,
    lane: LaneKey,
}

/// Which run of a lane is asked for.
#[derive(Debug, Clone, Copy)]
enum End {
    First,
    Last,
}

impl Tx {
    /// Returns what holds a new run back. Its key decides at once for a run that is alone, and for
    /// several once all of them are there, so that their order counts.
    pub(super) fn new_held(
        &self,
        run: &Run,
        pipeline: i64,
        is_alone: bool,
    ) -> Result<Held, StoreError> {
        match (run.run_after, &run.concurrency) {
            (Some(_), _) => Ok(Held::ByDelay),
            (None, None) => Ok(Held::No),
            (None, Some(own)) => match !is_alone || self.is_key_taken(pipeline, own)? {
                true => Ok(Held::ByKey),
                false => Ok(Held::No),
            },
        }
    }

    /// Lets the new runs of a pipeline become ready as far as their keys allow.
    pub(super) fn settle_new_keys(
        &mut self,
        pipeline: i64,
        runs: &[NewRun],
    ) -> Result<(), StoreError> {
        let runs = runs.iter().map(|new| &new.run);
        let texts: BTreeSet<_> = runs
            .filter(|run| run.run_after.is_none())
            .filter_map(|run| Some(run.concurrency.as_ref()?.key.as_str()))
            .collect();
        for text in texts {
            self.settle_key(pipeline, text)?;
        }
        Ok(())
    }

    /// Returns whether a new run has to wait for others of its key.
    fn is_key_taken(&self, pipeline: i64, own: &RunConcurrency) -> Result<bool, StoreError> {
        let max = rules::key_max(own);
        if self.occupied(pipeline, &own.key, max)? >= max {
            return Ok(true);
        }
        // Those of paused backfills do not count.
        let has_held = self.has_held(pipeline, &own.key)?;
        Ok(has_held && self.first_held(pipeline, &own.key)?.is_some())
    }

    /// Makes a paused backfill leave its keys to other runs, or lets its runs become ready again.
    pub(super) fn settle_keys_of_backfill(
        &mut self,
        backfill: i64,
        is_paused: bool,
    ) -> Result<(), StoreError> {
        let pending = self.rows(PENDING_WITH_KEY, [backfill], |row| {
            let pipeline = row.get(3)?;
            let run = KeyedRun {
                id: row.get(0)?,
                key: row.get(1)?,
                max: to_u64(row.get(2)?).max(1),
                lane: LaneKey::read(row.get(4)?, pipeline, Some(backfill))?,
            };
            Ok((run, (pipeline, row.get::<_, String>(5)?)))
        })?;
        let mut keys = BTreeSet::new();
        for (run, key) in pending {
            keys.insert(key);
            if is_paused && run.lane.held == Held::No {
                self.move_keyed(&run, Held::ByKey)?;
            }
        }
        let mut keys = keys.into_iter();
        keys.try_for_each(|(pipeline, text)| self.settle_key(pipeline, &text))
    }

    /// Lets the runs of a key become ready as far as it allows, in their order.
    pub(super) fn settle_key(&mut self, pipeline: i64, text: &str) -> Result<(), StoreError> {
        while let Some(first) = self.first_held(pipeline, text)? {
            let (rank, max) = (first.lane.rank, first.max);
            let occupied = self.occupied(pipeline, text, max)?;
            let last = match occupied == max {
                true => self.last_ready(pipeline, text, rank)?,
                false => None,
            };
            let last_rank = last.as_ref().map(|last| last.lane.rank);
            let step = KeyStep::of(FirstHeld { rank, max }, occupied, last_rank);
            match (step, last) {
                (KeyStep::Wait, _) => return Ok(()),
                (KeyStep::Replace, Some(last)) => self.move_keyed(&last, Held::ByKey)?,
                (KeyStep::Replace | KeyStep::Release, _) => {}
            }
            self.move_keyed(&first, Held::No)?;
        }
        Ok(())
    }

    /// Counts the runs of a key that are ready or running, up to one more than may be.
    fn occupied(&self, pipeline: i64, text: &str, max: u64) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM runs INDEXED BY runs_of_key WHERE finished_at IS NULL \
             AND pipeline = ? AND concurrency_key = ? AND {READY} LIMIT ?)"
        );
        let values = params![pipeline, text, to_i64(max.saturating_add(1))];
        let found = self.row(&sql, values, |row| Ok(to_u64(row.get(0)?)))?;
        Ok(found.unwrap_or(0))
    }

    fn has_held(&self, pipeline: i64, text: &str) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT 1 FROM runs INDEXED BY runs_of_key WHERE finished_at IS NULL \
             AND pipeline = ? AND concurrency_key = ? AND {HELD} LIMIT 1"
        );
        let found = self.row(&sql, params![pipeline, text], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// Returns the first run of a key that is held back, as claims would order them.
    fn first_held(&self, pipeline: i64, text: &str) -> Result<Option<KeyedRun>, StoreError> {
        for rank in Rank::all() {
            let ends = self.ends_of_key(Held::ByKey, rank, pipeline, text, End::First)?;
            if let Some(first) = ends.into_iter().min_by(|a, b| a.id.cmp(&b.id)) {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }

    /// Returns the ready run of a key that a claim starts last, if its rank is worse than this one.
    fn last_ready(
        &self,
        pipeline: i64,
        text: &str,
        better: Rank,
    ) -> Result<Option<KeyedRun>, StoreError> {
        let mut ranks: Vec<_> = Rank::all().filter(|rank| *rank > better).collect();
        ranks.reverse();
        for rank in ranks {
            let ends = self.ends_of_key(Held::No, rank, pipeline, text, End::Last)?;
            if let Some(last) = ends.into_iter().max_by(|a, b| a.id.cmp(&b.id)) {
                return Ok(Some(last));
            }
        }
        Ok(None)
    }

    /// Returns the run of a key at one end of each lane of a rank.
    fn ends_of_key(
        &self,
        held: Held,
        rank: Rank,
        pipeline: i64,
        text: &str,
        end: End,
    ) -> Result<Vec<KeyedRun>, StoreError> {
        let mut found = Vec::new();
        for lane in self.state.lanes.lanes_of(held, rank, pipeline) {
            if self.state.backfills.is_paused(lane.backfill) {
                continue;
            }
            let sql =
                match (self.state.lanes.order(lane), end) {
                    (BackfillOrder::Ascending, End::First)
                    | (BackfillOrder::Descending, End::Last) => LEAST_OF_KEY,
                    (BackfillOrder::Ascending, End::Last)
                    | (BackfillOrder::Descending, End::First) => GREATEST_OF_KEY,
                };
            let values = params![pipeline, text, lane.number(), lane.backfill];
            found.extend(self.row(sql, values, |row| {
                Ok(KeyedRun {
                    id: row.get(0)?,
                    key: row.get(1)?,
                    max: to_u64(row.get(2)?).max(1),
                    lane,
                })
            })?);
        }
        Ok(found)
    }

    fn move_keyed(&mut self, run: &KeyedRun, held: Held) -> Result<(), StoreError> {
        let (from, key) = (run.lane, run.key);
        let to = LaneKey { held, ..from };
        self.write(
            "UPDATE runs SET priority = ? WHERE key = ?",
            [to.number(), key],
        )?;
        // The claim of a run whose id cannot be read finds that out.
        match run_id(&run.id) {
            Ok(id) => {
                let order = self.state.lanes.order(from);
                self.state.lanes.remove(from, id);
                self.state.lanes.add(to, order, Head { run: id, key });
            }
            Err(_) => self.state.lanes.move_one(from, to),
        }
        Ok(())
    }
}

/// The lanes of runs that are ready or running, by their stored numbers.
pub(super) const READY: &str = "priority IN (0, 1, 2, 16, 17, 18, 32, 33, 34)";
/// The lanes of runs that their key holds back.
const HELD: &str = "priority IN (8, 9, 10, 24, 25, 26, 40, 41, 42)";
/// The pending runs of a backfill that have a key.
const PENDING_WITH_KEY: &str = "SELECT id, key, concurrency_max, pipeline, priority, concurrency_key FROM runs INDEXED BY runs_of_backfill \
     WHERE backfill = ? AND status = 0 AND concurrency_key IS NOT NULL ORDER BY id";
/// The pending run of a key with the smallest id in a lane.
const LEAST_OF_KEY: &str = "SELECT id, key, concurrency_max FROM runs INDEXED BY runs_of_key WHERE finished_at IS NULL \
     AND pipeline = ? AND concurrency_key = ? AND priority = ? AND backfill IS ? AND status = 0 ORDER BY id LIMIT 1";
/// The pending run of a key with the greatest id in a lane.
const GREATEST_OF_KEY: &str = "SELECT id, key, concurrency_max FROM runs INDEXED BY runs_of_key WHERE finished_at IS NULL \
     AND pipeline = ? AND concurrency_key = ? AND priority = ? AND backfill IS ? AND status = 0 ORDER BY id DESC LIMIT 1";

#[cfg(test)]
mod tests {
    use super::super::lanes::number;
    use super::*;

    fn numbers(held: Held) -> String {
        let mut numbers: Vec<_> = Rank::all().map(|rank| number(rank, held)).collect();
        numbers.sort_unstable();
        let numbers: Vec<_> = numbers.iter().map(i64::to_string).collect();
        format!("priority IN ({})", numbers.join(", "))
    }

    #[test]
    fn the_lanes_of_a_key_are_those_of_all_ranks() {
        assert_eq!((READY, HELD), (&*numbers(Held::No), &*numbers(Held::ByKey)));
    }
}
