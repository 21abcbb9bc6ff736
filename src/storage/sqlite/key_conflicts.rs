//! What happens to new runs while as many runs of their concurrency key are unfinished as may be.
//!
//! `keys` lets those that are created wait for one another.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use rusqlite::params;

use super::cancel::{CANCEL_TARGET, CancelTarget, read_cancel_target};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{run_id, to_i64};
use crate::model::{RunCancel, RunConcurrency, RunId};
use crate::storage::{NewBackfill, NewRun, ReplacedRun, rules};

/// New runs, and those that are skipped.
pub(super) type Remaining<'a> = (Cow<'a, [NewRun]>, Vec<RunId>);

impl Tx {
    /// Skips the runs of a backfill whose concurrency keys are taken. Returns the other runs and
    /// all skipped ones.
    pub(super) fn skip_taken<'a>(
        &self,
        pipeline: i64,
        (runs, mut skipped): Remaining<'a>,
        backfill: Option<&NewBackfill>,
    ) -> Result<Remaining<'a>, StoreError> {
        let may_skip = |new: &NewRun| rules::skipping_key(new).is_some();
        if backfill.is_none() || !runs.iter().any(may_skip) {
            return Ok((runs, skipped));
        }
        let mut counts: HashMap<String, u64> = HashMap::new();
        let mut remaining = Vec::new();
        for new in runs.iter() {
            if let Some(own) = &new.run.concurrency {
                let count = match counts.get_mut(&own.key) {
                    Some(count) => count,
                    None => {
                        let count = self.unfinished_of_key(pipeline, own)?.len() as u64;
                        counts.entry(own.key.clone()).or_insert(count)
                    }
                };
                if may_skip(new) && *count >= rules::key_max(own) {
                    skipped.push(new.run.id);
                    continue;
                }
                *count += 1;
            }
            remaining.push(new.clone());
        }
        skipped.sort_unstable();
        Ok((Cow::Owned(remaining), skipped))
    }

    /// Refuses runs of no backfill whose concurrency key is taken.
    pub(super) fn check_keys(
        &self,
        pipeline: i64,
        runs: &[NewRun],
        backfill: Option<&NewBackfill>,
    ) -> Result<(), StoreError> {
        let mut runs = runs.iter().filter(|_| backfill.is_none());
        runs.try_for_each(|new| self.check_key(pipeline, new))
    }

    /// Cancels the unfinished runs of each key that are too many beside new ones.
    pub(super) fn replace_runs_of_keys(
        &mut self,
        pipeline: i64,
        new: &[NewRun],
    ) -> Result<Vec<ReplacedRun>, StoreError> {
        let Some(at) = new.first().map(|new| new.run.created_at) else {
            return Ok(Vec::new());
        };
        let created: HashSet<_> = new.iter().map(|new| new.run.id).collect();
        let mut replaced = Vec::new();
        for (text, replacing) in rules::replacing(new) {
            let mut others = self.targets_of_key(pipeline, text)?;
            others.retain(|target| !created.contains(&target.run()));
            others.sort_unstable_by_key(CancelTarget::run);
            let surplus = replacing.surplus(others.len());
            for target in others.iter().take(surplus) {
                let status = self.cancel_run(target, &RunCancel::of_key(at), at)?;
                replaced.push(ReplacedRun::new(target.run(), status));
            }
        }
        replaced.sort_unstable_by_key(|one| one.run);
        Ok(replaced)
    }

    fn targets_of_key(&self, pipeline: i64, text: &str) -> Result<Vec<CancelTarget>, StoreError> {
        let sql = format!(
            "SELECT {CANCEL_TARGET} FROM runs INDEXED BY runs_of_key WHERE finished_at IS NULL AND pipeline = ? AND concurrency_key = ?"
        );
        let what = "an unfinished run";
        self.readable_rows(what, &sql, params![pipeline, text], read_cancel_target)
    }

    fn check_key(&self, pipeline: i64, new: &NewRun) -> Result<(), StoreError> {
        let Some(own) = rules::skipping_key(new) else {
            return Ok(());
        };
        let unfinished = self.unfinished_of_key(pipeline, own)?;
        match unfinished.iter().min() {
            Some(run) if unfinished.len() as u64 >= rules::key_max(own) => {
                Err(rules::key_taken(&own.key, *run).into())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns unfinished runs of a key, at most as many as may be.
    fn unfinished_of_key(
        &self,
        pipeline: i64,
        own: &RunConcurrency,
    ) -> Result<Vec<RunId>, StoreError> {
        self.readable_rows(
            "an unfinished run",
            "SELECT id FROM runs INDEXED BY runs_of_key WHERE finished_at IS NULL AND pipeline = ? AND concurrency_key = ? LIMIT ?",
            params![pipeline, own.key, to_i64(rules::key_max(own))],
            |row| run_id(&row.get::<_, Vec<u8>>(0)?),
        )
    }
}
