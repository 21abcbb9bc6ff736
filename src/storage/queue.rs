//! Who executes which run: claim, renew, release.
//!
//! Every limit on runs holds in the claim's transaction, so that no path goes around it. The order
//! of the queue is that of [`Rank`](super::Rank).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::graph::Graph;
use crate::model::{
    BackfillId, Interruption, NodeRun, OwnerId, Pipeline, Run, RunId, Scope, Waiting,
};

/// A request for runs to execute.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Claim {
    /// The owner that will execute them. It keeps its id for as long as it executes runs.
    pub owner: OwnerId,
    /// The claims that the owner executes. They are renewed.
    pub held: Vec<HeldRun>,
    /// The claims whose execution broke off in the owner. Their runs become orphans, charged.
    pub broken_off: Vec<HeldRun>,
    /// How many runs this claim takes at most.
    pub count_max: u32,
    /// How many runs may be `running` in total, orphans included.
    pub runs_max: u32,
    /// Claims without progress after which an orphan is poisoned. 0 counts as 1.
    pub crashes_max: u32,
    /// Whether orphans may be claimed while one is suspected. False in the first second of an
    /// engine.
    pub suspects: bool,
    /// How long the claim holds.
    pub lease: Duration,
    /// The time of the claim.
    pub now: DateTime<Utc>,
}

impl Claim {
    /// Creates a claim of up to `count_max` runs with the default limits, by an owner that holds
    /// none.
    #[must_use]
    pub fn new(owner: OwnerId, count_max: u32, now: DateTime<Utc>) -> Self {
        let limits = crate::limits::Limits::default();
        Self {
            owner,
            held: Vec::new(),
            broken_off: Vec::new(),
            count_max,
            runs_max: limits.runs_max,
            crashes_max: limits.crashes_max,
            suspects: true,
            lease: limits.lease,
            now,
        }
    }
}

/// A claimed run with everything that its execution needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClaimedRun {
    /// The run, `running` now.
    pub run: Run,
    /// The definition that it executes.
    pub definition: Arc<Pipeline>,
    /// Its nodes that have an entry, by index. None of them is `running`: those that were are
    /// `pending` again.
    pub nodes: Vec<NodeRun>,
    /// The epoch of this claim, greater than any earlier one of this run.
    pub epoch: u64,
    /// How many entries were appended before. Events that storage itself wrote do not count.
    pub position: u64,
    /// Claims without progress, this one included. Above 1 the run comes back from a crash.
    pub claim_count: u32,
    /// A definition and its graph, if the backend has it.
    pub(crate) graph: Option<(Arc<Pipeline>, Arc<Graph>)>,
}

impl ClaimedRun {
    /// Creates the first claim of a run.
    #[must_use]
    pub const fn new(run: Run, definition: Arc<Pipeline>, epoch: u64) -> Self {
        Self {
            run,
            definition,
            nodes: Vec::new(),
            epoch,
            position: 0,
            claim_count: 1,
            graph: None,
        }
    }

    /// Returns the graph of the definition.
    ///
    /// It is built unless the backend has handed over that of this very definition: a storage that
    /// wraps the backend may have replaced the definition.
    ///
    /// # Errors
    /// Those of [`Graph::new`].
    pub(crate) fn graph(&self) -> Result<Arc<Graph>> {
        match &self.graph {
            Some((definition, graph)) if Arc::ptr_eq(definition, &self.definition) => {
                Ok(Arc::clone(graph))
            }
            Some(_) | None => Graph::new(&self.definition).map(Arc::new),
        }
    }

    /// Returns what ended the previous claim of the run, or `None` for its first claim.
    pub(crate) const fn interruption(&self) -> Option<Interruption> {
        if self.epoch <= 1 {
            None
        } else if self.claim_count > 1 {
            Some(Interruption::Crash)
        } else {
            Some(Interruption::Shutdown)
        }
    }
}

