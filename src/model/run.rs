//! A run of a pipeline: its status, its trigger, and the outputs that it inherits from earlier
//! runs.
//!
//! Its nodes are [`NodeRun`](super::NodeRun)s, its history [`Event`](super::Event)s.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{
    BackfillId, CallerName, Labels, LaneClass, NodeIndex, NodeStatus, Params, PipelineId, Priority,
    Qualified, Rank, RunConcurrency, RunId, TenantId, TraceParent,
};

/// The status of a run.
///
/// On the wire it is the name in lower case.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::RunStatus;
///
/// let run = floret.run("daily").start().await?.finished().await?.run;
/// assert!(run.status.is_terminal());
/// match run.status {
///     RunStatus::Success => println!("done"),
///     RunStatus::Failed => println!("failed: {:?}", run.error),
///     status => println!("{status:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RunStatus {
    /// Created. Waits for a slot.
    Pending,
    /// Claimed by an engine. After a crash or a shutdown the run keeps this status until it
    /// continues.
    Running,
    /// Every node succeeded or was skipped without a failure.
    Success,
    /// A node failed, the run reached its timeout, or the run was poisoned: it crashed the process
    /// too often.
    Failed,
    /// Cancelled after a cancel request.
    Cancelled,
}

impl RunStatus {
    /// Every status.
    pub(crate) const ALL: [Self; 5] = [
        Self::Pending,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Returns the name of the status on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns whether the status is final.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Cancelled)
    }

    /// Returns whether a run may change from this status to `next`.
    ///
    /// This is the only table of run transitions. Storage enforces it.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => matches!(next, Self::Running | Self::Cancelled),
            Self::Running => matches!(next, Self::Success | Self::Failed | Self::Cancelled),
            Self::Success | Self::Failed | Self::Cancelled => false,
        }
    }

    /// Returns the status of a node that storage has no row for, in a run of this status.
    #[must_use]
    pub const fn unstarted_node(self) -> NodeStatus {
        match self {
            Self::Pending | Self::Running | Self::Success => NodeStatus::Pending,
            Self::Failed => NodeStatus::Skipped,
            Self::Cancelled => NodeStatus::Cancelled,
        }
    }
}

/// The cause of a run.
///
/// On the wire it is the name in lower case.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::Trigger;
///
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-01".parse()?);
/// let backfill = floret.backfill("daily", from..=to).start().await?;
/// let run = floret.run_by_id(backfill.run_ids()[0]).finished().await?.run;
/// assert_eq!(run.trigger, Trigger::Backfill);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Trigger {
    /// A caller triggered the run.
    Manual,
    /// A tick of a schedule.
    Schedule,
    /// A backfill created the run.
    Backfill,
    /// A caller resumed a failed run.
    Resume,
    /// A missed tick of a schedule: a catch-up run.
    Catchup,
    /// A call of the pipeline's webhook.
    Webhook,
    /// An upstream pipeline finished.
    Dependency,
}

impl Trigger {
    /// Every trigger.
    pub(crate) const ALL: [Self; 7] = [
        Self::Manual,
        Self::Schedule,
        Self::Backfill,
        Self::Resume,
        Self::Catchup,
        Self::Webhook,
        Self::Dependency,
    ];

    /// Returns the name of the trigger on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Backfill => "backfill",
            Self::Resume => "resume",
            Self::Catchup => "catchup",
            Self::Webhook => "webhook",
            Self::Dependency => "dependency",
        }
    }

    /// Returns the class of a run with this trigger in the queue.
    #[must_use]
    pub const fn lane_class(self) -> LaneClass {
        match self {
            Self::Manual | Self::Resume | Self::Webhook => LaneClass::Manual,
            Self::Schedule | Self::Catchup | Self::Dependency => LaneClass::Schedule,
            Self::Backfill => LaneClass::Backfill,
        }
    }
}

/// The kind of a cancel request.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn listen(ctx: Ctx) -> Result<(), std::io::Error> {
/// #     ctx.cancel.cancelled().await;
/// #     Ok(())
/// # }
/// # let forever = Pipeline::new("forever").node("listen", "listen");
/// # let floret = memory().node("listen", listen).pipeline(forever).start().await?;
/// use floret::Cancel;
///
/// let run = floret.run("forever").start().await?;
/// run.cancel().force().await?;
/// let cancel = run.finished().await?.run.cancel.expect("a cancel request");
/// assert_eq!(cancel.kind, Cancel::Forced);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cancel {
    /// Executing nodes finish. No further node starts.
    Plain,
    /// Executing nodes receive the cancel signal and are abandoned after the grace period. No
    /// further node starts.
    Forced,
}

