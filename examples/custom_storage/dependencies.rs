//! Dependencies: the ends of upstream runs that wait, and their answers.
//!
//! `DependencyTable` decides which gates are closed and which ends wait.

use async_trait::async_trait;
use floret::storage::{
    AnswerEnds, AnswerOutcome, Dependencies, DependencyTable, EndAnswer, LatestEnd, Qualified,
    ReplacedRun, StoredPipeline, UpstreamEnd, WaitingEnds,
};
use floret::{DependencyMode, Error, PipelineId, Problem, Result, Run, RunId};

use crate::audited::AuditedStorage;
use crate::creation::{has_queue_room, insert};
use crate::keys::{check_key, replace_runs};
use crate::rows::Rows;

#[async_trait]
impl Dependencies for AuditedStorage {
    async fn waiting_ends(&self) -> Result<Vec<WaitingEnds>> {
        self.read(|rows| {
            let waiting = rows.waiting_ends.iter().filter_map(|(own, ends)| {
                let pipeline = rows.pipelines.get(own)?.clone();
                let oldest: Vec<_> = ends.values().take(WaitingEnds::MAX).cloned().collect();
                let upstreams = oldest.iter().map(|end| &end.upstream);
                let is_answerable = rows.dependencies.is_answerable(own, upstreams);
                is_answerable.then(|| WaitingEnds::new(pipeline, oldest))
            });
            waiting.collect()
        })
    }

    async fn answer_ends(&self, answer: AnswerEnds) -> Result<AnswerOutcome> {
        self.write("answer_ends", |rows| {
            let (answer, replaced) = answer_ends(rows, answer)?;
            let mut outcome = AnswerOutcome::new(answer, rows.seq);
            outcome.replaced = replaced;
            Ok(outcome)
        })
    }
}

/// Makes the dependencies of a pipeline those of its saved definition.
pub(crate) fn save_dependencies(rows: &mut Rows, saved: &StoredPipeline) {
    let (own, definition) = (saved.qualified_id(), &saved.definition);
    let rules = definition.dependencies();
    let changed = rows.dependencies.set_rules(&own, rules, definition.enabled);
    for upstream in changed.added {
        let end = latest_end(rows, &upstream);
        rows.dependencies.set_latest_end(&upstream, end);
    }
    if let Some(ends) = rows.waiting_ends.get_mut(&own) {
        ends.retain(|_, end| !changed.ended.contains(&end.upstream));
    }
}

/// Removes everything that a deleted pipeline has of dependencies.
pub(crate) fn remove_dependencies(rows: &mut Rows, own: &Qualified<PipelineId>) {
    rows.dependencies.set_rules(own, Vec::new(), false);
    rows.dependencies.set_latest_end(own, None);
    rows.waiting_ends.remove(own);
}

/// Returns how the run of a pipeline that ended last has ended, among its newest runs.
fn latest_end(rows: &Rows, pipeline: &Qualified<PipelineId>) -> Option<LatestEnd> {
    let created_at = rows.pipelines.get(pipeline)?.created_at;
    let mut runs: Vec<_> = rows.runs_of(pipeline).map(|row| &row.run).collect();
    runs.sort_unstable_by_key(|run| std::cmp::Reverse(run.id));
    let newest = runs
        .into_iter()
        .take(DependencyTable::ENDS_BACK_MAX as usize);
    let newest = newest.filter(|run| run.created_at >= created_at);
    let ends = newest.filter_map(|run| Some((LatestEnd::of(run)?, run.id)));
    ends.max_by_key(|(end, id)| (end.at, *id))
        .map(|(end, _)| end)
}

/// Notes the end of a run for the pipelines that depend on its pipeline.
pub(crate) fn note_end(rows: &mut Rows, run: &Run) {
    let upstream = run.qualified_pipeline();
    let end = LatestEnd::of(run).filter(|_| rows.dependencies.is_upstream(&upstream));
    let Some(end) = end else {
        return;
    };
    rows.dependencies.set_latest_end(&upstream, Some(end));
    for (dependent, mode) in rows.dependencies.waiting_for(&upstream, end.status) {
        let ends = rows.waiting_ends.entry(dependent).or_default();
        if mode == DependencyMode::All {
            ends.retain(|_, earlier| earlier.upstream != upstream.id);
        }
        let mut end = UpstreamEnd::new(upstream.id.clone(), run.id, run.date, end.at);
        end.scheduled_at = Some(run.instant());
        ends.insert(run.id, end);
    }
}

/// Returns whether the end of a run may start others.
pub(crate) fn may_start_others(rows: &Rows, id: RunId) -> bool {
    rows.runs.get(&id).is_some_and(|row| {
        row.run.status.is_terminal() && rows.dependencies.is_upstream(&row.run.qualified_pipeline())
    })
}

fn answer_ends(rows: &mut Rows, answer: AnswerEnds) -> Result<(EndAnswer, Vec<ReplacedRun>)> {
    let mut replaced = Vec::new();
    let own = &answer.pipeline;
    let pipeline = rows.pipelines.get(own);
    let is_same_version = pipeline.is_some_and(|found| found.version == answer.version);
    let waiting = rows.waiting_ends.get(own);
    let all_wait = waiting.is_some_and(|ends| answer.ends.iter().all(|run| ends.contains_key(run)));
    if !is_same_version || !all_wait || answer.ends.is_empty() {
        return Ok((EndAnswer::Stale, replaced));
    }
    let upstream = answer.run.as_ref().and_then(|new| new.run.upstream_run_id);
    let has_run = upstream.is_some()
        && rows
            .runs_of(own)
            .any(|row| row.run.upstream_run_id == upstream);
    let outcome = match answer.run.filter(|_| !has_run) {
        None => EndAnswer::Dropped,
        Some(new) if check_key(rows, &new, own).is_err() => EndAnswer::Dropped,
        Some(new) => {
            let bounds = (answer.queued_pipeline_max, answer.queued_max);
            if !has_queue_room(rows, own, 1, bounds) {
                let message = format!("the queue has no room for a run of {own}");
                return Err(Error::new(Problem::QueueFull, message));
            }
            insert(rows, new.clone(), own)?;
            replaced = replace_runs(rows, &[new], own)?;
            EndAnswer::Created
        }
    };
    if let Some(ends) = rows.waiting_ends.get_mut(own) {
        ends.retain(|run, _| !answer.ends.contains(run));
    }
    Ok((outcome, replaced))
}
