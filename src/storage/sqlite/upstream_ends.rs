//! The ends of upstream runs that wait for dependent pipelines, and their answers.
//!
//! `DependencyTable` decides which ends wait, and `dependencies` has its rows.

use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStorage;
use super::cached_pipelines::CachedPipeline;
use super::finish::RunCompletion;
use super::reader::Reader;
use super::rows::{PIPELINE, PIPELINE_FROM};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{date, id, millis, optional_time, pipeline_id, run_id, time};
use crate::error::{Problem, Result};
use crate::model::{DependencyMode, PipelineId, Qualified, RunId, RunStatus};
use crate::storage::{
    AnswerEnds, AnswerOutcome, CreateRuns, Dependencies, EndAnswer, LatestEnd, ReplacedRun,
    UpstreamEnd, WaitingEnds,
};

#[async_trait]
impl Dependencies for SqliteStorage {
    async fn waiting_ends(&self) -> Result<Vec<WaitingEnds>> {
        self.read(|reader| reader.snapshot(Reader::waiting_ends))
            .await
    }

    async fn answer_ends(&self, answer: AnswerEnds) -> Result<AnswerOutcome> {
        self.step(move |tx| tx.answer_ends(&answer)).await
    }
}

impl Tx {
    /// Notes the end of a run for the pipelines that depend on its pipeline.
    pub(super) fn note_end(&mut self, finished: &RunCompletion<'_>) -> Result<(), StoreError> {
        let counts = finished.before == RunStatus::Running && finished.backfill.is_none();
        let Some(upstream) = self.upstream(finished.pipeline)?.filter(|_| counts) else {
            return Ok(());
        };
        let end = LatestEnd::new(finished.status, finished.at);
        self.set_latest_end(finished.pipeline, &upstream, Some(end))?;
        let waiting = self.state.dependencies.waiting_for(&upstream, end.status);
        for (own, mode) in waiting {
            let Some(dependent) = self.live_pipeline(&own)? else {
                continue;
            };
            if mode == DependencyMode::All {
                self.forget_ends(dependent.key, upstream.id.as_str())?;
            }
            self.write(
                "INSERT INTO waiting_ends (pipeline, run, upstream, date, ended_at, scheduled_at) \
                 SELECT ?, id, ?, date, ?, coalesce(fire_at, scheduled_at, created_at) FROM runs WHERE key = ? ON CONFLICT DO NOTHING",
                params![
                    dependent.key,
                    upstream.id.as_str(),
                    millis(end.at),
                    finished.key
                ],
            )?;
            match mode {
                DependencyMode::Any => self.add_answerable(dependent.key)?,
                DependencyMode::All | DependencyMode::Gate => {
                    self.note_answerable(dependent.key, &own)?;
                }
            }
        }
        Ok(())
    }

    /// Removes the ends of an upstream that wait for a pipeline.
    pub(super) fn forget_ends(&mut self, pipeline: i64, upstream: &str) -> Result<(), StoreError> {
        self.write(
            "DELETE FROM waiting_ends WHERE pipeline = ? AND upstream = ?",
            params![pipeline, upstream],
        )
        .map(drop)
    }

    /// Removes the end of a purged run.
    pub(super) fn forget_end(&mut self, run: &RunId) -> Result<(), StoreError> {
        let sql = "SELECT pipeline FROM waiting_ends WHERE run = ?";
        let pipelines = self.rows(sql, [id(run)], |row| Ok(row.get::<_, i64>(0)?))?;
        if pipelines.is_empty() {
            return Ok(());
        }
        self.write("DELETE FROM waiting_ends WHERE run = ?", [id(run)])?;
        for pipeline in pipelines {
            if let Some(own) = self.readable_pipeline(pipeline)? {
                self.note_answerable(pipeline, &own)?;
            }
        }
        Ok(())
    }

    /// Notes whether the ends that wait for a pipeline can be answered.
    pub(super) fn note_answerable(
        &mut self,
        pipeline: i64,
        own: &Qualified<PipelineId>,
    ) -> Result<(), StoreError> {
        let upstreams = self.rows(
            "SELECT upstream FROM waiting_ends WHERE pipeline = ? ORDER BY run LIMIT ?",
            [pipeline, ends_max()],
            |row| Ok(pipeline_id(&row.get::<_, String>(0)?)),
        )?;
        // One that cannot be read is never answered.
        let upstreams: Vec<_> = upstreams.into_iter().flatten().collect();
        if self.state.dependencies.is_answerable(own, &upstreams) {
            return self.add_answerable(pipeline);
        }
        self.write("DELETE FROM answerable WHERE pipeline = ?", [pipeline])
            .map(drop)
    }