/// The cancel request of a run: what was requested, by whom, why and when.
///
/// A request that escalates an earlier one replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunCancel {
    /// How to cancel.
    pub kind: Cancel,
    /// Who requested it, if the host has named the caller. `None` also if Floret did.
    pub by: Option<CallerName>,
    /// Why: at most 500 characters.
    pub reason: Option<String>,
    /// When it was requested. `None` for a request from before Floret recorded it.
    pub at: Option<DateTime<Utc>>,
}

impl RunCancel {
    /// Creates a request at this time, without a caller and without a reason.
    #[must_use]
    pub const fn new(kind: Cancel, at: DateTime<Utc>) -> Self {
        Self {
            kind,
            by: None,
            reason: None,
            at: Some(at),
        }
    }

    /// Creates the request for the other runs of a backfill that has reached its `max_failures`.
    #[must_use]
    pub fn of_failures(at: DateTime<Utc>) -> Self {
        Self {
            reason: Some("max_failures of the backfill was reached".to_owned()),
            ..Self::new(Cancel::Plain, at)
        }
    }

    /// Creates the request for the earlier runs of a schedule that its next tick replaces
    /// ([`Overlap::CancelRunning`](super::Overlap::CancelRunning)).
    #[must_use]
    pub fn of_tick(at: DateTime<Utc>) -> Self {
        Self {
            reason: Some("the next tick of the schedule replaced it".to_owned()),
            ..Self::new(Cancel::Forced, at)
        }
    }

    /// Creates the request for the earlier runs of a concurrency key that a new one replaces
    /// ([`OnConflict::CancelRunning`](super::OnConflict::CancelRunning)).
    #[must_use]
    pub fn of_key(at: DateTime<Utc>) -> Self {
        Self {
            reason: Some("a newer run of its concurrency key replaced it".to_owned()),
            ..Self::new(Cancel::Forced, at)
        }
    }

    /// Returns whether it asks for more than an earlier request.
    pub(crate) fn escalates(&self, earlier: Option<&Self>) -> bool {
        earlier.map(|earlier| earlier.kind) < Some(self.kind)
    }
}

/// A run of a pipeline.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::{memory, run_to_end}};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// use floret::{RunStatus, Trigger};
///
/// let daily = Pipeline::new("daily").node("load", "load").param("region", "eu");
/// let run = run_to_end(memory().node("load", load), daily).await?.detail.run;
/// assert_eq!((run.status, run.trigger), (RunStatus::Success, Trigger::Manual));
/// assert_eq!(run.params["region"], "eu");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The id of the run.
    pub id: RunId,
    /// The pipeline that the run executes.
    pub pipeline_id: PipelineId,
    /// The version of the definition that the run executes.
    pub pipeline_version: u32,
    /// The tenant that owned the pipeline when the run was created.
    pub tenant: Option<TenantId>,
    /// The current status.
    pub status: RunStatus,
    /// The cancel request, if there is one.
    pub cancel: Option<RunCancel>,
    /// The cause of the run.
    pub trigger: Trigger,
    /// The parameters: the defaults of the pipeline, overridden by the values of the trigger.
    pub params: Params,
    /// The date that `${run.date}` stands for.
    pub date: NaiveDate,
    /// The instant that the run is for, if it is not that of its creation: the fire time of a tick,
    /// the instant of a backfill, the beginning of the date that the caller gave, or the instant of
    /// the run that this one resumes, repeats or depends on. [`Run::instant`] has it for every run.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When the run was created.
    pub created_at: DateTime<Utc>,
    /// When an engine first claimed the run.
    pub started_at: Option<DateTime<Utc>>,
    /// When the run finished.
    pub finished_at: Option<DateTime<Utc>>,
    /// The error message of a failed run: its first error.
    pub error: Option<String>,
    /// Who created the run, if the host has named the caller.
    pub created_by: Option<CallerName>,
    /// Its labels, by which lists find the run.
    pub labels: Labels,
    /// What people have noted about the run: at most 2,000 characters.
    pub note: Option<String>,
    /// The priority among the pending runs of its class.
    pub priority: Priority,
    /// The run stays pending until then. A time that has passed delays nothing. It stays set after
    /// the run has started.
    pub run_after: Option<DateTime<Utc>>,
    /// Its concurrency key, if the pipeline had one.
    pub concurrency: Option<RunConcurrency>,
    /// The place in a distributed trace of the request that created the run, if it named one.
    pub traceparent: Option<TraceParent>,
    /// The backfill that created the run. A resume belongs to no backfill.
    pub backfill_id: Option<BackfillId>,
    /// The run that this one resumes.
    pub resumed_from: Option<RunId>,
    /// The run that this one repeats.
    pub rerun_of: Option<RunId>,
    /// The run of another pipeline whose end started this one
    /// ([`DependencyRule`](super::DependencyRule)).
    pub upstream_run_id: Option<RunId>,
    /// The first run of its chain of resumes. For a run that resumes no other, its own id.
    pub first_run: RunId,
    /// The outputs that the run inherits from earlier runs of its chain, or from the run that it
    /// repeats. One from the run itself stands for a node that a resume was asked to skip.
    pub inherited: Vec<InheritedOutput>,
    /// The generations of nodes that resumes of the chain re-executed on purpose, by node index.
    /// A node that is absent has generation 1.
    pub generations: BTreeMap<NodeIndex, u32>,
}

