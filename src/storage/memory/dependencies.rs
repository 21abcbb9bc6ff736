//! Dependencies: the ends of upstream runs that wait, and their answers.
//!
//! `DependencyTable` decides which gates are closed and which ends wait.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStorage;
use super::run_list::newest_first;
use super::state::State;
use crate::error::{Problem, Result};
use crate::model::{DependencyMode, PipelineId, Qualified, Run, RunId, RunStatus, StoredPipeline};
use crate::storage::{
    AnswerEnds, AnswerOutcome, CreateRuns, Dependencies, DependencyTable, EndAnswer, LatestEnd,
    UpstreamEnd, WaitingEnds,
};

impl State {
    /// Makes the dependencies of a pipeline those of its saved definition.
    pub(super) fn save_dependencies(&mut self, stored: &StoredPipeline) {
        let own = stored.qualified_id();
        let (rules, is_enabled) = (stored.definition.dependencies(), stored.definition.enabled);
        let dependencies = &mut self.pipelines.dependencies;
        let changed = dependencies.set_rules(&own, rules, is_enabled);
        for upstream in changed.added {
            let end = self.latest_end(&upstream);
            self.pipelines.dependencies.set_latest_end(&upstream, end);
        }
        if let Some(ends) = self.waiting_ends.get_mut(&own) {
            ends.retain(|_, end| !changed.ended.contains(&end.upstream));
        }
    }

    /// Removes what depends on a deleted pipeline's rows: its rules, its latest end and the ends
    /// that wait for it.
    pub(super) fn remove_dependencies(&mut self, own: &Qualified<PipelineId>) {
        self.pipelines
            .dependencies
            .set_rules(own, Vec::new(), false);
        self.pipelines.dependencies.set_latest_end(own, None);
        self.waiting_ends.remove(own);
    }

    /// Removes the end of a purged run.
    pub(super) fn forget_end(&mut self, run: &Run) {
        let upstream = run.qualified_pipeline();
        for dependent in self.pipelines.dependencies.dependents_of(&upstream) {
            if let Some(ends) = self.waiting_ends.get_mut(dependent) {
                ends.remove(&run.id);
                if ends.is_empty() {
                    self.waiting_ends.remove(dependent);
                }
            }
        }
    }

    /// Returns how the run of a pipeline that ended last has ended, among its newest runs.
    fn latest_end(&self, pipeline: &Qualified<PipelineId>) -> Option<LatestEnd> {
        let created_at = self.pipelines.live(pipeline)?.created_at;
        let sets = RunStatus::ALL
            .into_iter()
            .filter_map(|status| self.index.with_status(Some(pipeline), status));
        newest_first(sets, None)
            .take(DependencyTable::ENDS_BACK_MAX as usize)
            .filter_map(|id| self.runs.get(&id))
            .filter(|row| row.run.created_at >= created_at)
            .filter_map(|row| Some((LatestEnd::of(&row.run)?, row.run.id)))
            .max_by_key(|(end, id)| (end.at, *id))
            .map(|(end, _)| end)
    }

    /// Notes the end of a run for the pipelines that depend on its pipeline.
    pub(super) fn note_end(&mut self, id: RunId) -> Result<()> {
        let run = &self.run_mut(id)?.run;
        let upstream = run.qualified_pipeline();
        let (date, run_id, end) = (run.date, run.id, LatestEnd::of(run));
        let scheduled_at = Some(run.instant());
        let dependencies = &mut self.pipelines.dependencies;
        let Some(end) = end.filter(|_| dependencies.is_upstream(&upstream)) else {
            return Ok(());
        };
        dependencies.set_latest_end(&upstream, Some(end));
        for (dependent, mode) in dependencies.waiting_for(&upstream, end.status) {
            let ends = self.waiting_ends.entry(dependent).or_default();
            if mode == DependencyMode::All {
                ends.retain(|_, earlier| earlier.upstream != upstream.id);
            }
            let end = UpstreamEnd {
                scheduled_at,
                ..UpstreamEnd::new(upstream.id.clone(), run_id, date, end.at)
            };
            ends.insert(run_id, end);
        }
        Ok(())
    }

    /// Returns whether the end of this run may make others start.
    pub(super) fn is_upstream(&self, run: &Run) -> bool {
        let dependencies = &self.pipelines.dependencies;
        dependencies.is_upstream(&run.qualified_pipeline())
    }

    /// Returns whether a gate of the pipeline is closed.
    pub(super) fn is_blocked(&self, pipeline: &Qualified<PipelineId>, now: DateTime<Utc>) -> bool {
        self.pipelines.dependencies.is_blocked(pipeline, now)
    }

    fn waiting_ends(&self) -> Vec<WaitingEnds> {
        let dependencies = &self.pipelines.dependencies;
        let waiting = self.waiting_ends.iter().filter_map(|(pipeline, ends)| {
            let stored = self.pipelines.live(pipeline)?.clone();
            let upstreams = ends.values().take(WaitingEnds::MAX);
            let upstreams = upstreams.map(|end| &end.upstream);
            dependencies
                .is_answerable(pipeline, upstreams)
                .then_some(())?;
            let ends = ends.values().take(WaitingEnds::MAX).cloned().collect();
            Some(WaitingEnds::new(stored, ends))
        });
        waiting.collect()
    }

    fn answer_ends(&mut self, answer: AnswerEnds) -> Result<AnswerOutcome> {
        let stored = self.pipelines.live(&answer.pipeline);
        let is_current = stored.is_some_and(|stored| stored.version == answer.version);
        let waiting = self.waiting_ends.get(&answer.pipeline);
        let all_wait =
            waiting.is_some_and(|ends| answer.ends.iter().all(|run| ends.contains_key(run)));
        if !is_current || !all_wait || answer.ends.is_empty() {
            return Ok(AnswerOutcome::new(EndAnswer::Stale, self.events.newest()));
        }
        let pipeline = answer.pipeline;
        let upstream_run = answer.run.as_ref().and_then(|new| new.run.upstream_run_id);
        let is_repeated =
            upstream_run.is_some_and(|run| self.upstream_runs.contains(&(pipeline.clone(), run)));
        let new = answer.run.filter(|_| !is_repeated);
        let mut replaced = Vec::new();
        let outcome = match new {
            Some(new) => {
                let limits = (answer.queued_pipeline_max, answer.queued_max);
                match self.create_runs(CreateRuns::one(new, &pipeline, limits)) {
                    Ok(created) => {
                        replaced = created.replaced;
                        EndAnswer::Created
                    }
                    Err(error) if error.problem() == Problem::ConcurrencyKeyTaken => {
                        EndAnswer::Dropped
                    }
                    Err(error) => return Err(error),
                }
            }
            None => EndAnswer::Dropped,
        };
        if let Some(ends) = self.waiting_ends.get_mut(&pipeline) {
            ends.retain(|run, _| !answer.ends.contains(run));
            if ends.is_empty() {
                self.waiting_ends.remove(&pipeline);
            }
        }
        Ok(AnswerOutcome {
            replaced,
            ..AnswerOutcome::new(outcome, self.events.newest())
        })
    }
}

#[async_trait]
impl Dependencies for MemoryStorage {
    async fn waiting_ends(&self) -> Result<Vec<WaitingEnds>> {
        Ok(self.state()?.waiting_ends())
    }

    async fn answer_ends(&self, answer: AnswerEnds) -> Result<AnswerOutcome> {
        self.state()?.answer_ends(answer)
    }
}
