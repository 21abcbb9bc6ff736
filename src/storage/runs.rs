//! Runs: created, asked for, listed, asked to cancel.
//!
//! What a claimed run does is written by `journal`; who gets it is decided by `queue`.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::NewBackfill;
use crate::error::Result;
use crate::model::{
    BackfillId, NodeId, NodeRun, Page, PageRequest, Pipeline, PipelineId, Preview, Profile, Run,
    RunId, RunStatus, Scope, Trigger,
};

/// What an idempotency key is given for: the same key on another path is another key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// A trigger of this pipeline.
    Run(PipelineId),
    /// A resume of this run.
    Resume(RunId),
    /// A backfill of this pipeline.
    Backfill(PipelineId),
}

/// A caller's key for one act, so that a repeat makes nothing new.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdempotencyKey {
    /// What it is given for.
    pub operation: Operation,
    /// The key: 1 to 255 visible ASCII characters.
    pub key: String,
    /// SHA-256 of the request's parsed body.
    pub body_hash: [u8; 32],
}

impl IdempotencyKey {
    /// A key for one act.
    #[must_use]
    pub fn new(operation: Operation, key: impl Into<String>, body_hash: [u8; 32]) -> Self {
        Self {
            operation,
            key: key.into(),
            body_hash,
        }
    }
}

/// A run to be made. Its tenant is its pipeline's.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewRun {
    /// The run as it starts: pending.
    pub run: Run,
    /// The scheduled instant it stands for; no two runs of a pipeline have the same.
    pub fire_at: Option<DateTime<Utc>>,
}

impl NewRun {
    /// A run that stands for no scheduled instant.
    #[must_use]
    pub const fn new(run: Run) -> Self {
        Self { run, fire_at: None }
    }
}

/// Runs to be made together or not at all.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateRuns {
    /// The runs, all of one pipeline.
    pub runs: Vec<NewRun>,
    /// Whose pipelines are seen.
    pub scope: Scope,
    /// The caller's key.
    pub idempotency: Option<IdempotencyKey>,
    /// Runs of the pipeline that may wait.
    pub queued_pipeline_max: u64,
    /// Runs that may wait in all.
    pub queued_max: u64,
    /// The backfill that they are made for, the oldest date first; none where they belong to none.
    pub backfill: Option<NewBackfill>,
    /// Whether nothing is made and the answer tells what would be.
    pub is_preview: bool,
}

impl CreateRuns {
    /// Makes these runs without a key and without a bound of the queue.
    #[must_use]
    pub const fn new(runs: Vec<NewRun>) -> Self {
        Self {
            runs,
            scope: Scope::All,
            idempotency: None,
            queued_pipeline_max: u64::MAX,
            queued_max: u64::MAX,
            backfill: None,
            is_preview: false,
        }
    }
}

/// What a creation made, or what the first one with its key did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedRuns {
    /// The runs, in the order in which they were given.
    pub run_ids: Vec<RunId>,
    /// Whether the key was known, and nothing was made.
    pub replayed: bool,
    /// The newest event.
    pub seq: u64,
    /// The backfill that they belong to.
    pub backfill: Option<BackfillId>,
    /// Dates that were left out since they were run before; a repeat tells none.
    pub skipped: Vec<NaiveDate>,
}

impl CreatedRuns {
    /// What was made.
    #[must_use]
    pub const fn new(run_ids: Vec<RunId>, replayed: bool, seq: u64) -> Self {
        Self {
            run_ids,
            replayed,
            seq,
            backfill: None,
            skipped: Vec::new(),
        }
    }
}

/// A wish to cancel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CancelRequest {
    /// The run.
    pub run: RunId,
    /// Whose runs are seen.
    pub scope: Scope,
    /// How; `Forced` escalates a plain one, a plain one changes nothing about a forced one.
    pub cancel: crate::model::Cancel,
    /// The time of the wish.
    pub now: DateTime<Utc>,
}

impl CancelRequest {
    /// A wish to cancel this run, in every scope.
    #[must_use]
    pub const fn new(run: RunId, cancel: crate::model::Cancel, now: DateTime<Utc>) -> Self {
        Self {
            run,
            scope: Scope::All,
            cancel,
            now,
        }
    }
}

/// Where a run stands after a wish to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancelled {
    /// `cancelled`, or `running` while nodes finish.
    pub status: RunStatus,
    /// The newest event.
    pub seq: u64,
}

impl Cancelled {
    /// Where the run stands.
    #[must_use]
    pub const fn new(status: RunStatus, seq: u64) -> Self {
        Self { status, seq }
    }
}