impl Run {
    /// Creates a pending run. Set the other public fields as needed.
    #[must_use]
    pub const fn new(
        id: RunId,
        pipeline_id: PipelineId,
        version: u32,
        trigger: Trigger,
        date: NaiveDate,
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            pipeline_id,
            pipeline_version: version,
            tenant: None,
            status: RunStatus::Pending,
            cancel: None,
            trigger,
            params: Params::new(),
            date,
            scheduled_at: None,
            created_at,
            started_at: None,
            finished_at: None,
            error: None,
            created_by: None,
            labels: Labels::new(),
            note: None,
            priority: Priority::Normal,
            run_after: None,
            concurrency: None,
            traceparent: None,
            backfill_id: None,
            resumed_from: None,
            rerun_of: None,
            upstream_run_id: None,
            first_run: id,
            inherited: Vec::new(),
            generations: BTreeMap::new(),
        }
    }

    /// Returns the id of the pipeline with its tenant.
    #[must_use]
    pub fn qualified_pipeline(&self) -> Qualified<PipelineId> {
        Qualified::new(self.pipeline_id.clone(), self.tenant.clone())
    }

    /// Returns the instant that `${run.scheduled_at}` stands for: [`Run::scheduled_at`], or else
    /// the time of its creation.
    #[must_use]
    pub const fn instant(&self) -> DateTime<Utc> {
        match self.scheduled_at {
            Some(at) => at,
            None => self.created_at,
        }
    }

    /// Returns the rank of the run in the queue while it is pending.
    #[must_use]
    pub const fn rank(&self) -> Rank {
        Rank::new(self.trigger.lane_class(), self.priority)
    }

    /// Returns whether this pipeline created the run.
    pub(crate) fn is_of(&self, pipeline: &Qualified<PipelineId>) -> bool {
        self.pipeline_id == pipeline.id && self.tenant == pipeline.tenant
    }

    /// Returns whether the run reuses an earlier success of the node.
    pub(crate) fn inherits(&self, node_index: NodeIndex) -> bool {
        let mut inherited = self.inherited.iter();
        inherited.any(|inherited| inherited.node_index == node_index)
    }

    /// Returns how often a caller has asked for this node, from 1.
    ///
    /// The generation grows when a resume re-executes the node on purpose: from a named node, or
    /// because its definition has changed. It stays the same over crashes, retries and resumes
    /// that only finish what was left.
    ///
    /// ```
    /// # use floret::{PipelineId, Run, RunId, Trigger};
    /// # let (id, pipeline) = (RunId::from_uuid(uuid::Uuid::nil()), PipelineId::new("daily")?);
    /// # let (date, at) = (chrono::NaiveDate::MIN, chrono::DateTime::UNIX_EPOCH);
    /// let mut run = Run::new(id, pipeline, 1, Trigger::Resume, date, at);
    /// run.generations.insert(1, 2);
    /// assert_eq!((run.generation(0), run.generation(1)), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn generation(&self, node_index: NodeIndex) -> u32 {
        self.generations.get(&node_index).copied().unwrap_or(1)
    }

    /// Returns the key by which a sink recognizes a repeated attempt at this node.
    pub(crate) fn attempt_key(&self, node_index: NodeIndex, node_id: &str) -> String {
        let generation = self.generation(node_index);
        format!("{}.{node_id}.{generation}", self.first_run)
    }
}

/// The output of a node that succeeded in an earlier run of the chain. The new run reuses it and
/// skips the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InheritedOutput {
    /// The index of the node in the new run.
    // Stores have the keys `place` and `from_place`.
    #[serde(rename = "place")]
    pub node_index: NodeIndex,
    /// The run that executed the node.
    pub from_run: RunId,
    /// The index of the node in that run.
    #[serde(rename = "from_place")]
    pub from_node_index: NodeIndex,
    /// The number of rows of the output.
    pub row_count: Option<u64>,
    /// The branch that the node has taken, if it takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<bool>,
    /// Whether the node returned a dataset.
    pub has_dataset: bool,
    /// The SHA-256 of the output that is stored there, or `None` if none is stored.
    pub output_hash: Option<[u8; 32]>,
}

impl InheritedOutput {
    /// Creates an entry for the node at `node_index`, which `from_run` executed as the node at
    /// `from_node_index`. Set the other public fields as needed.
    #[must_use]
    pub const fn new(node_index: NodeIndex, from_run: RunId, from_node_index: NodeIndex) -> Self {
        Self {
            node_index,
            from_run,
            from_node_index,
            row_count: None,
            branch: None,
            has_dataset: false,
            output_hash: None,
        }
    }
}
