//! Runs: create and find.
//!
//! `resume` decides what a resume may do and inherits, `cancel` handles cancel requests, `labels`
//! edits runs, and `run_list` lists them.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::key_table::key_of;
use super::rows::{KeyRow, NodeRow, RunRow};
use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::{Error, Result};
use crate::model::{
    BackfillId, EventKind, NodeId, NodeIndex, NodeStatus, Page, PageRequest, PipelineId, Preview,
    Qualified, Run, RunId, RunStatus, Scope,
};
use crate::storage::{
    CancelOutcome, CancelRequest, CreateRuns, CreatedRuns, EditRun, FirstCreation, FoundProfile,
    IdempotentOperation, NewRun, RunDetail, RunFilter, Runs,
};

impl State {
    pub(super) fn create_runs(&mut self, mut create: CreateRuns) -> Result<CreatedRuns> {
        let Some(first) = create.runs.first() else {
            return Ok(CreatedRuns::new(Vec::new(), self.events.newest()));
        };
        let pipeline = self
            .pipelines
            .named(&first.run.pipeline_id, &create.scope)?
            .ok_or_else(|| Error::pipeline_not_found(&first.run.pipeline_id))?
            .qualified_id();
        self.check_resumed(&create, &pipeline)?;
        if let Some(repeated) = self.repeated_creation(&create, &pipeline)? {
            return Ok(repeated);
        }
        if let Some(key) = create.idempotency.as_ref().filter(|_| !create.is_preview)
            && let Some(first) = self.find_idempotent(&key.operation, &key.key)
        {
            return first.for_repeat(&key.body_hash);
        }
        let mut skipped = self.skip_existing(&mut create, &pipeline);
        skipped.extend(self.skip_taken(&mut create, &pipeline));
        skipped.sort_unstable();
        let run_ids: Vec<_> = create.runs.iter().map(|new| new.run.id).collect();
        if create.is_preview || create.runs.is_empty() {
            let created = CreatedRuns::new(run_ids, self.events.newest());
            return Ok(CreatedRuns { skipped, ..created });
        }
        let mut rows = self.build_rows(&create, &pipeline)?;
        let backfill = create.backfill.as_ref().map(|new| new.backfill.id);
        if let Some(given) = create.idempotency {
            let key = (given.operation, given.key);
            rows.iter_mut().for_each(|row| row.key = Some(key.clone()));
            let row = KeyRow {
                body_hash: given.body_hash,
                pipeline: pipeline.clone(),
                run_ids: run_ids.clone(),
                backfill,
            };
            self.keys.insert(key, row);
        }
        if let Some(new) = create.backfill {
            let tenant = rows.first().and_then(|row| row.run.tenant.clone());
            self.insert_backfill(new.backfill, tenant);
        }
        self.audit(create.audit.take(), pipeline.tenant.as_ref());
        let keys: BTreeSet<_> = rows.iter().filter_map(|row| key_of(&row.run)).collect();
        rows.into_iter().for_each(|row| self.insert_run(row));
        let replaced = self.replace_runs_of_keys(&create.runs, &pipeline)?;
        keys.iter().for_each(|key| self.settle_key(key));
        let created = CreatedRuns::new(run_ids, self.events.newest());
        Ok(CreatedRuns {
            backfill,
            skipped,
            replaced,
            ..created
        })
    }

    /// Refuses a creation whose resumed run is not found.
    fn check_resumed(&self, create: &CreateRuns, pipeline: &Qualified<PipelineId>) -> Result<()> {
        for NewRun { run, .. } in &create.runs {
            if let Some(old) = run.resumed_from
                && self
                    .run(old, &create.scope)
                    .is_none_or(|row| !row.run.is_of(pipeline))
            {
                return Err(Error::run_not_found(old));
            }
        }
        Ok(())
    }

