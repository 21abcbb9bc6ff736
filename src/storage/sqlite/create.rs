//! Creates runs. Every check precedes the first write, so a refused step needs no savepoint.
//!
//! `runs` reads them, `idempotency` records idempotency keys, and `outputs` inherits the outputs
//! for a resume.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::backfill_params::SharedParams;
use super::body::JournalBody;
use super::cached_pipelines::CachedPipeline;
use super::counts::Counted;
use super::idempotency::find_key;
use super::lanes::LaneKey;
use super::rows::{RUN, RUN_FROM, RunKeys, insert_run, read_run};
use super::store_error::StoreError;
use super::tx::Tx;
use super::upcoming::Head;
use super::values::{id, millis, run_id, to_run_status};
use crate::error::{Error, Result};
use crate::model::{BackfillId, EventKind, Run, RunStatus};
use crate::storage::{CreateRuns, CreatedRuns, FirstCreation, IdempotencyKey, NewRun, rules};

impl Tx {
    pub(super) fn create_runs(&mut self, create: &CreateRuns) -> Result<CreatedRuns, StoreError> {
        let CreateRuns {
            runs,
            scope,
            idempotency,
            queued_pipeline_max,
            queued_max,
            backfill,
            is_preview,
            audit,
        } = create;
        let Some(first) = runs.first() else {
            return Ok(CreatedRuns::new(Vec::new(), self.newest_seq()));
        };
        let pipeline = self.visible_pipeline(&first.run.pipeline_id, scope)?;
        let resumed = self.resumed_runs(&pipeline, runs)?;
        if let Some(repeated) = self.repeated_creation(&pipeline, create)? {
            return Ok(repeated);
        }
        let idempotency = idempotency.as_ref().filter(|_| !is_preview);
        if let Some(key) = idempotency
            && let Some(first) = self.first_creation(key)?
        {
            return Ok(first.for_repeat(&key.body_hash)?);
        }
        resumed
            .iter()
            .try_for_each(|resumed| self.check_resumable(resumed))?;
        let (runs, skipped) = self.skip_runs(&pipeline, runs, backfill.as_ref())?;
        let ids = runs.iter().map(|new| new.run.id).collect();
        let mut created = CreatedRuns::new(ids, self.newest_seq());
        created.skipped = skipped;
        if *is_preview || runs.is_empty() {
            return Ok(created);
        }
        self.check_ticks(&pipeline, &runs)?;
        self.check_upstreams(&pipeline, &runs)?;
        self.check_keys(pipeline.key, &runs, backfill.as_ref())?;
        self.check_queue_limits(
            pipeline.key,
            runs.len() as u64,
            *queued_pipeline_max,
            *queued_max,
        )?;
        let definitions = self.definition_keys(&pipeline, &runs)?;
        let mut shared = Shared {
            idempotency: idempotency.map(|_| self.state.next_run),
            backfill: None,
            params: None,
            is_alone: runs.len() == 1,
        };
        let params = backfill.as_ref().map(|_| SharedParams::of_runs(&runs));
        if let (Some(new), Some(params)) = (backfill, &params) {
            let count = runs.len() as u64;
            shared.backfill = Some(self.create_backfill(&pipeline, new, count, params)?);
            shared.params = Some(params);
            created.backfill = Some(new.backfill.id);
        }
        if let Some(key) = idempotency {
            self.write_key(pipeline.key, key, &runs, shared.backfill)?;
        }
        for (new, definition) in runs.iter().zip(definitions) {
            self.create_run(&pipeline, new, definition, shared)?;
        }
        created.replaced = self.replace_runs_of_keys(pipeline.key, &runs)?;
        self.settle_new_keys(pipeline.key, &runs)?;
        self.audit(audit.as_ref(), pipeline.tenant.as_ref())?;
        created.seq = self.newest_seq();
        Ok(created)
    }

