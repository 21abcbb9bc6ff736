//! Runs: created, asked for, listed, asked to cancel.
//!
//! What a resume may do and takes over is decided in `resume`, which runs a list has in `run_list`.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::state::{RunEnd, RunRow, State};
use super::{MemoryStorage, rules};
use crate::error::{Error, Result};
use crate::model::{
    EventKind, NodeId, NodeStatus, Page, PageRequest, PipelineId, Place, Preview, Run, RunId,
    RunStatus, Scope,
};
use crate::storage::{
    Cancelled, ChainRun, CreateRuns, Created, FoundProfile, IdempotencyKey, NewRun, RequestCancel,
    RunDetail, RunFilter, Runs,
};

/// What the first act with an idempotency key made.
pub(super) struct KeyRow {
    body_hash: [u8; 32],
    pub(super) pipeline: PipelineId,
    pub(super) run_ids: Vec<RunId>,
}

impl State {
    pub(super) fn create_runs(&mut self, create: CreateRuns) -> Result<Created> {
        let Some(first) = create.runs.first() else {
            return Ok(Created::new(Vec::new(), false, self.events.newest()));
        };
        let pipeline = first.run.pipeline_id.clone();
        self.check_parents(&create, &pipeline)?;
        if let Some(key) = &create.idempotency
            && let Some(created) = self.find_idempotent(key)?
        {
            return Ok(created);
        }
        let mut rows = self.prepare(&create, &pipeline)?;
        let run_ids: Vec<_> = rows.iter().map(|row| row.run.id).collect();
        if let Some(given) = create.idempotency {
            let key = (given.operation, given.key);
            rows.iter_mut().for_each(|row| row.key = Some(key.clone()));
            let row = KeyRow {
                body_hash: given.body_hash,
                pipeline,
                run_ids: run_ids.clone(),
            };
            self.keys.insert(key, row);
        }
        rows.into_iter().for_each(|row| self.insert_run(row));
        Ok(Created::new(run_ids, false, self.events.newest()))
    }

    /// Refuses a creation whose pipeline or resumed run is not there.
    fn check_parents(&self, create: &CreateRuns, pipeline: &PipelineId) -> Result<()> {
        if self
            .pipelines
            .live(pipeline.as_str(), &create.scope)
            .is_none()
        {
            return Err(Error::pipeline_not_found(pipeline));
        }
        for NewRun { run, .. } in &create.runs {
            if let Some(old) = run.resumed_from
                && self
                    .run(old, &create.scope)
                    .is_none_or(|row| row.run.pipeline_id != *pipeline)
            {
                return Err(Error::run_not_found(old));
            }
        }
        Ok(())
    }

    /// The rows of a creation that nothing refuses; nothing is written yet.
    fn prepare(&self, create: &CreateRuns, pipeline: &PipelineId) -> Result<Vec<RunRow>> {
        let mut ids = BTreeSet::new();
        let mut ticks = BTreeSet::new();
        let mut rows = Vec::with_capacity(create.runs.len());
        for new in &create.runs {
            let id = new.run.id;
            if new.run.pipeline_id != *pipeline || self.runs.contains_key(&id) || !ids.insert(id) {
                return Err(Error::internal(format!("run {id} cannot be made here")));
            }
            if let Some(at) = new.fire_at
                && (self.ticks.contains_key(&(pipeline.clone(), at)) || !ticks.insert(at))
            {
                return Err(rules::tick_taken(pipeline, at));
            }
            rows.push(self.prepare_run(new)?);
        }
        let count = rows.len() as u64;
        for (queue, max) in [
            (Some(pipeline), create.queued_pipeline_max),
            (None, create.queued_max),
        ] {
            if self
                .index
                .count(queue, RunStatus::Pending)
                .saturating_add(count)
                > max
            {
                return Err(rules::queue_full(max));
            }
        }
        Ok(rows)
    }

    fn prepare_run(&self, new: &NewRun) -> Result<RunRow> {
        let resumed = new.run.resumed_from.and_then(|old| self.runs.get(&old));
        if let Some(old) = resumed {
            self.check_resumable(old)?;
        }
        let version = self.version_of(&new.run, resumed).ok_or_else(|| {
            let Run {
                pipeline_id,
                pipeline_version,
                ..
            } = &new.run;
            Error::internal(format!(
                "pipeline {pipeline_id} has no version {pipeline_version}"
            ))
        })?;
        let mut row = RunRow::new(new.run.clone(), version);
        let pipeline = self
            .pipelines
            .live(row.run.pipeline_id.as_str(), &Scope::All);
        row.run.tenant = pipeline.and_then(|stored| stored.tenant.clone());
        row.outputs = self.inherited_outputs(&row.run);
        row.fire_at = new.fire_at;
        Ok(row)
    }

    fn insert_run(&mut self, mut row: RunRow) {
        let id = row.run.id;
        let created = rules::run_event(&row.run, EventKind::RunCreated, row.run.created_at);
        row.seqs.push(self.events.push(created));
        if let Some(at) = row.fire_at {
            self.ticks.insert((row.run.pipeline_id.clone(), at), id);
        }
        self.index.insert(&row.run);
        self.newest_run = self.newest_run.max(Some(id));
        self.runs.insert(id, row);
    }

