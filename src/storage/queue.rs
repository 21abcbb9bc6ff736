//! Who executes which run: claim, renew, release.
//!
//! The order of the queue and every limit on runs are decided here, in the claim's transaction, so that they hold on every path.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::model::{BackfillId, NodeRun, OwnerId, Pipeline, Run, RunId};

/// A wish for runs to execute.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Claim {
    /// Who asks.
    pub owner: OwnerId,
    /// How many runs at most.
    pub count_max: u32,
    /// How many runs may be `running` in all, orphans included.
    pub runs_max: u32,
    /// Crashes after which an orphan is given up as poisoned.
    pub crashes_max: u32,
    /// Whether suspected orphans (two crashes) may be taken on yet; not in the first second of an engine.
    pub suspects: bool,
    /// How long the claim holds.
    pub lease: Duration,
    /// The time of the claim.
    pub now: DateTime<Utc>,
}

impl Claim {
    /// A claim of up to `count_max` runs with the default limits.
    #[must_use]
    pub fn new(owner: OwnerId, count_max: u32, now: DateTime<Utc>) -> Self {
        let limits = crate::limits::Limits::default();
        Self {
            owner,
            count_max,
            runs_max: limits.runs_max,
            crashes_max: limits.crashes_max,
            suspects: true,
            lease: limits.lease,
            now,
        }
    }
}

/// A claimed run, with all that its driver needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClaimedRun {
    /// The run, `running` now.
    pub run: Run,
    /// The definition that it runs.
    pub definition: Arc<Pipeline>,
    /// Nodes that have an entry, by place. None is `running`: those that were are `pending` again.
    pub nodes: Vec<NodeRun>,
    /// The epoch of this claim: greater than any before of this run.
    pub epoch: u64,
    /// Entries appended before; storage's own events aside.
    pub position: u64,
    /// Claims without progress, this one included: above 1 it comes back from a crash.
    pub claim_count: u32,
}

impl ClaimedRun {
    /// A first claim of a run.
    #[must_use]
    pub const fn new(run: Run, definition: Arc<Pipeline>, epoch: u64) -> Self {
        Self {
            run,
            definition,
            nodes: Vec::new(),
            epoch,
            position: 0,
            claim_count: 1,
        }
    }
}

/// What a claim gave.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ClaimOutcome {
    /// The claimed runs.
    pub claimed: Vec<ClaimedRun>,
    /// Runs that were given up as poisoned in this step.
    pub poisoned: Vec<RunId>,
    /// Backfills whose rest was cancelled since a run of them was given up.
    pub stopped: Vec<BackfillId>,
    /// Runs that could not be read and were left alone, each counted as a crash.
    pub unreadable: Vec<RunId>,
    /// Whether orphans are left that may not be taken on yet: ask again when a claimed run has made progress.
    pub suspects_left: bool,
    /// When the earliest lease of another owner runs out: ask again then.
    pub lease_until: Option<DateTime<Utc>>,
    /// The newest event.
    pub seq: u64,
}

/// One claim that its owner holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HeldRun {
    /// The run.
    pub run: RunId,
    /// The epoch of the claim.
    pub epoch: u64,
}

impl HeldRun {
    /// One claim.
    #[must_use]
    pub const fn new(run: RunId, epoch: u64) -> Self {
        Self { run, epoch }
    }
}

/// Who executes which run.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Gives the asker up to `count_max` runs: orphans first, then pending ones by [`Trigger::priority`](crate::Trigger::priority), then by age (id).
    ///
    /// An orphan is a `running` run without an owner, or with another than the asker whose lease runs out at `now` or before. Limits (`runs_max` over all
    /// `running` runs, the pipeline's `max_concurrent_runs` of its newest definition, the backfill's `max_parallel`) bound pending runs only: an orphan
    /// counts as running already. The runs of a backfill are claimed in its order; beside other lanes it counts with the run that is next.
    /// Of a pipeline's runs that no caller asked for (those of the priority of a schedule) one executes at a time: the next MUST NOT be given before it has ended.
    /// A pending run becomes `running` with `started_at` (`now`, or `created_at` where that is later) and the event `run.started`; an orphan keeps both, its `running` nodes are `pending` again, no event.
    /// Each claim MUST raise the epoch and count before anything executes.
    ///
    /// Poison: an orphan that was claimed `crashes_max` times without progress MUST end `failed` here (event `run.failed`; an `error` that begins with `poisoned`),
    /// `cancelled` where that was asked for; none of its nodes MUST stay on its way. While an orphan with `crashes_max - 1` such claims is left, orphans MUST be claimed one at a time, fewest claims first,
    /// none unless [`Claim::suspects`], and none while the asker holds a run with that many. Progress is a node's end ([`Journal`](super::Journal)), which sets the count to 1.
    ///
    /// A run that cannot be decoded MUST NOT fail the claim: it is counted like a claimed one and left an orphan.
    /// The claim's cost MUST NOT grow with the number of pending runs, only with that of pipelines and backfills that have some.
    ///
    /// # Errors
    /// `Unavailable` or `StorageFull`; nothing was claimed then.
    async fn claim(&self, claim: Claim) -> Result<ClaimOutcome>;

    /// Prolongs claims and answers those that the owner has lost. Success means that a row was updated.
    ///
    /// # Errors
    /// `Unavailable`; nothing was prolonged then.
    async fn renew(
        &self,
        owner: OwnerId,
        held: Vec<HeldRun>,
        lease: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<HeldRun>>;

    /// Gives claims back without charging an attempt (the count goes down by one, running nodes are `pending` again) and answers those that the owner had lost.
    ///
    /// # Errors
    /// `Unavailable`; nothing was given back then.
    async fn release(&self, owner: OwnerId, held: Vec<HeldRun>) -> Result<Vec<HeldRun>>;
}