/// The result of a claim.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ClaimOutcome {
    /// The claimed runs.
    pub claimed: Vec<ClaimedRun>,
    /// Claims of [`Claim::held`] that the owner has lost.
    pub lost: Vec<HeldRun>,
    /// Orphans that this claim finished as poisoned.
    pub poisoned: Vec<RunId>,
    /// Backfills whose rest was cancelled because a run of theirs was poisoned.
    pub cancelled_backfills: Vec<BackfillId>,
    /// Whether other pipelines depend on the pipeline of a poisoned run, so that a gate may be open
    /// or an end may wait ([`waiting_ends`](super::Dependencies::waiting_ends)).
    pub may_start_others: bool,
    /// Runs that cannot be read. Each was counted as claimed and is an orphan.
    pub unreadable: Vec<RunId>,
    /// Whether orphans had to wait because one is suspected. Claim again when a claimed run has
    /// made progress.
    pub suspects_left: bool,
    /// When the earliest lease of another owner ends. Claim again then.
    pub lease_until: Option<DateTime<Utc>>,
    /// When the next delayed run is due ([`Run::run_after`](crate::Run::run_after)). Claim again
    /// then. `None` also if no pending run could be claimed, or if none is delayed.
    pub due_at: Option<DateTime<Utc>>,
    /// The number of the newest event.
    pub seq: u64,
}

/// A claim that its owner holds, or has lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HeldRun {
    /// The run.
    pub run: RunId,
    /// The epoch of the claim.
    pub epoch: u64,
}

impl HeldRun {
    /// Creates the claim of a run under an epoch.
    #[must_use]
    pub const fn new(run: RunId, epoch: u64) -> Self {
        Self { run, epoch }
    }
}

