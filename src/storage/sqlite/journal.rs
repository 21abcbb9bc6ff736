//! Appends to running runs: checks the position, then writes one row of events and the nodes.
//!
//! `encoded_append` encodes, `nodes` writes the rows of nodes, and `finish` finishes runs.

use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStorage;
use super::encoded_append::{EncodedAppend, EncodedPayload};
use super::finish::RunCompletion;
use super::state::{ActiveRun, CachedRun};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{id, node_key, to_i64, to_run_status, to_u64};
use crate::error::{Error, Result};
use crate::model::{RunId, RunStatus};
use crate::storage::{Append, AppendOutcome, Entry, Journal, rules};

#[async_trait]
impl Journal for SqliteStorage {
    async fn append(&self, append: Append) -> Result<AppendOutcome> {
        let encoded = EncodedAppend::new(append)?;
        self.step(move |tx| tx.append(&encoded)).await
    }
}

impl Tx {
    fn append(&mut self, encoded: &EncodedAppend) -> Result<AppendOutcome, StoreError> {
        let Append { run, epoch, .. } = encoded.append;
        let Some(mut active) = self.state.running.remove(&run) else {
            return self.append_to_inactive(&encoded.append);
        };
        // The run is removed while it changes. A refusal inserts it again; after any other error
        // the memory is read again from the rows.
        let outcome = if active.epoch == epoch {
            self.append_to_active(&mut active, encoded)
        } else {
            Err(rules::stale_epoch(run).into())
        };
        let is_finished = active
            .cached
            .as_ref()
            .is_some_and(|cached| cached.run.status.is_terminal());
        if is_finished {
            self.state.subtract_running(&active);
        } else {
            self.state.running.insert(run, active);
        }
        outcome
    }

    fn append_to_active(
        &mut self,
        active: &mut ActiveRun,
        encoded: &EncodedAppend,
    ) -> Result<AppendOutcome, StoreError> {
        let Append {
            run,
            epoch: _,
            position,
            ref entries,
            result_bytes_max,
        } = encoded.append;
        let mut cached = match active.cached.take() {
            Some(cached) => cached,
            None => self.load_running_run(run)?.0,
        };
        let checked = check_append(&cached, run, position, entries);
        if let Ok(Position::Next) = checked {
            self.write_append(active, &mut cached, encoded)?;
            if cached.run.status.is_terminal() {
                self.finish_and_settle(active, &cached, result_bytes_max)?;
            }
        }
        let status = cached.run.status;
        active.cached = Some(cached);
        checked?;
        self.append_outcome(active.pipeline, active.backfill, status)
    }

    fn write_append(
        &mut self,
        active: &mut ActiveRun,
        cached: &mut CachedRun,
        encoded: &EncodedAppend,
    ) -> Result<(), StoreError> {
        let entries = &encoded.append.entries;
        cached.position += entries.len() as u64;
        if encoded.body.count > 0 {
            self.write_events(active.key, &encoded.body, Some(to_i64(cached.position)))?;
        } else if !entries.is_empty() {
            self.write(
                "UPDATE runs SET position = ? WHERE key = ?",
                params![to_i64(cached.position), active.key],
            )?;
        }
        for entry in entries.iter() {
            self.write_entry(active, cached, entry)?;
        }
        for EncodedPayload {
            insert,
            node_index,
            body,
        } in &encoded.payloads
        {
            self.write(insert, params![node_key(active.key, *node_index), body])?;
        }
        Ok(())
    }

    /// Finishes a run and settles its outputs and its backfill.
    fn finish_and_settle(
        &mut self,
        active: &ActiveRun,
        cached: &CachedRun,
        result_bytes_max: u64,
    ) -> Result<(), StoreError> {
        let run = &cached.run;
        let at = run.finished_at.unwrap_or(run.created_at);
        let finished = RunCompletion::of_running(active, run.status, run.error.as_deref(), at);
        self.finish_run(&finished)?;
        let mut nodes = cached.nodes.values();
        if run.status != RunStatus::Success && nodes.any(|status| !status.is_terminal()) {
            self.finish_open_nodes(&finished)?;
        }
        if cached.has_staged {
            self.drop_staged_of_run(active.key)?;
        }
        if cached.has_outputs || run.resumed_from.is_some() {
            self.settle_outputs(active.key, run, &cached.definition, result_bytes_max)?;
        }
        self.settle_backfill(&finished)?;
        self.recover_first_run(run)
    }

