//! Runs: create, find, list, request a cancel.
//!
//! `journal` records what a claimed run writes; `queue` decides who executes it.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::finished_changes::Unchanged;
use super::{NewAudit, NewBackfill, ReplacedRun, rules};
use crate::error::Result;
use crate::model::{
    BackfillId, CallerName, Cancel, LabelChanges, NodeId, NodeRun, OnConflict, Page, PageRequest,
    Pipeline, PipelineId, Preview, Profile, Qualified, Run, RunCancel, RunId, RunStatus, Scope,
    Trigger, Waiting,
};

/// The operation that an idempotency key belongs to.
///
/// The same key for another operation is another key. The pipeline of an operation MUST be that of
/// the runs: the caller looks the pipeline up before it creates the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum IdempotentOperation {
    /// A trigger of this pipeline.
    Run(Qualified<PipelineId>),
    /// A resume of this run.
    Resume(RunId),
    /// A rerun of this run.
    Rerun(RunId),
    /// A backfill of this pipeline.
    Backfill(Qualified<PipelineId>),
}

/// A caller's key for one operation, which makes a repeat of that operation create nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdempotencyKey {
    /// The operation.
    pub operation: IdempotentOperation,
    /// The key: 1 to 255 visible ASCII characters.
    pub key: String,
    /// The SHA-256 hash of the request's parsed body.
    pub body_hash: [u8; 32],
}

impl IdempotencyKey {
    /// Creates a key for an operation.
    #[must_use]
    pub fn new(
        operation: IdempotentOperation,
        key: impl Into<String>,
        body_hash: [u8; 32],
    ) -> Self {
        Self {
            operation,
            key: key.into(),
            body_hash,
        }
    }
}

/// What the first operation with an idempotency key created.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FirstCreation {
    /// The SHA-256 hash of its parsed body.
    pub body_hash: [u8; 32],
    /// Its result, as a repeat returns it.
    pub created: CreatedRuns,
}

impl FirstCreation {
    /// Creates the result of an operation with this body.
    #[must_use]
    pub const fn new(body_hash: [u8; 32], created: CreatedRuns) -> Self {
        Self { body_hash, created }
    }

    /// Returns the result for a repeat with this body.
    ///
    /// # Errors
    /// `Invalid` (`idempotency-key-reused`) if the first operation had another body.
    pub fn for_repeat(self, body_hash: &[u8; 32]) -> Result<CreatedRuns> {
        if self.body_hash == *body_hash {
            Ok(self.created)
        } else {
            Err(rules::key_reused())
        }
    }
}

/// A run to create. It gets the tenant of its pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewRun {
    /// The run, with the status `pending`.
    pub run: Run,
    /// The tick of the schedule that the run executes, if any. A pipeline has at most one run for a
    /// tick, whose [`Run::scheduled_at`] it becomes.
    pub fire_at: Option<DateTime<Utc>>,
    /// What happens while as many runs of its concurrency key are unfinished as may be.
    pub on_conflict: OnConflict,
}

impl NewRun {
    /// Creates a run that belongs to no tick, and waits for its concurrency key.
    #[must_use]
    pub const fn new(run: Run) -> Self {
        Self {
            run,
            fire_at: None,
            on_conflict: OnConflict::Queue,
        }
    }
}

/// A request to create runs, all of them or none.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateRuns {
    /// The runs, all of one pipeline.
    pub runs: Vec<NewRun>,
    /// The scope of the caller. A pipeline outside it is not found, and [`Scope::choose`] decides
    /// which pipeline of this id is meant.
    pub scope: Scope,
    /// The caller's idempotency key, if any.
    pub idempotency: Option<IdempotencyKey>,
    /// The maximum number of pending runs of the pipeline, the new ones included.
    pub queued_pipeline_max: u64,
    /// The maximum number of pending runs in total, the new ones included.
    pub queued_max: u64,
    /// The backfill to create with the runs, if any. Its runs are in the order of their dates, the
    /// oldest first.
    pub backfill: Option<NewBackfill>,
    /// Whether to return what would be created and create nothing.
    pub is_preview: bool,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl CreateRuns {
    /// Creates a request in every scope, without a key and without limits on the queue.
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
            audit: None,
        }
    }

    /// Creates a request for one run of this pipeline, within these limits on the queue.
    pub(crate) fn one(
        run: NewRun,
        pipeline: &Qualified<PipelineId>,
        (queued_pipeline_max, queued_max): (u64, u64),
    ) -> Self {
        Self {
            scope: pipeline.scope(),
            queued_pipeline_max,
            queued_max,
            ..Self::new(vec![run])
        }
    }
}