    /// Builds the rows of a creation, or refuses it. Writes nothing.
    fn build_rows(
        &self,
        create: &CreateRuns,
        pipeline: &Qualified<PipelineId>,
    ) -> Result<Vec<RunRow>> {
        let backfill = create.backfill.as_ref().map(|new| new.backfill.id);
        if let Some(id) = backfill.filter(|id| self.backfills.contains_key(id)) {
            return Err(Error::internal(format!("backfill {id} already exists")));
        }
        let mut ids = BTreeSet::new();
        let mut ticks = BTreeSet::new();
        let mut rows = Vec::with_capacity(create.runs.len());
        for new in &create.runs {
            let id = new.run.id;
            if new.run.pipeline_id != pipeline.id || self.runs.contains_key(&id) || !ids.insert(id)
            {
                return Err(Error::internal(format!(
                    "run {id} already exists or is of another pipeline"
                )));
            }
            if let Some(at) = new.fire_at
                && (self.ticks.contains_key(&(pipeline.clone(), at)) || !ticks.insert(at))
            {
                return Err(rules::tick_taken(&pipeline.id, at));
            }
            if let Some(upstream) = new.run.upstream_run_id
                && self.upstream_runs.contains(&(pipeline.clone(), upstream))
            {
                return Err(rules::upstream_run_taken(&pipeline.id, upstream));
            }
            rows.push(self.build_row(new, pipeline, backfill)?);
        }
        for new in create.runs.iter().filter(|_| backfill.is_none()) {
            self.check_key(new, pipeline)?;
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

    fn build_row(
        &self,
        new: &NewRun,
        pipeline: &Qualified<PipelineId>,
        backfill: Option<BackfillId>,
    ) -> Result<RunRow> {
        let resumed = new.run.resumed_from.and_then(|old| self.runs.get(&old));
        if let Some(old) = resumed {
            self.check_resumable(old)?;
        }
        let mut run = new.run.clone();
        run.tenant.clone_from(&pipeline.tenant);
        let version = self.version_of(&run, resumed).ok_or_else(|| {
            let number = run.pipeline_version;
            Error::internal(format!("pipeline {pipeline} has no version {number}"))
        })?;
        let mut row = RunRow::new(run, version);
        row.outputs = self.inherited_outputs(&row.run);
        row.run.backfill_id = backfill;
        row.run.scheduled_at = new.fire_at.or(row.run.scheduled_at);
        row.fire_at = new.fire_at;
        Ok(row)
    }

    fn insert_run(&mut self, mut row: RunRow) {
        let id = row.run.id;
        let created = rules::run_event(&row.run, EventKind::RunCreated, row.run.created_at);
        row.seqs.push(self.events.push(created));
        if let Some(at) = row.fire_at {
            self.ticks.insert((row.run.qualified_pipeline(), at), id);
        }
        if let Some(upstream) = row.run.upstream_run_id {
            let key = (row.run.qualified_pipeline(), upstream);
            self.upstream_runs.insert(key);
        }
        self.index.insert(&row.run);
        self.newest_run = self.newest_run.max(Some(id));
        self.runs.insert(id, row);
    }

    /// Returns a part of a node's row, from the run that executed the node.
    fn node_part<T: Clone>(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
        part: impl Fn(&NodeRow) -> Option<&T>,
    ) -> Option<T> {
        let (row, node_index) = self.find_executed(run, node, scope)?;
        part(row.nodes.get(&node_index)?).cloned()
    }

    /// Returns the run that executed a node for this run, and the index of the node there.
    fn find_executed(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Option<(&RunRow, NodeIndex)> {
        let row = self.run(run, scope)?;
        let node_index = row.version.graph.node_index(node.as_str())?;
        let Some(from) = row.nodes.get(&node_index)?.node.reused_from else {
            return Some((row, node_index));
        };
        let executed = self.run(from, scope)?;
        let inherited = row.run.inherited.iter();
        let node_index = inherited
            .filter(|inherited| inherited.from_run == from)
            .find(|inherited| inherited.node_index == node_index)
            .map(|inherited| inherited.from_node_index)
            .or_else(|| executed.version.graph.node_index(node.as_str()))?;
        Some((executed, node_index))
    }

    fn find_profile(&self, run: RunId, node: &NodeId, scope: &Scope) -> Option<FoundProfile> {
        let (row, node_index) = self.find_executed(run, node, scope)?;
        let profile = row.nodes.get(&node_index)?.profile.clone()?;
        let pipeline = row.run.qualified_pipeline();
        let earlier = self.runs.range(..row.run.id).rev();
        let previous = earlier
            .map(|(_, earlier)| earlier)
            .filter(|earlier| earlier.run.is_of(&pipeline))
            .take(rules::PROFILES_BACK_MAX as usize)
            .find_map(|earlier| {
                let node_index = earlier.version.graph.node_index(node.as_str())?;
                let own = earlier.nodes.get(&node_index)?;
                let has_succeeded = own.node.status == NodeStatus::Success;
                own.profile.clone().filter(|_| has_succeeded)
            });
        Some(FoundProfile::new(profile, previous))
    }
}

#[async_trait]
impl Runs for MemoryStorage {
    async fn create_runs(&self, create: CreateRuns) -> Result<CreatedRuns> {
        self.state()?.create_runs(create)
    }

    async fn find_idempotent(
        &self,
        operation: &IdempotentOperation,
        key: &str,
    ) -> Result<Option<FirstCreation>> {
        Ok(self.state()?.find_idempotent(operation, key))
    }

    async fn find_run(&self, run: RunId, scope: &Scope) -> Result<Option<RunDetail>> {
        let state = self.state()?;
        let found = state.run(run, scope).map(RunRow::detail);
        Ok(found.map(|detail| detail.known_unchanged(state.finished_changes.unchanged())))
    }

    async fn find_chain(&self, first_run: RunId, scope: &Scope) -> Result<Vec<RunDetail>> {
        let state = self.state()?;
        let chain = state.index.chain(first_run);
        Ok(chain
            .filter_map(|id| state.run(id, scope))
            .map(RunRow::detail)
            .collect())
    }

    async fn list_runs(&self, filter: RunFilter, page: PageRequest) -> Result<Page<Run>> {
        self.state()?.list_runs(&filter, &page)
    }

    async fn request_cancel(&self, request: CancelRequest) -> Result<CancelOutcome> {
        self.state()?.request_cancel(&request)
    }

    async fn edit_run(&self, edit: EditRun) -> Result<()> {
        self.state()?.edit_run(edit)
    }

    async fn find_preview(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Preview>> {
        let state = self.state()?;
        Ok(state.node_part(run, node, scope, |row| row.preview.as_ref()))
    }

    async fn find_profile(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<FoundProfile>> {
        Ok(self.state()?.find_profile(run, node, scope))
    }

    async fn newest_run(&self) -> Result<Option<RunId>> {
        Ok(self.state()?.newest_run)
    }
}