    fn first_creation(&self, key: &IdempotencyKey) -> Result<Option<FirstCreation>, StoreError> {
        find_key(&self.conn, &key.operation, &key.key, self.newest_seq())
    }

    /// Returns the result of a creation whose runs an earlier call has already stored.
    fn repeated_creation(
        &self,
        pipeline: &CachedPipeline,
        create: &CreateRuns,
    ) -> Result<Option<CreatedRuns>, StoreError> {
        let newest = self.state.newest_run;
        // Ids grow, so that a new run needs no look-up.
        if create.is_preview || create.runs.iter().all(|new| Some(new.run.id) > newest) {
            return Ok(None);
        }
        let mut stored = Vec::new();
        for NewRun { run, .. } in &create.runs {
            let found = self.row(
                "SELECT pipeline FROM runs WHERE id = ?",
                [id(&run.id)],
                |row| Ok(row.get::<_, i64>(0)?),
            )?;
            match found {
                Some(key) if key == pipeline.key => stored.push(run.id),
                Some(_) => return Err(rules::run_exists(run.id).into()),
                None => {}
            }
        }
        let has_backfill = match &create.backfill {
            Some(new) => self.has_backfill(new.backfill.id)?,
            None => false,
        };
        Ok(rules::repeated_creation(
            create,
            stored,
            has_backfill,
            self.newest_seq(),
        )?)
    }