    fn append_outcome(
        &mut self,
        pipeline: i64,
        backfill: Option<i64>,
        status: RunStatus,
    ) -> Result<AppendOutcome, StoreError> {
        Ok(AppendOutcome {
            cancelled_backfill: self.cancelled_backfill(backfill, status)?,
            may_start_others: status.is_terminal() && self.is_upstream(pipeline)?,
            ..AppendOutcome::new(self.newest_seq())
        })
    }

    fn append_to_inactive(&mut self, append: &Append) -> Result<AppendOutcome, StoreError> {
        let Append {
            run,
            epoch,
            position,
            ..
        } = *append;
        let refusal = self.refusal_for(run, epoch)?;
        if refusal.kind() != crate::ErrorKind::RunFinished {
            return Err(refusal.into());
        }
        let written = self.position(run)?;
        match position.cmp(&written) {
            std::cmp::Ordering::Less => self.repeated_append(run),
            std::cmp::Ordering::Equal => Err(refusal.into()),
            std::cmp::Ordering::Greater => Err(rules::position_gap(run, written, position).into()),
        }
    }

    fn repeated_append(&mut self, run: RunId) -> Result<AppendOutcome, StoreError> {
        let found = self.row(
            "SELECT pipeline, backfill, status FROM runs WHERE id = ?",
            [id(&run)],
            |row| Ok((row.get(0)?, row.get(1)?, to_run_status(row.get(2)?)?)),
        )?;
        let (pipeline, backfill, status) = found.ok_or_else(|| Error::run_not_found(run))?;
        self.append_outcome(pipeline, backfill, status)
    }

    /// Returns why a run refuses an append or a chunk under this epoch.
    pub(super) fn refusal_for(&self, run: RunId, epoch: u64) -> Result<Error, StoreError> {
        let found = self.row(
            "SELECT status, epoch FROM runs WHERE id = ?",
            [id(&run)],
            |row| Ok((to_run_status(row.get(0)?)?, to_u64(row.get(1)?))),
        )?;
        Ok(match found {
            None => Error::run_not_found(run),
            Some((status, found_epoch)) if found_epoch == epoch && status.is_terminal() => {
                rules::run_finished(run)
            }
            Some(_) => rules::stale_epoch(run),
        })
    }

    /// Returns how many entries of a run were appended.
    ///
    /// An append with events stores this number in the journal, one without in the row of the run.
    pub(super) fn position(&self, run: RunId) -> Result<u64, StoreError> {
        let found = self.row(
            "SELECT max(r.position, ifnull((SELECT j.position FROM journal j WHERE j.run = r.key AND j.position IS NOT NULL \
             ORDER BY j.seq DESC LIMIT 1), 0)) FROM runs r WHERE r.id = ?",
            [id(&run)],
            |row| Ok(to_u64(row.get(0)?)),
        )?;
        Ok(found.unwrap_or(0))
    }
}

/// The position of an append relative to the entries appended so far.
enum Position {
    /// The entries were appended before.
    Repeated,
    /// The entries follow directly.
    Next,
}

fn check_append(
    cached: &CachedRun,
    run: RunId,
    position: u64,
    entries: &[Entry],
) -> Result<Position> {
    if position < cached.position {
        return Ok(Position::Repeated);
    }
    if position > cached.position {
        return Err(rules::position_gap(run, cached.position, position));
    }
    rules::check_entries(&cached.run, entries, |node_index| {
        cached.node_status(node_index)
    })?;
    Ok(Position::Next)
}
