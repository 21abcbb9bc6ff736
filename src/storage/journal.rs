//! The journal: the only write path of a running run.
//!
//! An entry becomes an event, a change of rows and a change of figures in one commit. The engine
//! decides what a run does next.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::model::{
    BackfillId, Level, NodeIndex, NodeStatus, Preview, Profile, RunId, RunStatus, UnstoredOutput,
};

/// A stored output of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputRef {
    /// The SHA-256 hash of all bytes.
    pub hash: [u8; 32],
    /// The number of bytes.
    pub length: u64,
    /// The number of chunks. 1 if the bytes travel with the outcome.
    pub chunk_count: u32,
}

impl OutputRef {
    /// Creates a reference to an output.
    #[must_use]
    pub const fn new(hash: [u8; 32], length: u64, chunk_count: u32) -> Self {
        Self {
            hash,
            length,
            chunk_count,
        }
    }
}

/// The outcome of a node.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FinishedNode {
    /// The node.
    pub node_index: NodeIndex,
    /// The node's status, which is terminal.
    pub status: NodeStatus,
    /// When the node finished.
    pub at: DateTime<Utc>,
    /// The last attempt, from 1. `None` if the node never started.
    pub attempt: Option<u32>,
    /// The number of rows of the output.
    pub row_count: Option<u64>,
    /// Milliseconds since the start of the last attempt.
    pub duration_ms: Option<u64>,
    /// Why the node failed.
    pub error: Option<String>,
    /// The run that executed the node, if this run reuses its output.
    pub reused_from: Option<crate::model::RunId>,
    /// The branch that the node has taken, if it takes one.
    pub branch: Option<bool>,
    /// Whether the output is a dataset, stored or not.
    pub has_dataset: bool,
    /// Why the output is not stored, if it is a dataset and is not.
    pub unstored: Option<UnstoredOutput>,
    /// The output, if it is stored.
    pub output: Option<OutputRef>,
    /// All bytes of `output`, if they travel with the outcome. `None` if they were written as
    /// chunks before.
    pub output_bytes: Option<Bytes>,
    /// The first rows of the output.
    pub preview: Option<Preview>,
}

impl FinishedNode {
    /// Creates an outcome with this status. The optional fields are empty.
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
            branch: None,
            has_dataset: false,
            unstored: None,
            output: None,
            output_bytes: None,
            preview: None,
        }
    }
}

/// An entry of a run's journal.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Entry {
    /// An attempt started: event `node.started`.
    ///
    /// Only the first start sets `queue_ms` and the start time of the node. Every start clears the
    /// error of the previous attempt.
    NodeStarted {
        /// The node.
        node_index: NodeIndex,
        /// The attempt, from 1.
        attempt: u32,
        /// How long the node waited for its slot, in milliseconds.
        queue_ms: u64,
        /// When the attempt started.
        at: DateTime<Utc>,
    },
    /// An attempt failed and another follows: event `node.retrying`. Until then the node is
    /// `pending`.
    NodeRetrying {
        /// The node.
        node_index: NodeIndex,
        /// The next attempt. The node keeps the number of the failed one until the next starts.
        attempt: u32,
        /// Why the attempt failed.
        error: String,
        /// The delay before the next attempt, in milliseconds: `duration_ms` of the event.
        delay_ms: u64,
        /// When the attempt failed.
        at: DateTime<Utc>,
    },
    /// A node starts again after its attempt was interrupted: event `node.recovered`, whose error
    /// is the reason. The node is `pending` and stays so.
    NodeRecovered {
        /// The node.
        node_index: NodeIndex,
        /// The interrupted attempt. The next start has the same number.
        attempt: u32,
        /// What interrupted the attempt.
        reason: String,
        /// When the node starts again.
        at: DateTime<Utc>,
    },
    /// A node finished: event `node.completed`, `node.failed`, `node.skipped` or `node.cancelled`.
    NodeFinished(Box<FinishedNode>),
    /// The profile of a finished node's output. It has no event.
    Profile {
        /// The node.
        node_index: NodeIndex,
        /// The profile.
        profile: Box<Profile>,
    },
    /// A log line: event `log`.
    Log {
        /// The node, or `None` for a line of the run.
        node_index: Option<NodeIndex>,
        /// The attempt that wrote the line.
        attempt: Option<u32>,
        /// The level.
        level: Level,
        /// The text.
        message: String,
        /// When the line was written.
        at: DateTime<Utc>,
    },
    /// The run finished: event `run.completed`, `run.failed` or `run.cancelled`.
    ///
    /// It is the last entry of a run. The event's `duration_ms` counts from the run's start.
    RunFinished {
        /// The run's status, which is terminal.
        status: RunStatus,
        /// The first error, if the run failed.
        error: Option<String>,
        /// When the run finished.
        at: DateTime<Utc>,
    },
}