/// Who executes which run.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Claims up to `count_max` runs for the owner: orphans first, then pending runs.
    ///
    /// An orphan is a `running` run that has no owner, or whose owner is another one and whose
    /// lease ends at `now` or before.
    ///
    /// First, the claim settles the runs of its owner, so that the owner needs no other id after an
    /// outage:
    /// - A run in `held` MUST NOT be claimed, even if its lease has ended unnoticed. It MUST hold
    ///   for at least half of `lease` from `now`. A claim in `held` that is lost as in
    ///   [`renew`](Self::renew) MUST be returned in `lost`.
    /// - A run in `broken_off` MUST become an orphan at once. Its claim count stays. A lost claim
    ///   MUST change nothing.
    /// - Every other run of the owner MUST be released first, as by [`release`](Self::release). The
    ///   owner never received the answer of the claim, and nothing executes the run.
    ///
    /// What a claim changes:
    /// - Each claimed run MUST have its epoch and its claim count raised before anything executes.
    /// - A run MUST NOT be claimed twice, by claims at the same time either.
    /// - A pending run becomes `running` with the event `run.started`. Its `started_at` is `now`,
    ///   or `created_at` where that is later.
    /// - An orphan keeps its `started_at` and gets no event. Its `running` nodes are `pending`
    ///   again.
    /// - A run that cannot be decoded MUST NOT fail the claim. It counts as claimed and
    ///   remains an orphan, and the next one is tried instead.
    ///
    /// Order:
    /// - Orphans go by claim count, the fewest first, then by age (id).
    /// - Pending runs go by [`Rank`](super::Rank), then by age (id). The runs of a backfill are
    ///   claimed in its order; beside other runs a backfill counts with the one that is next.
    ///
    /// Limits, for pending runs alone (an orphan counts as running already):
    /// - At most `runs_max` runs MUST be `running` in total.
    /// - A run of a paused pipeline MUST NOT be claimed.
    /// - A run behind a closed gate ([`Dependencies`](super::Dependencies)) MUST NOT be claimed.
    /// - A run MUST NOT be claimed before its `run_after`, and MUST NOT hold up another one until
    ///   then. What a claim has found due may stay so if the wall clock is set back. A claim may
    ///   look at the first 1,000 due runs alone.
    /// - Of the runs of a pipeline with the same [concurrency key](crate::RunConcurrency::key), as
    ///   many MUST be `running` at most as the one that starts allows
    ///   ([`RunConcurrency::max`](crate::RunConcurrency::max)). Those of a key go by rank, then by
    ///   age, or in the order of their backfill. A run that its key holds back MUST NOT hold up
    ///   runs of other keys, and the step that ends a run of a key MUST let the next one start.
    /// - At most `max_concurrent_runs` of a pipeline MUST be `running`, by its newest definition.
    /// - At most `max_parallel` runs of a backfill MUST be `running`.
    /// - Of a pipeline's runs in [`LaneClass::Schedule`](super::LaneClass::Schedule) one executes
    ///   at a time. The next MUST NOT be claimed before that one has finished.
    ///
    /// Poison and suspicion, by the claims since the last progress. Progress is a finished node
    /// ([`Journal`](super::Journal)), which sets the count to 1.
    /// - An orphan with `crashes_max` claims MUST become `failed` here, with the event `run.failed`
    ///   and an `error` that begins with `poisoned`. If a cancel was requested, it becomes
    ///   `cancelled`. All of its nodes MUST finish with it.
    /// - While there is an orphan with `crashes_max - 1` claims or more, and at least 1, orphans
    ///   MUST be claimed one at a time. None is claimed unless [`Claim::suspects`], and none while
    ///   the owner holds a run with that many claims that came back from a crash (2 or more).
    ///
    /// Cost: it MUST NOT grow with the number of pending runs or of their keys, only with that of
    /// running runs, and of pipelines and backfills that have pending ones.
    ///
    /// # Errors
    /// `Unavailable` or `StorageFull`; nothing was claimed then.
    async fn claim(&self, claim: Claim) -> Result<ClaimOutcome>;

    /// Renews claims, and returns those that the owner has lost.
    ///
    /// - A claim that the owner still holds MUST hold for `lease` from `now`, even if its lease has
    ///   ended unnoticed.
    /// - A claim is lost when the run has finished, is purged, was released, or is claimed under
    ///   another epoch or owner. It MUST be returned and MUST change nothing.
    ///
    /// # Errors
    /// `Unavailable`; nothing was renewed then.
    async fn renew(
        &self,
        owner: OwnerId,
        held: Vec<HeldRun>,
        lease: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<HeldRun>>;

    /// Releases claims without charging them, and returns those that the owner had lost.
    ///
    /// - A released run MUST be an orphan at once: still `running`, without an owner and without an
    ///   event.
    /// - Its claim count MUST go down by one, so that shutdowns never poison a run.
    /// - Its `running` nodes MUST be `pending` again.
    /// - A lost claim MUST change nothing.
    ///
    /// # Errors
    /// `Unavailable`; nothing was released then.
    async fn release(&self, owner: OwnerId, held: Vec<HeldRun>) -> Result<Vec<HeldRun>>;

    /// Returns why a pending run waits and how many runs come before it, by the rules of a
    /// [`claim`](Self::claim) at `now`. `None` if no pending run in scope has this id.
    ///
    /// - The reason MUST be the first of those that hold, in the order of [`WaitReason`].
    /// - A run comes before another one if its rank is better, or if its rank is the same and its
    ///   id is smaller; among the runs of a backfill in descending order, if its id is greater. A
    ///   delayed run comes before none, until a claim may find it due. A run that its key holds
    ///   back comes before those of its key alone, for [`WaitReason::ConcurrencyKey`].
    /// - [`Waiting::ahead`] MUST count the runs that it is about, unless more than
    ///   [`Waiting::EXAMINED_MAX`] of them have the rank of the run or a better one.
    ///
    /// [`WaitReason`]: crate::WaitReason
    /// [`WaitReason::ConcurrencyKey`]: crate::WaitReason::ConcurrencyKey
    async fn waiting(
        &self,
        run: RunId,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<Option<Waiting>>;
}