/// The result of a creation. A repeat with the same key returns that of the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedRuns {
    /// The runs, in the order of the request.
    pub run_ids: Vec<RunId>,
    /// Whether the key was used before, in which case nothing was created.
    pub is_replayed: bool,
    /// The number of the newest event.
    pub seq: u64,
    /// The backfill that the runs belong to.
    pub backfill: Option<BackfillId>,
    /// The runs of a backfill that were skipped, because an earlier one of the same date or instant
    /// has succeeded, or because their concurrency key is taken. In their order. Empty for a
    /// repeat.
    pub skipped: Vec<RunId>,
    /// The runs that were cancelled for the new ones, the oldest first. Empty for a repeat.
    pub replaced: Vec<ReplacedRun>,
}

impl CreatedRuns {
    /// Creates the result of a first creation, without a backfill.
    #[must_use]
    pub const fn new(run_ids: Vec<RunId>, seq: u64) -> Self {
        Self {
            run_ids,
            is_replayed: false,
            seq,
            backfill: None,
            skipped: Vec::new(),
            replaced: Vec::new(),
        }
    }
}

/// A request to cancel a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CancelRequest {
    /// The run.
    pub run: RunId,
    /// The scope of the caller. A run outside it is not found.
    pub scope: Scope,
    /// How to cancel. `Forced` replaces an earlier `Plain`, but not the other way around.
    pub cancel: Cancel,
    /// Who requests it.
    pub by: Option<CallerName>,
    /// Why.
    pub reason: Option<String>,
    /// The time of the request.
    pub now: DateTime<Utc>,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl CancelRequest {
    /// Creates a request in every scope.
    #[must_use]
    pub const fn new(run: RunId, cancel: Cancel, now: DateTime<Utc>) -> Self {
        Self {
            run,
            scope: Scope::All,
            cancel,
            by: None,
            reason: None,
            now,
            audit: None,
        }
    }

    /// Returns what the run records of the request.
    #[must_use]
    pub fn record(&self) -> RunCancel {
        let mut record = RunCancel::new(self.cancel, self.now);
        record.by.clone_from(&self.by);
        record.reason.clone_from(&self.reason);
        record
    }
}

/// The result of a cancel request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CancelOutcome {
    /// The run's status: `cancelled`, or `running` while its nodes finish.
    pub status: RunStatus,
    /// The number of the newest event.
    pub seq: u64,
}

impl CancelOutcome {
    /// Creates a result.
    #[must_use]
    pub const fn new(status: RunStatus, seq: u64) -> Self {
        Self { status, seq }
    }
}

/// An edit of a run: what changes at any time, also after the run has finished.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EditRun {
    /// The run.
    pub run: RunId,
    /// The scope of the caller. A run outside it is not found.
    pub scope: Scope,
    /// The labels to set, and those to remove. All others stay.
    pub labels: LabelChanges,
    /// The new note. `None` leaves the note as it is, and an empty text removes it.
    pub note: Option<String>,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl EditRun {
    /// Creates an edit in every scope that changes nothing.
    #[must_use]
    pub const fn new(run: RunId) -> Self {
        Self {
            run,
            scope: Scope::All,
            labels: LabelChanges::new(),
            note: None,
            audit: None,
        }
    }
}

/// A run with its definition and its nodes.
///
/// Floret's own backends note in a finished run that it does not change until it is edited or
/// purged, and the service then keeps its JSON. A storage that wraps such a backend and has other
/// answers returns a detail of its own ([`RunDetail::new`]), which has no such note.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunDetail {
    /// The run.
    pub run: Run,
    /// The definition that the run executes.
    pub definition: Arc<Pipeline>,
    /// The nodes that have an entry, by [`NodeIndex`](crate::storage::NodeIndex). Every other node
    /// has the status [`RunStatus::unstarted_node`].
    pub nodes: Vec<NodeRun>,
    /// Why the run waits, if it is pending and its reader has asked. A backend leaves it `None`:
    /// [`Queue::waiting`](super::Queue::waiting) has it.
    pub waiting: Option<Waiting>,
    /// What is known of later changes, if the run is finished and its backend counts them.
    pub(crate) unchanged: Option<Unchanged>,
}