/// A request to append entries, all of them or none.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// The epoch of the claim.
    pub epoch: u64,
    /// How many entries were appended before these.
    pub position: u64,
    /// The entries, in order. A repetition of the request shares them.
    pub entries: Arc<[Entry]>,
    /// The maximum size, in bytes, of an output that a successful run retains. See
    /// [`Journal::append`].
    pub result_bytes_max: u64,
}

impl Append {
    /// Creates a request under a claim, with a maximum of 1 MiB for retained outputs.
    #[must_use]
    pub fn new(run: RunId, epoch: u64, position: u64, entries: impl Into<Arc<[Entry]>>) -> Self {
        Self {
            run,
            epoch,
            position,
            entries: entries.into(),
            result_bytes_max: 1024 * 1024,
        }
    }
}

/// The result of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppendOutcome {
    /// The number of the newest event.
    pub seq: u64,
    /// The backfill whose other runs were cancelled because this run failed. A repeated append
    /// returns it again.
    pub cancelled_backfill: Option<BackfillId>,
    /// Whether the run has ended and other pipelines depend on its pipeline, so that a gate may be
    /// open or an end may wait ([`waiting_ends`](super::Dependencies::waiting_ends)). A repeated
    /// append returns it again.
    pub may_start_others: bool,
}

impl AppendOutcome {
    /// Creates a result without a cancelled backfill.
    #[must_use]
    pub const fn new(seq: u64) -> Self {
        Self {
            seq,
            cancelled_backfill: None,
            may_start_others: false,
        }
    }
}

/// Appends to the journals of running runs.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Appends entries to a run's journal.
    ///
    /// The events, node rows, previews, profiles, figures and the run's outcome MUST go into one
    /// commit, all or nothing.
    ///
    /// Checks, in this order:
    /// 1. Epoch: the append MUST be refused if its epoch is not that of the newest claim.
    /// 2. Position: an append whose `position` is lower than the current one MUST change nothing
    ///    and return `Ok`. A higher one MUST be refused.
    /// 3. Terminal: a finished run MUST take no entry.
    /// 4. Cancel: while a cancel is requested, the run MUST NOT finish with another status than
    ///    `cancelled`.
    /// 5. Transitions: [`NodeStatus::may_become`] and [`RunStatus::may_become`] MUST allow every
    ///    change of a status. An entry after `RunFinished`, a `NodeFinished` whose status is not
    ///    terminal, and a `NodeRecovered` of a node that is not `pending` are illegal.
    ///
    /// A finished node:
    /// - A `success` or `failed` node MUST set the run's claim count to 1.
    /// - `branch` and `unstored` MUST be returned with the node.
    /// - A `skipped` node with `reused_from` MUST take the inherited output.
    /// - `output_bytes` MUST replace all chunks that were written for the node. Bytes of another
    ///   length than `output` names are no output.
    ///
    /// A finished run:
    /// - With `failed` or `cancelled`, its unfinished nodes MUST finish with it, as
    ///   [`RunStatus::unstarted_node`] says.
    /// - With `success`, the outputs of its whole chain MUST be deleted, except those of this run's
    ///   nodes that have no downstream node and at most `result_bytes_max` bytes, and those of its
    ///   nodes that keep their output
    ///   ([`NodeIndexes::keeps_output`](super::NodeIndexes::keeps_output)).
    /// - With `failed`, the run MUST retain its outputs. So MUST a `cancelled` resume.
    /// - With `cancelled`, a run that is not a resume MUST lose its outputs.
    /// - If its failure reaches `max_failures` of its backfill, all other unfinished runs of the
    ///   backfill MUST be cancelled as by [`cancel_backfill`](super::Backfills::cancel_backfill).
    /// - If it was the last unfinished run of its backfill, the backfill MUST finish too.
    ///
    /// # Errors
    /// - `StaleEpoch`: the claim is lost.
    /// - `Internal`: `position` leaves a gap.
    /// - `RunFinished`: the run has finished.
    /// - `CancelRequested`: the run can only become `cancelled`.
    /// - `IllegalTransition`: an entry does not fit the status of its node or run.
    /// - `NotFound`: the run was purged. The append MUST NOT restore it.
    async fn append(&self, append: Append) -> Result<AppendOutcome>;
}