    fn find_idempotent(&self, key: &IdempotencyKey) -> Result<Option<Created>> {
        match self.keys.get(&(key.operation.clone(), key.key.clone())) {
            None => Ok(None),
            Some(row) if row.body_hash != key.body_hash => Err(rules::key_reused()),
            Some(row) => {
                let newest = self.events.newest();
                Ok(Some(Created::new(row.run_ids.clone(), true, newest)))
            }
        }
    }

    fn request_cancel(&mut self, request: &RequestCancel) -> Result<Cancelled> {
        let RequestCancel {
            run: id,
            scope,
            cancel,
            now,
        } = request;
        let row = self.run(*id, scope);
        let run = &row.ok_or_else(|| Error::run_not_found(id))?.run;
        let (status, before) = (run.status, run.cancel);
        match status {
            RunStatus::Pending => {
                self.run_mut(*id)?.run.cancel = Some(*cancel);
                self.end_run(*id, RunEnd::cancelled(*now))?;
                return Ok(Cancelled::new(RunStatus::Cancelled, self.events.newest()));
            }
            RunStatus::Running => match before {
                None => self.change_run(*id, EventKind::RunCancelling, *now, |run| {
                    run.cancel = Some(*cancel);
                })?,
                Some(before) => self.run_mut(*id)?.run.cancel = Some(before.max(*cancel)),
            },
            RunStatus::Cancelled => {}
            RunStatus::Success | RunStatus::Failed => return Err(rules::run_finished(*id)),
        }
        Ok(Cancelled::new(status, self.events.newest()))
    }

    /// A part of a node's row, of the run that executed it where this one reuses it.
    fn node_part<T: Clone>(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
        part: impl Fn(&super::state::NodeRow) -> Option<&T>,
    ) -> Option<T> {
        let (row, place) = self.executed(run, node, scope)?;
        part(row.nodes.get(&place)?).cloned()
    }

    /// The run that executed a node for a run, and the node's place there.
    fn executed(&self, run: RunId, node: &NodeId, scope: &Scope) -> Option<(&RunRow, Place)> {
        let row = self.run(run, scope)?;
        let place = row.version.graph.place(node.as_str())?;
        let Some(from) = row.nodes.get(&place)?.node.reused_from else {
            return Some((row, place));
        };
        let executed = self.run(from, scope)?;
        let inherited = row.run.inherited.iter();
        let place = inherited
            .filter(|inherited| inherited.from_run == from)
            .find(|inherited| inherited.place == place)
            .map(|inherited| inherited.from_place)
            .or_else(|| executed.version.graph.place(node.as_str()))?;
        Some((executed, place))
    }

    fn find_profile(&self, run: RunId, node: &NodeId, scope: &Scope) -> Option<FoundProfile> {
        let (row, place) = self.executed(run, node, scope)?;
        let profile = row.nodes.get(&place)?.profile.clone()?;
        let earlier = self.runs.range(..row.run.id).rev();
        let previous = earlier
            .map(|(_, earlier)| earlier)
            .filter(|earlier| earlier.run.pipeline_id == row.run.pipeline_id)
            .take(rules::PROFILES_BACK_MAX as usize)
            .filter(|earlier| scope.admits(earlier.run.tenant.as_ref()))
            .find_map(|earlier| {
                let place = earlier.version.graph.place(node.as_str())?;
                let own = earlier.nodes.get(&place)?;
                let has_succeeded = own.node.status == NodeStatus::Success;
                own.profile.clone().filter(|_| has_succeeded)
            });
        Some(FoundProfile::new(profile, previous))
    }
}

#[async_trait]
impl Runs for MemoryStorage {
    async fn create_runs(&self, create: CreateRuns) -> Result<Created> {
        self.write()?.create_runs(create)
    }

    async fn find_idempotent(&self, key: &IdempotencyKey) -> Result<Option<Created>> {
        self.read().find_idempotent(key)
    }

    async fn find_run(&self, run: RunId, scope: &Scope) -> Result<Option<RunDetail>> {
        Ok(self.read().run(run, scope).map(RunRow::detail))
    }

    async fn find_chain(&self, first_run: RunId, scope: &Scope) -> Result<Vec<ChainRun>> {
        let state = self.read();
        let chain = state.index.chain(first_run);
        Ok(chain
            .filter_map(|id| state.run(id, scope))
            .map(RunRow::detail)
            .collect())
    }

    async fn list_runs(&self, filter: RunFilter, page: PageRequest) -> Result<Page<Run>> {
        self.read().list_runs(&filter, &page)
    }

    async fn request_cancel(&self, request: RequestCancel) -> Result<Cancelled> {
        self.write()?.request_cancel(&request)
    }

    async fn find_preview(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Preview>> {
        let state = self.read();
        Ok(state.node_part(run, node, scope, |row| row.preview.as_ref()))
    }

    async fn find_profile(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<FoundProfile>> {
        Ok(self.read().find_profile(run, node, scope))
    }

    async fn newest_run(&self) -> Result<Option<RunId>> {
        Ok(self.read().newest_run)
    }
}
