//! The one write path of a running run: its journal.
//!
//! An entry is an event, a projection and a rollup in one commit.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::model::{BackfillId, Level, NodeIndex, NodeStatus, Preview, Profile, RunId, RunStatus};

/// The kept output of a node, whose chunks were written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputRef {
    /// SHA-256 of all bytes.
    pub hash: [u8; 32],
    /// How many bytes.
    pub length: u64,
    /// In how many chunks.
    pub chunk_count: u32,
}

impl OutputRef {
    /// An output of so many bytes and chunks.
    #[must_use]
    pub const fn new(hash: [u8; 32], length: u64, chunk_count: u32) -> Self {
        Self {
            hash,
            length,
            chunk_count,
        }
    }
}

/// How a node ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FinishedNode {
    /// The node.
    pub node_index: NodeIndex,
    /// A terminal status.
    pub status: NodeStatus,
    /// When.
    pub at: DateTime<Utc>,
    /// The attempt that ended it; none where it never ran.
    pub attempt: Option<u32>,
    /// Rows handed on.
    pub row_count: Option<u64>,
    /// From the start of the newest attempt, milliseconds.
    pub duration_ms: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
    /// The run that executed it, where this one reuses the output.
    pub reused_from: Option<crate::model::RunId>,
    /// Whether it handed on a dataset, kept or not.
    pub has_dataset: bool,
    /// The kept output.
    pub output: Option<OutputRef>,
    /// The first rows.
    pub preview: Option<Preview>,
}

impl FinishedNode {
    /// An end of this status; what is known more is set afterwards.
    #[must_use]
    pub const fn new(node_index: NodeIndex, status: NodeStatus, at: DateTime<Utc>) -> Self {
        Self {
            node_index,
            status,
            at,
            attempt: None,
            row_count: None,
            duration_ms: None,
            error: None,
            reused_from: None,
            has_dataset: false,
            output: None,
            preview: None,
        }
    }
}

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Entry {
    /// An attempt began: event `node.started`. `queue_ms` and `at` count for the first start only;
    /// the error of the attempt before goes.
    NodeStarted {
        /// The node.
        node_index: NodeIndex,
        /// The attempt, from 1.
        attempt: u32,
        /// How long the node waited for its slot, milliseconds.
        queue_ms: u64,
        /// When.
        at: DateTime<Utc>,
    },
    /// An attempt failed and another follows; the node is `pending` until then: event
    /// `node.retrying`.
    NodeRetrying {
        /// The node.
        node_index: NodeIndex,
        /// The attempt that follows; the node keeps the one before until this begins.
        attempt: u32,
        /// Why the one before failed.
        error: String,
        /// How long until then, milliseconds; `duration_ms` of the event.
        delay_ms: u64,
        /// When.
        at: DateTime<Utc>,
    },
    /// A node ended: event `node.completed`, `node.failed`, `node.skipped` or `node.cancelled`.
    NodeFinished(Box<FinishedNode>),
    /// The statistics of a finished node's output; no event.
    Profile {
        /// The node.
        node_index: NodeIndex,
        /// The statistics.
        profile: Box<Profile>,
    },
    /// A line of the log: event `log`.
    Log {
        /// The node; none for a line of the run.
        node_index: Option<NodeIndex>,
        /// The attempt that wrote it.
        attempt: Option<u32>,
        /// How important.
        level: Level,
        /// The text.
        message: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// The run ended: event `run.completed`, `run.failed` or `run.cancelled`, with `duration_ms`
    /// from the run's start; always the last entry.
    RunFinished {
        /// A terminal status.
        status: RunStatus,
        /// The first error, where it failed.
        error: Option<String>,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Entries to be appended together.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// The epoch of the claim.
    pub epoch: u64,
    /// How many entries were appended before these.
    pub position: u64,
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// Bytes up to which a succeeded run keeps the output of each of its last nodes.
    pub result_bytes_max: u64,
}

impl Append {
    /// Entries of a run under a claim.
    #[must_use]
    pub const fn new(run: RunId, epoch: u64, position: u64, entries: Vec<Entry>) -> Self {
        Self {
            run,
            epoch,
            position,
            entries,
            result_bytes_max: 1024 * 1024,
        }
    }
}

/// What an append answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppendOutcome {
    /// The newest event.
    pub seq: u64,
    /// The backfill whose rest was cancelled because this run failed. A repeated append returns it
    /// again.
    pub cancelled_backfill: Option<BackfillId>,
}

impl AppendOutcome {
    /// The newest event after an append.
    #[must_use]
    pub const fn new(seq: u64) -> Self {
        Self {
            seq,
            cancelled_backfill: None,
        }
    }
}

/// The journal of running runs.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Appends entries: events, node rows, previews, profiles, the run's end and rollups in one
    /// commit, all or nothing.
    ///
    /// Checked in this order: epoch, position, terminal, cancel, transitions
    /// ([`NodeStatus::may_become`], [`RunStatus::may_become`]). An append whose `position` was
    /// already passed MUST answer Ok and change nothing. A terminal entry other than `cancelled`
    /// MUST be refused while a cancel is requested. An entry behind the run's end, and a
    /// `NodeFinished` with a status that is not terminal, are illegal transitions. A node that ends
    /// (`NodeFinished` with `success` or `failed`) MUST set the run's claim count to 1. A node
    /// `skipped` because it is reused (`reused_from`) takes over the inherited output.
    ///
    /// With the run's end MUST go: on `success` the kept outputs of the whole chain, but those of
    /// this run's nodes without downstream that have at most `result_bytes_max` bytes; a `failed`
    /// run and a cancelled resume keep theirs; a `cancelled` run that resumes nothing drops them.
    /// With the failure that reaches its backfill's `max_failures` all other unfinished runs of it
    /// MUST be cancelled as by [`cancel_backfill`](super::Backfills::cancel_backfill), and with its
    /// last unfinished run a backfill MUST end.
    ///
    /// # Errors
    /// `StaleEpoch`; `Internal` when `position` leaves a gap; `RunFinished`; `CancelRequested`;
    /// `IllegalTransition`; `NotFound` for a purged run, which it MUST NOT bring back.
    async fn append(&self, append: Append) -> Result<AppendOutcome>;
}