    fn has_backfill(&self, backfill: BackfillId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM backfills WHERE id = ?";
        let found = self.row(sql, [backfill.as_uuid().as_bytes()], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// Returns the earlier runs that the new runs resume.
    ///
    /// Each must belong to the same pipeline, which is in scope.
    fn resumed_runs(
        &self,
        pipeline: &CachedPipeline,
        runs: &[NewRun],
    ) -> Result<Vec<Run>, StoreError> {
        let sql = format!("SELECT {RUN} FROM {RUN_FROM} WHERE r.id = ?");
        let mut resumed = Vec::new();
        for resumed_id in runs.iter().filter_map(|new| new.run.resumed_from) {
            let found = self
                .row(&sql, [id(&resumed_id)], read_run)?
                .map(|row| row.run);
            let own =
                found.filter(|run| run.pipeline_id == pipeline.id && run.tenant == pipeline.tenant);
            resumed.push(own.ok_or_else(|| Error::run_not_found(resumed_id))?);
        }
        Ok(resumed)
    }

    fn check_resumable(&self, resumed: &Run) -> Result<(), StoreError> {
        let refusal = |conflicting, status| rules::not_resumable(resumed.id, conflicting, status);
        if resumed.status != RunStatus::Failed {
            return Err(refusal(resumed.id, resumed.status).into());
        }
        let conflicting = self.row(
            "SELECT id, status FROM runs WHERE (id = ?1 OR first_run = ?1) AND status IN (0, 1, 2) ORDER BY id LIMIT 1",
            [id(&resumed.first_run)],
            |row| Ok((run_id(&row.get::<_, Vec<u8>>(0)?)?, to_run_status(row.get(1)?)?)),
        )?;
        match conflicting {
            Some((other, status)) => Err(refusal(other, status).into()),
            None => Ok(()),
        }
    }

    fn check_ticks(&self, pipeline: &CachedPipeline, runs: &[NewRun]) -> Result<(), StoreError> {
        let mut seen = HashSet::new();
        for fire_at in runs.iter().filter_map(|new| new.fire_at) {
            if self.is_tick_taken(pipeline.key, fire_at)? || !seen.insert(fire_at) {
                return Err(rules::tick_taken(&pipeline.id, fire_at).into());
            }
        }
        Ok(())
    }

    fn check_upstreams(&self, own: &CachedPipeline, runs: &[NewRun]) -> Result<(), StoreError> {
        for upstream in runs.iter().filter_map(|new| new.run.upstream_run_id) {
            if self.has_run_of_upstream(own.key, &upstream)? {
                return Err(rules::upstream_run_taken(&own.id, upstream).into());
            }
        }
        Ok(())
    }

    /// Returns whether a pipeline already has a run for this tick.
    pub(super) fn is_tick_taken(
        &self,
        pipeline: i64,
        fire_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let taken = self.row(
            "SELECT 1 FROM runs WHERE pipeline = ? AND fire_at = ?",
            [pipeline, millis(fire_at)],
            |_| Ok(()),
        )?;
        Ok(taken.is_some())
    }

    fn check_queue_limits(
        &self,
        pipeline: i64,
        count: u64,
        pipeline_max: u64,
        total_max: u64,
    ) -> Result<(), StoreError> {
        for (pending, max) in [
            (self.state.lanes.pending_in_pipeline(pipeline), pipeline_max),
            (self.state.lanes.pending_total(), total_max),
        ] {
            if pending.saturating_add(count) > max {
                return Err(rules::queue_full(max).into());
            }
        }
        Ok(())
    }

    fn create_run(
        &mut self,
        pipeline: &CachedPipeline,
        new: &NewRun,
        definition: i64,
        shared: Shared<'_>,
    ) -> Result<(), StoreError> {
        let NewRun {
            run,
            fire_at,
            on_conflict: _,
        } = new;
        let mut run = run.clone();
        run.tenant.clone_from(&pipeline.tenant);
        run.status = RunStatus::Pending;
        let key = self.state.next_run;
        let Shared {
            idempotency,
            backfill,
            params,
            is_alone,
        } = shared;
        let held = self.new_held(&run, pipeline.key, is_alone)?;
        let lane = LaneKey::of(&run, held, pipeline.key, backfill);
        let keys = RunKeys {
            key,
            lane,
            definition,
            fire_at: *fire_at,
            idempotency,
            shared_params: params,
        };
        insert_run(self, &run, &keys)?;
        self.add_labels(run.id, &run.labels)?;
        self.state.next_run += 1;
        self.state.newest_run = self.state.newest_run.max(Some(run.id));
        let counted = Counted {
            pipeline: pipeline.key,
            tenant: run.tenant.as_ref(),
            created_at: millis(run.created_at),
            backfill,
        };
        self.count(&counted, None, Some(RunStatus::Pending))?;
        let head = Head { run: run.id, key };
        let order = self.state.backfills.order(backfill);
        self.state.lanes.add(lane, order, head);
        if let Some(due) = run.run_after {
            self.state.lanes.add_due(millis(due));
        }
        let body = JournalBody::of_run(EventKind::RunCreated, run.status, None, run.created_at)?;
        self.write_events(key, &body, None)?;
        self.inherit_outputs(key, &run)
    }

    /// Returns the key of the definition that each run executes, in the order of the runs.
    fn definition_keys(
        &self,
        pipeline: &CachedPipeline,
        runs: &[NewRun],
    ) -> Result<Vec<i64>, StoreError> {
        if let Some(other) = runs.iter().find(|new| new.run.pipeline_id != pipeline.id) {
            let message = format!("run {} belongs to another pipeline", other.run.id);
            return Err(Error::internal(message).into());
        }
        let versions = runs.iter().map(|new| new.run.pipeline_version);
        versions
            .map(|version| match version == pipeline.version {
                true => pipeline
                    .definition
                    .ok_or_else(|| StoreError::unreadable("a pipeline", &pipeline.id)),
                false => self.definition_key(pipeline, version),
            })
            .collect()
    }

    fn definition_key(&self, pipeline: &CachedPipeline, version: u32) -> Result<i64, StoreError> {
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
}

/// What all runs of one creation request share.
#[derive(Clone, Copy)]
struct Shared<'a> {
    idempotency: Option<i64>,
    backfill: Option<i64>,
    params: Option<&'a SharedParams>,
    /// Whether there is one run.
    is_alone: bool,
}
