//! Making runs: every refusal is decided before the first row is written, so that the group needs no savepoint.
//!
//! Questions about runs are left to `runs`, what a resume may read to `outputs`.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::params;

use super::body::Body;
use super::fault::Fault;
use super::lanes::Head;
use super::rows::{RunKeys, insert_run};
use super::state::Known;
use super::tx::{Counted, Tx};
use super::values::{id, millis, run_id, to_run_status};
use crate::error::{Error, Result};
use crate::model::{EventKind, PipelineId, RunId, RunStatus, Scope};
use crate::storage::{CreateRuns, Created, IdempotencyKey, NewRun, Operation, rules};

/// A run that another one resumes.
struct Resumed {
    key: i64,
    status: RunStatus,
}

impl Tx {
    pub(super) fn create_runs(&mut self, create: &CreateRuns) -> Result<Created, Fault> {
        let CreateRuns {
            runs,
            scope,
            idempotency,
            queued_pipeline_max,
            queued_max,
        } = create;
        let Some(first) = runs.first() else {
            return Ok(Created::new(Vec::new(), false, self.newest_seq()));
        };
        let pipeline = self.pipeline_to_run(&first.run.pipeline_id, scope)?;
        let resumed = self.resumed(first, scope)?;
        let target = resumed.as_ref().map_or(0, |resumed| resumed.key);
        if let Some(key) = idempotency
            && let Some(created) = self.replay(pipeline.key, target, key)?
        {
            return Ok(created);
        }
        if let Some(resumed) = &resumed {
            self.check_resumable(first, resumed)?;
        }
        self.check_ticks(&pipeline, runs)?;
        self.check_room(pipeline.key, runs.len() as u64, *queued_pipeline_max, *queued_max)?;
        let definitions = self.definition_keys(&pipeline, runs)?;
        if let Some(key) = idempotency {
            self.write_key(pipeline.key, target, key, runs)?;
        }
        let first = idempotency.as_ref().map(|_| self.state.next_run);
        for (new, definition) in runs.iter().zip(definitions) {
            self.make_run(&pipeline, new, definition, first)?;
        }
        let ids = runs.iter().map(|new| new.run.id).collect();
        Ok(Created::new(ids, false, self.newest_seq()))
    }

    fn pipeline_to_run(&mut self, id: &PipelineId, scope: &Scope) -> Result<Arc<Known>, Fault> {
        self.state
            .pipeline(&self.conn, id)?
            .filter(|known| !known.is_deleted && scope.admits(known.tenant.as_ref()))
            .ok_or_else(|| Error::pipeline_not_found(id).into())
    }

    fn resumed(&self, new: &NewRun, scope: &Scope) -> Result<Option<Resumed>, Fault> {
        let Some(run) = new.run.resumed_from else {
            return Ok(None);
        };
        let found = self.row(
            "SELECT key, status, tenant FROM runs WHERE id = ?",
            [id(&run)],
            |row| {
                let resumed = Resumed {
                    key: row.get(0)?,
                    status: to_run_status(row.get(1)?)?,
                };
                Ok((resumed, super::rows::tenant(row.get(2)?)?))
            },
        )?;
        found
            .filter(|(_, tenant)| scope.admits(tenant.as_ref()))
            .map(|(resumed, _)| Some(resumed))
            .ok_or_else(|| Error::run_not_found(run).into())
    }

    fn check_resumable(&self, new: &NewRun, resumed: &Resumed) -> Result<(), Fault> {
        let Some(run) = new.run.resumed_from else {
            return Ok(());
        };
        if resumed.status != RunStatus::Failed {
            return Err(rules::not_resumable(run, run, word(resumed.status)).into());
        }
        let in_the_way = self.row(
            "SELECT id, status FROM runs WHERE (id = ?1 OR first_run = ?1) AND status IN (0, 1, 2) ORDER BY id LIMIT 1",
            [id(&new.run.first_run)],
            |row| Ok((run_id(&row.get::<_, Vec<u8>>(0)?)?, to_run_status(row.get(1)?)?)),
        )?;
        match in_the_way {
            Some((other, status)) => Err(rules::not_resumable(run, other, word(status)).into()),
            None => Ok(()),
        }
    }

    fn check_ticks(&self, pipeline: &Known, runs: &[NewRun]) -> Result<(), Fault> {
        let mut given = HashSet::new();
        for fire_at in runs.iter().filter_map(|new| new.fire_at) {
            let taken = self.row(
                "SELECT 1 FROM runs WHERE pipeline = ? AND fire_at = ?",
                [pipeline.key, millis(fire_at)],
                |_| Ok(()),
            )?;
            if taken.is_some() || !given.insert(fire_at) {
                return Err(rules::tick_taken(&pipeline.id, fire_at).into());
            }
        }
        Ok(())
    }

    fn check_room(&self, pipeline: i64, count: u64, pipeline_max: u64, max: u64) -> Result<(), Fault> {
        for (waiting, max) in [
            (self.state.lanes.of_pipeline(pipeline), pipeline_max),
            (self.state.lanes.total(), max),
        ] {
            if waiting.saturating_add(count) > max {
                return Err(rules::queue_full(max).into());
            }
        }
        Ok(())
    }

