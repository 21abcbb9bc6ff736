//! Dependencies between pipelines: the ends of upstream runs, and the runs that they start.
//!
//! A save of a pipeline decides its dependencies, and a claim leaves the runs behind a closed gate.
//! The engine decides which ends start a run.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::{NewRun, ReplacedRun};
use crate::error::Result;
use crate::model::{PipelineId, Qualified, RunId, StoredPipeline};

/// The end of an upstream run that a dependent pipeline has not answered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamEnd {
    /// The upstream.
    pub upstream: PipelineId,
    /// Its run.
    pub run: RunId,
    /// The date of that run.
    pub date: NaiveDate,
    /// The instant of that run ([`Run::instant`](crate::Run::instant)). `None` only for an end that
    /// an older version has noted.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

impl UpstreamEnd {
    /// Creates the end of a run, without an instant.
    #[must_use]
    pub const fn new(
        upstream: PipelineId,
        run: RunId,
        date: NaiveDate,
        ended_at: DateTime<Utc>,
    ) -> Self {
        Self {
            upstream,
            run,
            date,
            scheduled_at: None,
            ended_at,
        }
    }
}

/// A dependent pipeline with the ends that it has not answered yet.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WaitingEnds {
    /// The pipeline.
    pub pipeline: StoredPipeline,
    /// The ends in the order of their runs: at most [`WaitingEnds::MAX`], the oldest.
    pub ends: Vec<UpstreamEnd>,
}

impl WaitingEnds {
    /// The most ends of a pipeline that one read returns. 200: one of each upstream of the mode
    /// `all`, and as many others.
    pub const MAX: usize = 200;

    /// Creates the ends of a pipeline.
    #[must_use]
    pub const fn new(pipeline: StoredPipeline, ends: Vec<UpstreamEnd>) -> Self {
        Self { pipeline, ends }
    }
}

/// A request to answer ends: with a run that they start, or without one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AnswerEnds {
    /// The dependent pipeline.
    pub pipeline: Qualified<PipelineId>,
    /// The version of the definition that the request is based on.
    pub version: u32,
    /// The upstream runs whose ends it answers. All of them wait for an answer.
    pub ends: Vec<RunId>,
    /// The run that they start. Its `upstream_run_id` is one of them.
    pub run: Option<NewRun>,
    /// The maximum number of pending runs of the pipeline, the new one included.
    pub queued_pipeline_max: u64,
    /// The maximum number of pending runs in total, the new one included.
    pub queued_max: u64,
}

impl AnswerEnds {
    /// Creates an answer without a run and without limits on the queue.
    #[must_use]
    pub fn new(pipeline: &StoredPipeline, ends: Vec<RunId>) -> Self {
        Self {
            pipeline: pipeline.qualified_id(),
            version: pipeline.version,
            ends,
            run: None,
            queued_pipeline_max: u64::MAX,
            queued_max: u64::MAX,
        }
    }
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndAnswer {
    /// Its run was created.
    Created,
    /// It had no run, its pipeline already has the run of this upstream run, or the concurrency key
    /// of the run is taken.
    Dropped,
    /// The stored version differs from that of the request, or an end does not wait any more.
    /// Nothing changed.
    Stale,
}

/// The result of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerOutcome {
    /// What became of it.
    pub answer: EndAnswer,
    /// The runs that were cancelled for the run that was created
    /// ([`CreatedRuns::replaced`](super::CreatedRuns::replaced)).
    pub replaced: Vec<ReplacedRun>,
    /// The number of the newest event.
    pub seq: u64,
}

impl AnswerOutcome {
    /// Creates a result.
    #[must_use]
    pub const fn new(answer: EndAnswer, seq: u64) -> Self {
        Self {
            answer,
            replaced: Vec::new(),
            seq,
        }
    }
}

/// Keeps the ends of upstream runs until their dependents answer them.
///
/// The dependencies of a pipeline are those of its newest definition, from the save of that
/// definition on ([`put_pipeline`](super::Pipelines::put_pipeline)), until it is deleted. An
/// upstream is a pipeline of the same tenant.
///
/// A run that ends counts for its dependents unless a backfill created it, or it ends before it has
/// started. It MUST count in the transaction that ends it:
/// - It decides the gates on its pipeline until the next run of it ends. A gate is open while the
///   rule accepts its final status and its end is not longer ago than the rule allows. It is closed
///   before the first end, and after the upstream is deleted. A new rule MUST know the latest end
///   of an earlier run, among the newest [`DependencyTable::ENDS_BACK_MAX`] runs that the upstream
///   has had since it was created.
/// - For each enabled pipeline that has a rule of another mode for it, its end waits if the rule
///   accepts its final status, with the date and the instant of the run. An end MUST replace an
///   earlier one of the same upstream where the mode is `all`.
///
/// An end waits until it is answered, its run is purged, or its pipeline is deleted, disabled, or
/// loses the rule with this upstream and state.
///
/// [`DependencyTable::ENDS_BACK_MAX`]: super::DependencyTable::ENDS_BACK_MAX
#[async_trait]
pub trait Dependencies: Send + Sync + 'static {
    /// Returns every pipeline whose ends can be answered
    /// ([`is_answerable`](super::DependencyTable::is_answerable)), with the oldest ones, in any
    /// order.
    async fn waiting_ends(&self) -> Result<Vec<WaitingEnds>>;

    /// Answers ends of a pipeline, each once.
    ///
    /// - It MUST change nothing if the pipeline is deleted or has another version, or if one of the
    ///   ends does not wait: `Stale`.
    /// - The ends MUST wait no more, in the transaction that creates the run.
    /// - A pipeline MUST have at most one run of an upstream run
    ///   ([`Run::upstream_run_id`](crate::Run::upstream_run_id)). If it has one, no run is created.
    ///   Neither is one that [`create_runs`](super::Runs::create_runs) would refuse for its
    ///   concurrency key.
    ///
    /// # Errors
    /// `QueueFull` if the run exceeds a limit. The ends MUST then wait on.
    async fn answer_ends(&self, answer: AnswerEnds) -> Result<AnswerOutcome>;
}
