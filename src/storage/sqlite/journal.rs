//! The journal of running runs: one append is one row of events and the rows of the nodes it is about.
//!
//! Everything that can be encoded is encoded before the writer gets it; the run's end is left to `ends` and `outputs`.

use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStorage;
use super::body::Body;
use super::ends::Ended;
use super::fault::Fault;
use super::inbox::Lane;
use super::outputs::Chunks;
use super::rows::optional_int;
use super::state::{Active, Driven};
use super::tx::Tx;
use super::values::{self, id, int, millis, node_key, to_run_status, uint};
use crate::error::{Error, Result};
use crate::model::{NodeStatus, Place, RunId, RunStatus};
use crate::storage::{Append, Appended, Entry, Journal, NodeEnd, rules};

#[async_trait]
impl Journal for SqliteStorage {
    async fn append(&self, append: Append) -> Result<Appended> {
        let mut prepared = Prepared::new(append)?;
        self.step(Lane::Normal, move |tx| tx.append(&mut prepared))
            .await
    }
}

/// An append whose events and payloads are encoded.
struct Prepared {
    append: Append,
    body: Body,
    payloads: Vec<Payload>,
}

/// A preview or a profile, encoded.
struct Payload {
    insert: &'static str,
    place: Place,
    body: Vec<u8>,
}

impl Prepared {
    fn new(mut append: Append) -> Result<Self, Fault> {
        let body = Body::of_entries(&append.entries)?;
        let mut payloads = Vec::new();
        for entry in &mut append.entries {
            match entry {
                Entry::NodeFinished(end) => {
                    if let Some(preview) = end.preview.take() {
                        let insert = "INSERT OR REPLACE INTO previews (key, body) VALUES (?, ?)";
                        payloads.push(Payload::new(insert, end.place, &preview)?);
                    }
                }
                Entry::Profile { place, profile } => {
                    let insert = "INSERT OR REPLACE INTO profiles (key, body) VALUES (?, ?)";
                    payloads.push(Payload::new(insert, *place, profile)?);
                }
                Entry::NodeStarted { .. }
                | Entry::NodeRetrying { .. }
                | Entry::Log { .. }
                | Entry::RunFinished { .. } => {}
            }
        }
        Ok(Self {
            append,
            body,
            payloads,
        })
    }
}

impl Payload {
    fn new(
        insert: &'static str,
        place: Place,
        payload: &impl serde::Serialize,
    ) -> Result<Self, Fault> {
        let body = serde_json::to_vec(payload)
            .map_err(|error| Fault::unreadable("a payload to be stored", error))?;
        Ok(Self {
            insert,
            place,
            body,
        })
    }
}