    fn make_run(
        &mut self,
        pipeline: &Known,
        new: &NewRun,
        definition: i64,
        idempotency: Option<i64>,
    ) -> Result<(), Fault> {
        let NewRun { run, fire_at } = new;
        let mut run = run.clone();
        run.tenant.clone_from(&pipeline.tenant);
        run.status = RunStatus::Pending;
        let key = self.state.next_run;
        let keys = RunKeys {
            key,
            pipeline: pipeline.key,
            definition,
            fire_at: *fire_at,
            idempotency,
        };
        insert_run(self, &run, &keys)?;
        self.state.next_run += 1;
        self.state.newest_run = self.state.newest_run.max(Some(run.id));
        let counted = Counted {
            pipeline: pipeline.key,
            tenant: run.tenant.as_ref(),
            created_at: millis(run.created_at),
        };
        self.count(&counted, None, Some(RunStatus::Pending))?;
        let head = Head { run: run.id, key };
        self.state.lanes.add(run.trigger.priority(), pipeline.key, head);
        let body = Body::of_run(EventKind::RunCreated, run.status, None, run.created_at)?;
        self.write_events(key, &body, None)?;
        self.hold_inherited(key, &run)
    }

    /// The definition of each run, by its version.
    fn definition_keys(&self, pipeline: &Known, runs: &[NewRun]) -> Result<Vec<i64>, Fault> {
        let mut keys = Vec::with_capacity(runs.len());
        let mut newest = None;
        for version in runs.iter().map(|new| new.run.pipeline_version) {
            let key = match newest {
                Some((known, key)) if known == version => key,
                Some(_) | None => self.definition_key(pipeline, version)?,
            };
            newest = Some((version, key));
            keys.push(key);
        }
        Ok(keys)
    }

    fn definition_key(&self, pipeline: &Known, version: u32) -> Result<i64, Fault> {
        self.row(
            "SELECT key FROM definitions WHERE pipeline = ? AND version = ?",
            [pipeline.key, i64::from(version)],
            |row| Ok(row.get(0)?),
        )?
        .ok_or_else(|| {
            let message = format!("pipeline {} has no version {version}", pipeline.id);
            Error::internal(message).into()
        })
    }

    fn write_key(
        &mut self,
        pipeline: i64,
        target: i64,
        key: &IdempotencyKey,
        runs: &[NewRun],
    ) -> Result<(), Fault> {
        let IdempotencyKey {
            operation: _,
            key,
            body_hash,
        } = key;
        let ids: Vec<u8> = runs.iter().flat_map(|new| *id(&new.run.id)).collect();
        let count = i64::try_from(runs.len()).unwrap_or(i64::MAX);
        self.write(
            "INSERT INTO idempotency (key, pipeline, target, name, body_hash, run_ids, runs_left) VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![self.state.next_run, pipeline, target, key, body_hash, ids, count],
        )?;
        Ok(())
    }

    /// What the first act with this key made.
    fn replay(&self, pipeline: i64, target: i64, key: &IdempotencyKey) -> Result<Option<Created>, Fault> {
        let newest = self.newest_seq();
        find_key(&self.conn, pipeline, target, key)?
            .map(|ids| Ok(Created::new(ids, true, newest)))
            .transpose()
    }
}

/// The runs that the first act with this key made; refused for another body.
pub(super) fn find_key(
    conn: &rusqlite::Connection,
    pipeline: i64,
    target: i64,
    key: &IdempotencyKey,
) -> Result<Option<Vec<RunId>>, Fault> {
    let found = super::tx::row(
        conn,
        "SELECT body_hash, run_ids FROM idempotency WHERE pipeline = ? AND target = ? AND name = ?",
        params![pipeline, target, key.key],
        |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)),
    )?;
    let Some((body_hash, ids)) = found else {
        return Ok(None);
    };
    if body_hash != key.body_hash {
        return Err(rules::key_reused().into());
    }
    let ids = ids.chunks(16).map(run_id).collect::<Result<_, _>>()?;
    Ok(Some(ids))
}

/// The pipeline and the target of an operation; none where there is no such pipeline or run any more.
pub(super) fn find_operation(
    conn: &rusqlite::Connection,
    operation: &Operation,
) -> Result<Option<(i64, i64)>, Fault> {
    match operation {
        Operation::Run(pipeline) => super::tx::row(
            conn,
            "SELECT key FROM pipelines WHERE id = ?",
            [pipeline.as_str()],
            |row| Ok((row.get(0)?, 0)),
        ),
        Operation::Resume(run) => super::tx::row(
            conn,
            "SELECT pipeline, key FROM runs WHERE id = ?",
            [id(run)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        ),
    }
}

/// A status as refusals name it.
const fn word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending => "pending",
        RunStatus::Running => "running",
        RunStatus::Success => "success",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    }
}