impl RunDetail {
    /// Creates a run with its nodes.
    #[must_use]
    pub const fn new(run: Run, definition: Arc<Pipeline>, nodes: Vec<NodeRun>) -> Self {
        Self {
            run,
            definition,
            nodes,
            waiting: None,
            unchanged: None,
        }
    }

    /// Notes what the read of this run knows of later changes. A run that is not finished may
    /// change otherwise.
    pub(super) fn known_unchanged(mut self, unchanged: Option<Unchanged>) -> Self {
        self.unchanged = unchanged.filter(|_| self.run.status.is_terminal());
        self
    }
}

impl PartialEq for RunDetail {
    /// Compares the runs, whatever is known of changes.
    fn eq(&self, other: &Self) -> bool {
        let Self {
            run,
            definition,
            nodes,
            waiting,
            unchanged: _,
        } = self;
        *run == other.run
            && *definition == other.definition
            && *nodes == other.nodes
            && *waiting == other.waiting
    }
}

/// The profile of a node's output, with the previous one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FoundProfile {
    /// The profile that was requested.
    pub profile: Profile,
    /// The profile from the previous run in which the node succeeded, if any.
    pub previous: Option<Profile>,
}

impl FoundProfile {
    /// Creates a profile with the previous one.
    #[must_use]
    pub const fn new(profile: Profile, previous: Option<Profile>) -> Self {
        Self { profile, previous }
    }
}

/// The runs that a list contains. A run must meet every condition.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RunFilter {
    /// The scope of the caller.
    pub scope: Scope,
    /// Only this run. Answers whether it exists without reading its nodes.
    pub run: Option<RunId>,
    /// Only runs of the pipelines with this id. Each tenant in scope may have one.
    pub pipeline: Option<PipelineId>,
    /// Only runs of this backfill. A run that resumes or repeats one of them is none of its runs.
    pub backfill: Option<BackfillId>,
    /// Only runs with one of these statuses. Empty means any.
    pub statuses: Vec<RunStatus>,
    /// Only runs with one of these triggers. Empty means any.
    pub triggers: Vec<Trigger>,
    /// Only runs created at or after this time.
    pub from: Option<DateTime<Utc>>,
    /// Only runs created before this time.
    pub to: Option<DateTime<Utc>>,
    /// Only runs that have all of these labels: names with values.
    pub labels: Vec<(String, String)>,
}