impl Tx {
    fn append(&mut self, prepared: &mut Prepared) -> Result<Appended, Fault> {
        let Append { run, epoch, .. } = prepared.append;
        let Some(mut active) = self.state.running.remove(&run) else {
            return self.append_to_settled(&prepared.append);
        };
        // The run is taken out while it changes; after a fault the memory is read again, a refusal puts it back.
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
            self.state.stop(active.pipeline);
        } else {
            self.state.running.insert(run, active);
        }
        outcome
    }

    fn append_to(&mut self, active: &mut Active, prepared: &Prepared) -> Result<Appended, Fault> {
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
        active.driven = Some(driven);
        checked
            .map(|_| Appended::new(self.newest_seq()))
            .map_err(Fault::from)
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
            place,
            body,
        } in &prepared.payloads
        {
            self.write(insert, params![node_key(active.key, *place), body])?;
        }
        Ok(())
    }

    fn write_entry(
        &mut self,
        active: &mut Active,
        driven: &mut Driven,
        entry: &Entry,
    ) -> Result<(), Fault> {
        match entry {
            Entry::NodeStarted {
                place,
                attempt,
                queue_ms,
                at,
            } => {
                driven.nodes.insert(*place, NodeStatus::Running);
                self.write(
                    "INSERT INTO node_runs (key, status, attempt, queue_ms, started_at, has_dataset) VALUES (?, 1, ?, ?, ?, 0) \
                     ON CONFLICT (key) DO UPDATE SET status = 1, attempt = excluded.attempt, error = NULL, \
                     queue_ms = iif(started_at IS NULL, excluded.queue_ms, queue_ms), started_at = ifnull(started_at, excluded.started_at)",
                    params![node_key(active.key, *place), attempt, int(*queue_ms), millis(*at)],
                )?;
            }
            Entry::NodeRetrying { place, error, .. } => {
                driven.nodes.insert(*place, NodeStatus::Pending);
                self.write(
                    "UPDATE node_runs SET status = 0, error = ? WHERE key = ?",
                    params![error, node_key(active.key, *place)],
                )?;
            }
            Entry::NodeFinished(end) => {
                driven.nodes.insert(end.place, end.status);
                self.write_end(active, driven, end)?;
            }
            Entry::RunFinished { status, error, at } => {
                driven.run.status = *status;
                driven.run.error.clone_from(error);
                driven.run.finished_at = Some(*at);
            }
            Entry::Profile { place, .. } => {
                if driven.nodes.insert(*place, driven.status(*place)).is_none() {
                    let node = node_key(active.key, *place);
                    self.write(
                        "INSERT INTO node_runs (key, status, has_dataset) VALUES (?, 0, 0)",
                        [node],
                    )?;
                }
            }
            Entry::Log { .. } => {}
        }
        Ok(())
    }

    fn write_end(
        &mut self,
        active: &mut Active,
        driven: &mut Driven,
        end: &NodeEnd,
    ) -> Result<(), Fault> {
        let NodeEnd {
            place,
            status,
            at,
            attempt,
            row_count,
            duration_ms,
            error,
            reused_from,
            has_dataset,
            output,
            preview: _,
        } = end;
        let node = node_key(active.key, *place);
        self.write(
            "INSERT INTO node_runs (key, status, finished_at, attempt, row_count, duration_ms, error, reused_from, has_dataset) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET status = excluded.status, \
             finished_at = excluded.finished_at, attempt = ifnull(excluded.attempt, attempt), row_count = excluded.row_count, \
             duration_ms = excluded.duration_ms, error = excluded.error, reused_from = excluded.reused_from, \
             has_dataset = excluded.has_dataset",
            params![
                node,
                values::node_status(*status),
                millis(*at),
                attempt,
                optional_int(*row_count),
                optional_int(*duration_ms),
                error,
                reused_from.as_ref().map(id),
                has_dataset,
            ],
        )?;
        let is_progress = matches!(status, NodeStatus::Success | NodeStatus::Failed);
        if is_progress && active.claims != 1 {
            active.claims = 1;
            self.write("UPDATE runs SET claims = 1 WHERE key = ?", [active.key])?;
        }
        match output {
            Some(output) if is_progress => {
                driven.has_outputs = true;
                self.keep_output(node, output)
            }
            // What it inherited is not what it made.
            None if is_progress && driven.has_outputs => self.drop_output(node, Chunks::Go),
            Some(_) | None => Ok(()),
        }
    }

    /// Writes the end of a run and drops what it keeps no longer.
    fn write_run_end(
        &mut self,
        active: &Active,
        driven: &Driven,
        result_bytes_max: u64,
    ) -> Result<(), Fault> {
        let run = &driven.run;
        self.end_run(&Ended {
            key: active.key,
            pipeline: active.pipeline,
            tenant: active.tenant.as_ref(),
            created_at: active.created_at,
            before: RunStatus::Running,
            status: run.status,
            error: run.error.as_deref(),
            at: run.finished_at.unwrap_or(run.created_at),
        })?;
        if driven.has_staged {
            self.drop_staged(active.key)?;
        }
        if driven.has_outputs || run.resumed_from.is_some() {
            self.settle_outputs(active.key, run, &driven.definition, result_bytes_max)?;
        }
        Ok(())
    }

    fn append_to_settled(&self, append: &Append) -> Result<Appended, Fault> {
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
            std::cmp::Ordering::Less => Ok(Appended::new(self.newest_seq())),
            std::cmp::Ordering::Equal => Err(refusal.into()),
            std::cmp::Ordering::Greater => Err(rules::gap(run, written, position).into()),
        }
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

    /// How many entries of a run were appended: an append with events tells it in the journal, one without in the run's row.
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
        return Err(rules::gap(run, driven.position, position));
    }
    rules::check_entries(&driven.run, entries, |place| {
        driven.definition.graph.id(place)?;
        Some(driven.status(place))
    })?;
    Ok(Position::Next)
}
