//! Dependencies: their rows, and the latest ends of upstreams.
//!
//! `dependency_rules` reads the rules into memory, `upstream_ends` handles the ends that wait.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::cached_pipelines::CachedPipeline;
use super::dependency_rules::{mode, read_end, state};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, millis};
use crate::model::{Pipeline, PipelineId, Qualified};
use crate::storage::{DependencyTable, LatestEnd, SavedBy};

impl Tx {
    /// Refuses dependencies that would close a circle.
    pub(super) fn check_dependencies(
        &self,
        saved_by: SavedBy,
        own: &Qualified<PipelineId>,
        definition: &Pipeline,
    ) -> Result<(), StoreError> {
        if saved_by == SavedBy::Removal {
            return Ok(());
        }
        let dependencies = &self.state.dependencies;
        Ok(dependencies.check_cycle(own, &definition.dependencies())?)
    }

    /// Makes the dependencies of a pipeline those of its saved definition.
    pub(super) fn save_dependencies(
        &mut self,
        pipeline: i64,
        own: &Qualified<PipelineId>,
        definition: &Pipeline,
    ) -> Result<(), StoreError> {
        let (rules, is_enabled) = (definition.dependencies(), definition.enabled);
        let dependencies = &self.state.dependencies;
        if dependencies.has_rules(own, &rules, is_enabled) {
            return Ok(());
        }
        self.delete_rules(pipeline)?;
        for rule in &rules {
            let within = rule.within.map(|within| within.as_millis());
            self.write(
                "INSERT OR REPLACE INTO dependencies (pipeline, upstream, mode, state, within_ms) VALUES (?, ?, ?, ?, ?)",
                params![
                    pipeline,
                    rule.pipeline_id,
                    mode(rule.mode),
                    state(rule.state),
                    within.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
                ],
            )?;
        }
        let changed = self.state.dependencies.set_rules(own, rules, is_enabled);
        for upstream in changed.ended {
            self.forget_ends(pipeline, upstream.as_str())?;
        }
        self.note_answerable(pipeline, own)?;
        for upstream in changed.added {
            let Some(found) = self.live_pipeline(&upstream)? else {
                continue;
            };
            let end = self.search_latest_end(found.key)?;
            self.set_latest_end(found.key, &upstream, end)?;
        }
        Ok(())
    }

    fn delete_rules(&mut self, pipeline: i64) -> Result<(), StoreError> {
        self.write("DELETE FROM dependencies WHERE pipeline = ?", [pipeline])
            .map(drop)
    }

    /// Removes what a deleted pipeline depends on, its latest end and the ends that wait for it.
    pub(super) fn remove_dependencies(
        &mut self,
        pipeline: i64,
        own: &Qualified<PipelineId>,
    ) -> Result<(), StoreError> {
        self.delete_rules(pipeline)?;
        self.write("DELETE FROM waiting_ends WHERE pipeline = ?", [pipeline])?;
        self.state.dependencies.set_rules(own, Vec::new(), false);
        self.note_answerable(pipeline, own)?;
        self.set_latest_end(pipeline, own, None)
    }

    /// Returns a pipeline that is not deleted.
    pub(super) fn live_pipeline(
        &mut self,
        own: &Qualified<PipelineId>,
    ) -> Result<Option<Arc<CachedPipeline>>, StoreError> {
        let found = self.state.pipelines.find(&self.conn, own)?;
        Ok(found.filter(|found| !found.is_deleted))
    }

    /// Returns how the run of a pipeline that ended last has ended, among its newest runs.
    fn search_latest_end(&self, pipeline: i64) -> Result<Option<LatestEnd>, StoreError> {
        let found = self.row(
            "SELECT status, finished_at FROM (SELECT id, status, created_at, started_at, finished_at, backfill FROM runs \
             WHERE pipeline = ?1 ORDER BY id DESC LIMIT ?2) WHERE finished_at IS NOT NULL AND started_at IS NOT NULL \
             AND backfill IS NULL AND created_at >= (SELECT created_at FROM pipelines WHERE key = ?1) \
             ORDER BY finished_at DESC, id DESC LIMIT 1",
            params![pipeline, DependencyTable::ENDS_BACK_MAX],
            |row| Ok(read_end(row, 0)),
        )?;
        match found {
            None => Ok(None),
            Some(end) => self.unreadable.skip("the end of a run", pipeline, end),
        }
    }

    /// Sets how the latest run of a pipeline has ended, in its row and in memory.
    pub(super) fn set_latest_end(
        &mut self,
        pipeline: i64,
        own: &Qualified<PipelineId>,
        end: Option<LatestEnd>,
    ) -> Result<(), StoreError> {
        match end {
            Some(end) => self.write(
                "INSERT OR REPLACE INTO latest_ends (pipeline, status, ended_at) VALUES (?, ?, ?)",
                params![pipeline, values::run_status(end.status), millis(end.at)],
            )?,
            None => self.write("DELETE FROM latest_ends WHERE pipeline = ?", [pipeline])?,
        };
        self.state.dependencies.set_latest_end(own, end);
        Ok(())
    }

    /// Returns the id of a pipeline if others depend on it.
    pub(super) fn upstream(
        &mut self,
        pipeline: i64,
    ) -> Result<Option<Qualified<PipelineId>>, StoreError> {
        if self.state.dependencies.is_empty() {
            return Ok(None);
        }
        let own = self.readable_pipeline(pipeline)?;
        Ok(own.filter(|own| self.state.dependencies.is_upstream(own)))
    }

    /// Returns the id of a pipeline, unless its row cannot be read.
    pub(super) fn readable_pipeline(
        &mut self,
        pipeline: i64,
    ) -> Result<Option<Qualified<PipelineId>>, StoreError> {
        let cached = self.state.pipelines.find_by_key(&self.conn, pipeline);
        let cached = self.unreadable.skip("a pipeline", pipeline, cached)?;
        Ok(cached.map(|cached| cached.qualified_id()))
    }

    /// Returns whether the end of a run of this pipeline may make others start.
    pub(super) fn is_upstream(&mut self, pipeline: i64) -> Result<bool, StoreError> {
        Ok(self.upstream(pipeline)?.is_some())
    }

    /// Returns whether a gate of the pipeline is closed.
    pub(super) fn is_blocked(&self, pipeline: &CachedPipeline, now: DateTime<Utc>) -> bool {
        let dependencies = &self.state.dependencies;
        !dependencies.is_empty() && dependencies.is_blocked(&pipeline.qualified_id(), now)
    }
}