    fn add_answerable(&mut self, pipeline: i64) -> Result<(), StoreError> {
        self.write(
            "INSERT OR IGNORE INTO answerable (pipeline) VALUES (?)",
            [pipeline],
        )
        .map(drop)
    }

    fn answer_ends(&mut self, answer: &AnswerEnds) -> Result<AnswerOutcome, StoreError> {
        let pipeline = self.live_pipeline(&answer.pipeline)?;
        let pipeline = pipeline.filter(|pipeline| pipeline.version == answer.version);
        let Some(pipeline) = pipeline.filter(|_| !answer.ends.is_empty()) else {
            return Ok(AnswerOutcome::new(EndAnswer::Stale, self.newest_seq()));
        };
        for run in &answer.ends {
            if !self.is_waiting(pipeline.key, run)? {
                return Ok(AnswerOutcome::new(EndAnswer::Stale, self.newest_seq()));
            }
        }
        let (outcome, replaced) = self.start_dependent(&pipeline, answer)?;
        for run in &answer.ends {
            self.write(
                "DELETE FROM waiting_ends WHERE pipeline = ? AND run = ?",
                params![pipeline.key, id(run)],
            )?;
        }
        self.note_answerable(pipeline.key, &answer.pipeline)?;
        Ok(AnswerOutcome {
            replaced,
            ..AnswerOutcome::new(outcome, self.newest_seq())
        })
    }

    /// Creates the run that ends start, unless the pipeline has it already. Returns the runs that
    /// it replaces.
    fn start_dependent(
        &mut self,
        pipeline: &CachedPipeline,
        answer: &AnswerEnds,
    ) -> Result<(EndAnswer, Vec<ReplacedRun>), StoreError> {
        let dropped = Ok((EndAnswer::Dropped, Vec::new()));
        let Some(new) = &answer.run else {
            return dropped;
        };
        if let Some(upstream) = &new.run.upstream_run_id
            && self.has_run_of_upstream(pipeline.key, upstream)?
        {
            return dropped;
        }
        let limits = (answer.queued_pipeline_max, answer.queued_max);
        let create = CreateRuns::one(new.clone(), &answer.pipeline, limits);
        match self.create_runs(&create) {
            Ok(created) => Ok((EndAnswer::Created, created.replaced)),
            Err(StoreError::Refused(error)) if error.problem() == Problem::ConcurrencyKeyTaken => {
                dropped
            }
            Err(error) => Err(error),
        }
    }

    fn is_waiting(&self, pipeline: i64, run: &RunId) -> Result<bool, StoreError> {
        let found = self.row(
            "SELECT 1 FROM waiting_ends WHERE pipeline = ? AND run = ?",
            params![pipeline, id(run)],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// Returns whether a pipeline has a run that this run has started.
    pub(super) fn has_run_of_upstream(
        &self,
        pipeline: i64,
        upstream: &RunId,
    ) -> Result<bool, StoreError> {
        let found = self.row(
            "SELECT 1 FROM runs WHERE pipeline = ? AND upstream_run = ?",
            params![pipeline, id(upstream)],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }
}

impl Reader {
    fn waiting_ends(&self) -> Result<Vec<WaitingEnds>, StoreError> {
        let answerable = self.rows("SELECT pipeline FROM answerable", [], |row| {
            Ok(row.get::<_, i64>(0)?)
        })?;
        let mut waiting = Vec::new();
        for pipeline in answerable {
            let sql = format!("SELECT {PIPELINE} FROM {PIPELINE_FROM} WHERE p.key = ?");
            let found = self.readable_rows("a pipeline", &sql, [pipeline], |row| {
                self.listed_pipeline(row)
            })?;
            let ends = self.ends_of(pipeline)?;
            if let Some(stored) = found.into_iter().next().filter(|_| !ends.is_empty()) {
                waiting.push(WaitingEnds::new(stored, ends));
            }
        }
        Ok(waiting)
    }

    fn ends_of(&self, pipeline: i64) -> Result<Vec<UpstreamEnd>, StoreError> {
        let sql = "SELECT run, upstream, date, ended_at, scheduled_at FROM waiting_ends WHERE pipeline = ? ORDER BY run LIMIT ?";
        self.readable_rows("the end of a run", sql, [pipeline, ends_max()], |row| {
            let end = UpstreamEnd::new(
                pipeline_id(&row.get::<_, String>(1)?)?,
                run_id(&row.get::<_, Vec<u8>>(0)?)?,
                date(row.get(2)?)?,
                time(row.get(3)?)?,
            );
            Ok(UpstreamEnd {
                scheduled_at: optional_time(row.get(4)?)?,
                ..end
            })
        })
    }
}

fn ends_max() -> i64 {
    i64::try_from(WaitingEnds::MAX).unwrap_or(i64::MAX)
}