/// A run with its nodes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunDetail {
    /// The run.
    pub run: Run,
    /// The definition that it runs.
    pub definition: Arc<Pipeline>,
    /// The nodes that have an entry, by place; the others read as [`RunStatus::unstarted_node`].
    pub nodes: Vec<NodeRun>,
}

impl RunDetail {
    /// A run with its nodes.
    #[must_use]
    pub const fn new(run: Run, definition: Arc<Pipeline>, nodes: Vec<NodeRun>) -> Self {
        Self {
            run,
            definition,
            nodes,
        }
    }
}

/// One run of a chain of resumes, with what its nodes did.
pub type ChainRun = RunDetail;

/// The statistics of a node's output.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FoundProfile {
    /// Those that were asked for.
    pub profile: Profile,
    /// Those of the node's successful run before.
    pub previous: Option<Profile>,
}

impl FoundProfile {
    /// Statistics with those of the node's successful run before.
    #[must_use]
    pub const fn new(profile: Profile, previous: Option<Profile>) -> Self {
        Self { profile, previous }
    }
}

/// Which runs a list has; all conditions together.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RunFilter {
    /// Whose.
    pub scope: Scope,
    /// Only this run: whether it exists is then asked without its nodes.
    pub run: Option<RunId>,
    /// Only of this pipeline.
    pub pipeline: Option<PipelineId>,
    /// Only with one of these statuses; empty: any.
    pub statuses: Vec<RunStatus>,
    /// Only made by one of these; empty: any.
    pub triggers: Vec<Trigger>,
    /// Only created at or after this time.
    pub from: Option<DateTime<Utc>>,
    /// Only created before this time.
    pub to: Option<DateTime<Utc>>,
}

/// Runs.
#[async_trait]
pub trait Runs: Send + Sync + 'static {
    /// Makes runs: one row and one event `run.created` each, all or none.
    ///
    /// With a key that is known it MUST make nothing and answer the first creation's ids, before
    /// any other refusal but `NotFound` is decided; a refused creation MUST NOT use up its key. A
    /// run that resumes another (`resumed_from`) MUST be refused unless that one is `failed` and no
    /// run of its chain (same `first_run`) is unfinished or succeeded, and from then on holds the
    /// outputs that it inherits: a purge of the runs that made them pulls nothing from under it.
    ///
    /// With a backfill its row MUST be made in the same step, and the runs belong to it; where it
    /// skips what exists, the runs are left out whose date has a successful run of this pipeline
    /// and tenant that a backfill, a schedule or a catch-up made, or a resume of one. Without a run
    /// left nothing is made. A preview MUST make nothing and uses up no key; it is refused for want
    /// of the pipeline alone.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`, `run-not-found` of `resumed_from`); `Invalid`
    /// (`idempotency-key-reused`) for another body; `Conflict` (`run-not-resumable`, naming the run
    /// that stands in the way; `tick-taken` when a run of the pipeline has the same `fire_at`);
    /// `QueueFull`.
    async fn create_runs(&self, create: CreateRuns) -> Result<CreatedRuns>;

    /// Answers what the first act with this key made, if there was one, so that a repeat can be
    /// told before anything else is decided.
    ///
    /// # Errors
    /// `Invalid` (`idempotency-key-reused`) when the key was given for another body.
    async fn find_idempotent(&self, key: &IdempotencyKey) -> Result<Option<CreatedRuns>>;

    /// The run with its nodes.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn find_run(&self, run: RunId, scope: &Scope) -> Result<Option<RunDetail>>;

    /// All runs of the chain of resumes that `first_run` began, oldest first.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn find_chain(&self, first_run: RunId, scope: &Scope) -> Result<Vec<ChainRun>>;

    /// A page of runs, the greatest id first. A cursor is a run id and MUST work though that run
    /// was purged.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) when the cursor is none.
    async fn list_runs(&self, filter: RunFilter, page: PageRequest) -> Result<Page<Run>>;

    /// Notes the wish to cancel. A pending run becomes `cancelled` here (event `run.cancelled`); a
    /// running one gets the event `run.cancelling`, once, also when the wish is repeated or
    /// escalated. A `cancelled` run answers as it stands.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `RunFinished` (`run-finished`) when it succeeded or failed.
    async fn request_cancel(&self, request: CancelRequest) -> Result<Cancelled>;

    /// The preview of a node's output, of the run that executed it where the run reuses it.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn find_preview(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Preview>>;

    /// The profile of a node's output, of the run that executed it where the run reuses it.
    ///
    /// `previous` MUST be that of the newest run of the pipeline before that one (by id) in which
    /// the node, by its id, succeeded and was profiled; a backend looks at the 1,000 runs before at
    /// least.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn find_profile(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<FoundProfile>>;

    /// The greatest run id that storage knows, so that new ones can be greater.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn newest_run(&self) -> Result<Option<RunId>>;
}
