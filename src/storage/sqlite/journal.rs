//! The journal of running runs: one append is one row of events and the rows of the nodes it is
//! about.
//!
//! Everything that can be encoded is encoded before the writer gets it; the run's end is left to
//! `ends` and `outputs`.

use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStorage;
use super::ends::Ended;
use super::fault::Fault;
use super::inbox::Lane;
use super::prepared::{Payload, Prepared};
use super::state::{Active, Driven};
use super::tx::Tx;
use super::values::{id, int, node_key, to_run_status, uint};
use crate::error::{Error, Result};
use crate::model::{RunId, RunStatus};
use crate::storage::{Append, AppendOutcome, Entry, Journal, rules};

#[async_trait]
impl Journal for SqliteStorage {
    async fn append(&self, append: Append) -> Result<AppendOutcome> {
        let prepared = Prepared::new(append)?;
        self.step(Lane::Normal, move |tx| tx.append(&prepared))
            .await
    }
}

impl Tx {
    fn append(&mut self, prepared: &Prepared) -> Result<AppendOutcome, Fault> {
        let Append { run, epoch, .. } = prepared.append;
        let Some(mut active) = self.state.running.remove(&run) else {
            return self.append_to_settled(&prepared.append);
        };
        // The run is taken out while it changes; after a fault the memory is read again, a refusal
        // puts it back.
        let outcome = if active.epoch == epoch {
            self.append_to(&mut active, prepared)
        } else {
            Err(rules::stale_epoch(run).into())
        };
        let has_ended = active
            .driven
            .as_ref()
            .is_some_and(|driven| driven.run.status.is_terminal());
        if has_ended {
            self.state.stop(&active);
        } else {
            self.state.running.insert(run, active);
        }
        outcome
    }

    fn append_to(
        &mut self,
        active: &mut Active,
        prepared: &Prepared,
    ) -> Result<AppendOutcome, Fault> {
        let Append {
            run,
            epoch: _,
            position,
            ref entries,
            result_bytes_max,
        } = prepared.append;
        let mut driven = match active.driven.take() {
            Some(driven) => driven,
            None => self.drive(run)?.0,
        };
        let checked = check(&driven, run, position, entries);
        if let Ok(Position::Next) = checked {
            self.write_append(active, &mut driven, prepared)?;
            if driven.run.status.is_terminal() {
                self.write_run_end(active, &driven, result_bytes_max)?;
            }
        }
        let status = driven.run.status;
        active.driven = Some(driven);
        checked?;
        self.appended(active.backfill, status)
    }

    fn write_append(
        &mut self,
        active: &mut Active,
        driven: &mut Driven,
        prepared: &Prepared,
    ) -> Result<(), Fault> {
        let entries = &prepared.append.entries;
        driven.position += entries.len() as u64;
        if prepared.body.count > 0 {
            self.write_events(active.key, &prepared.body, Some(int(driven.position)))?;
        } else if !entries.is_empty() {
            self.write(
                "UPDATE runs SET position = ? WHERE key = ?",
                params![int(driven.position), active.key],
            )?;
        }
        for entry in entries {
            self.write_entry(active, driven, entry)?;
        }
        for Payload {
            insert,
            node_index,
            body,
        } in &prepared.payloads
        {
            self.write(insert, params![node_key(active.key, *node_index), body])?;
        }
        Ok(())
    }

    /// Writes the end of a run and drops what it keeps no longer.
    fn write_run_end(
        &mut self,
        active: &Active,
        driven: &Driven,
        result_bytes_max: u64,
    ) -> Result<(), Fault> {
        let run = &driven.run;
        let ended = Ended {
            key: active.key,
            pipeline: active.pipeline,
            tenant: active.tenant.as_ref(),
            created_at: active.created_at,
            backfill: active.backfill,
            before: RunStatus::Running,
            status: run.status,
            error: run.error.as_deref(),
            at: run.finished_at.unwrap_or(run.created_at),
        };
        self.end_run(&ended)?;
        if driven.has_staged {
            self.drop_staged(active.key)?;
        }
        if driven.has_outputs || run.resumed_from.is_some() {
            self.settle_outputs(active.key, run, &driven.definition, result_bytes_max)?;
        }
        self.settle_backfill(&ended)
    }

    fn appended(&self, backfill: Option<i64>, status: RunStatus) -> Result<AppendOutcome, Fault> {
        Ok(AppendOutcome {
            cancelled_backfill: self.cancelled_backfill(backfill, status)?,
            ..AppendOutcome::new(self.newest_seq())
        })
    }

    fn append_to_settled(&self, append: &Append) -> Result<AppendOutcome, Fault> {
        let Append {
            run,
            epoch,
            position,
            ..
        } = *append;
        let refusal = self.refuse(run, epoch)?;
        if refusal.kind() != crate::ErrorKind::RunFinished {
            return Err(refusal.into());
        }
        let written = self.position(run)?;
        match position.cmp(&written) {
            std::cmp::Ordering::Less => self.appended_before(run),
            std::cmp::Ordering::Equal => Err(refusal.into()),
            std::cmp::Ordering::Greater => Err(rules::position_gap(run, written, position).into()),
        }
    }

    fn appended_before(&self, run: RunId) -> Result<AppendOutcome, Fault> {
        let found = self.row(
            "SELECT backfill, status FROM runs WHERE id = ?",
            [id(&run)],
            |row| Ok((row.get(0)?, to_run_status(row.get(1)?)?)),
        )?;
        let (backfill, status) = found.ok_or_else(|| Error::run_not_found(run))?;
        self.appended(backfill, status)
    }

    /// Why a run that is not running, or not under this claim, takes nothing.
    pub(super) fn refuse(&self, run: RunId, epoch: u64) -> Result<Error, Fault> {
        let found = self.row(
            "SELECT status, epoch FROM runs WHERE id = ?",
            [id(&run)],
            |row| Ok((to_run_status(row.get(0)?)?, uint(row.get(1)?))),
        )?;
        Ok(match found {
            None => Error::run_not_found(run),
            Some((status, own)) if own == epoch && status.is_terminal() => rules::run_finished(run),
            Some(_) => rules::stale_epoch(run),
        })
    }

    /// How many entries of a run were appended: an append with events tells it in the journal, one
    /// without in the run's row.
    pub(super) fn position(&self, run: RunId) -> Result<u64, Fault> {
        let found = self.row(
            "SELECT max(r.position, ifnull((SELECT j.position FROM journal j WHERE j.run = r.key AND j.position IS NOT NULL \
             ORDER BY j.seq DESC LIMIT 1), 0)) FROM runs r WHERE r.id = ?",
            [id(&run)],
            |row| Ok(uint(row.get(0)?)),
        )?;
        Ok(found.unwrap_or(0))
    }
}

/// Where an append stands against what was appended.
enum Position {
    /// It was appended before.
    Passed,
    /// It is what follows.
    Next,
}

fn check(driven: &Driven, run: RunId, position: u64, entries: &[Entry]) -> Result<Position> {
    if position < driven.position {
        return Ok(Position::Passed);
    }
    if position > driven.position {
        return Err(rules::position_gap(run, driven.position, position));
    }
    rules::check_entries(&driven.run, entries, |node_index| {
        driven.node_status(node_index)
    })?;
    Ok(Position::Next)
}