/// Creates, finds, lists and cancels runs.
#[async_trait]
pub trait Runs: Send + Sync + 'static {
    /// Creates runs: a row and the event `run.created` for each.
    ///
    /// - It MUST create all of them or none.
    /// - If an earlier call has created these runs, it MUST create nothing and return them again. A
    ///   caller repeats a creation whose outcome it does not know. An id that another creation has
    ///   used MUST be refused.
    /// - If the key was used before, it MUST create nothing and return the result of the first
    ///   creation. Only `NotFound` takes precedence.
    /// - A refused creation MUST NOT use up its key.
    /// - The run of a tick MUST get the time of the tick ([`NewRun::fire_at`]) as its
    ///   `scheduled_at`.
    /// - It MUST refuse to resume a run (`resumed_from`) unless that run is `failed` and every run
    ///   of its chain (same `first_run`) is `failed` or `cancelled`.
    /// - A resume and a rerun (`rerun_of`) MUST hold the outputs that they inherit. Purging the
    ///   runs that produced them MUST NOT delete these outputs.
    /// - With [`OnConflict::Skip`], it MUST refuse a run while as many runs of its concurrency key
    ///   are unfinished as the run allows: pending, delayed or running. In a backfill, it MUST skip
    ///   the run instead, the runs before it included in the count.
    /// - With [`OnConflict::CancelRunning`], the unfinished runs of the key that would be too many
    ///   with the new ones MUST be cancelled with the creation, the oldest first, as by
    ///   [`request_cancel`](Self::request_cancel) with
    ///   [`RunCancel::of_key`](crate::RunCancel::of_key) at the creation of the first new run, and
    ///   MUST be returned. A new run that is delayed replaces none, and neither does one of the new
    ///   runs another one.
    /// - A preview MUST create nothing and MUST NOT use up a key. Only an absent pipeline refuses
    ///   it.
    ///
    /// With a backfill:
    /// - Its row MUST be created in the same step, and the runs MUST belong to it.
    /// - With [`NewBackfill::skip_existing`], a run MUST be skipped if this pipeline and tenant
    ///   have a successful run of the same date, or of the same `scheduled_at` unless the unit of
    ///   the backfill [is dated](crate::BackfillUnit::is_dated). That run counts if a backfill, a
    ///   schedule or a catch-up created it that
    ///   [covers this unit](crate::BackfillUnit::is_covered_by), or if it resumes such a run. A run
    ///   of a backfill that is not stored counts as one of a day. A run that repeats another
    ///   one (`rerun_of`) MUST be skipped instead if that one, or a resume or a rerun that descends
    ///   from it, has succeeded, and for no other reason.
    /// - If every run is skipped, nothing is created.
    ///
    /// # Errors
    /// - `NotFound`: `pipeline-not-found`, or `run-not-found` for `resumed_from`.
    /// - `Conflict` (`tenant-required`): the id of the pipeline is unclear in this scope.
    /// - `Invalid` (`idempotency-key-reused`): the key was used with another body.
    /// - `Conflict` (`run-not-resumable`): the message names the run that blocks the resume.
    /// - `Conflict` (`concurrency-key-taken`): the message names an unfinished run of the key.
    /// - `Conflict` (`tick-taken`): a run of the pipeline has the same `fire_at`.
    /// - `QueueFull`: the runs exceed a limit of the queue.
    /// - `Internal`: another run has one of the ids.
    async fn create_runs(&self, create: CreateRuns) -> Result<CreatedRuns>;

    /// Returns the result of the first operation with this key, or `None` if the key is unused.
    ///
    /// It lets the engine answer a repeat before it checks anything else, and a caller find the run
    /// of a key whose body it no longer has.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn find_idempotent(
        &self,
        operation: &IdempotentOperation,
        key: &str,
    ) -> Result<Option<FirstCreation>>;

    /// Returns a run with its nodes, or `None` if it is not found.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn find_run(&self, run: RunId, scope: &Scope) -> Result<Option<RunDetail>>;

    /// Returns all runs of the chain of resumes that begins with `first_run`, oldest first.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn find_chain(&self, first_run: RunId, scope: &Scope) -> Result<Vec<RunDetail>>;

    /// Returns a page of runs, the greatest id first.
    ///
    /// A cursor is a run id. It MUST work even if that run was purged.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`): the cursor is not a run id.
    async fn list_runs(&self, filter: RunFilter, page: PageRequest) -> Result<Page<Run>>;

    /// Requests the cancel of a run.
    ///
    /// - A pending run MUST become `cancelled` in this step, with the event `run.cancelled`.
    /// - A running run MUST get the event `run.cancelling` once, even if the request is repeated or
    ///   escalated.
    /// - A `cancelled` run MUST stay as it is.
    /// - The run MUST record the request ([`CancelRequest::record`]), and one that escalates it in
    ///   its place. Any other repeat leaves the record as it is.
    ///
    /// # Errors
    /// - `NotFound` (`run-not-found`): the run is not found.
    /// - `RunFinished` (`run-finished`): the run has succeeded or failed.
    async fn request_cancel(&self, request: CancelRequest) -> Result<CancelOutcome>;

    /// Changes the labels and the note of a run, whatever its status.
    ///
    /// - It MUST change all of them in one step, and nothing else. It has no event.
    /// - Labels that [`EditRun::labels`] does not name MUST stay.
    /// - A read that begins after the answer MUST find the run as edited.
    ///
    /// # Errors
    /// - `NotFound` (`run-not-found`): the run is not found.
    /// - `Invalid` (`invalid-field`): the run would have more than 16 labels.
    async fn edit_run(&self, edit: EditRun) -> Result<()>;

    /// Returns the preview of a node's output, or `None` if there is none.
    ///
    /// If the run reuses the output, it MUST be the preview of the run that executed the node.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn find_preview(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Preview>>;

    /// Returns the profile of a node's output, or `None` if there is none.
    ///
    /// - If the run reuses the output, it MUST be the profile of the run that executed the node.
    /// - `previous` MUST come from the newest earlier run of the pipeline, by id, in which the node
    ///   with this id succeeded and has a profile. Earlier means before the run that executed the
    ///   node.
    /// - A backend MUST search at least 1,000 earlier runs.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn find_profile(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<FoundProfile>>;

    /// Returns the greatest run id that was ever stored, so that new ids can be greater.
    ///
    /// Returns `None` before the first run.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn newest_run(&self) -> Result<Option<RunId>>;
}
