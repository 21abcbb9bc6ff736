//! The rows of the tables: plain data, with the questions that a single row can answer.
//!
//! The tables are left to `state`, and changes of rows to the file of each noun.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::rules;
use crate::error::Result;
use crate::graph::Graph;
use crate::model::{
    Backfill, BackfillId, NodeIndex, NodeRun, OwnerId, Pipeline, PipelineId, Preview, Profile,
    Qualified, Run, RunId, SkipReason, StoredPipeline,
};
use crate::storage::{IdempotentOperation, RunDetail};

/// A run with its nodes, claim, outputs and the numbers of its events.
pub(super) struct RunRow {
    pub(super) run: Run,
    pub(super) version: Arc<Version>,
    pub(super) nodes: BTreeMap<NodeIndex, NodeRow>,
    pub(super) claim: ClaimRow,
    /// How many entries were appended. Events that storage adds do not count.
    pub(super) position: u64,
    /// Its own outputs and inherited ones. An own output replaces an inherited one.
    pub(super) outputs: BTreeMap<NodeIndex, OutputRow>,
    /// Chunks that no node outcome has named yet.
    pub(super) staged: BTreeMap<NodeIndex, BTreeMap<u32, Bytes>>,
    /// The numbers of its events, in ascending order.
    pub(super) seqs: Vec<u64>,
    pub(super) key: Option<Key>,
    pub(super) fire_at: Option<DateTime<Utc>>,
    /// Whether it failed and a resume of it has succeeded. Its backfill counts it as a success.
    pub(super) is_recovered: bool,
}

/// A node that has an entry.
pub(super) struct NodeRow {
    pub(super) node: NodeRun,
    pub(super) preview: Option<Preview>,
    pub(super) profile: Option<Profile>,
}

/// The claim of a run: its owner, its lease, and how often it was claimed.
#[derive(Default)]
pub(super) struct ClaimRow {
    pub(super) owner: Option<OwnerId>,
    pub(super) lease_until: DateTime<Utc>,
    /// 0 before the first claim.
    pub(super) epoch: u64,
    /// Claims without progress.
    pub(super) count: u32,
}

/// An output that a run holds. Several runs of a chain may hold the same bytes.
#[derive(Clone)]
pub(super) struct OutputRow {
    /// The run that executed the node, and the index of the node there.
    pub(super) made_by: (RunId, NodeIndex),
    pub(super) output: Arc<OutputBytes>,
}

/// The bytes of an output, shared by the runs that hold it.
pub(super) struct OutputBytes {
    pub(super) hash: [u8; 32],
    pub(super) length: u64,
    pub(super) chunks: Vec<Bytes>,
}

impl RunRow {
    pub(super) fn new(run: Run, version: Arc<Version>) -> Self {
        Self {
            run,
            version,
            nodes: BTreeMap::new(),
            claim: ClaimRow::default(),
            position: 0,
            outputs: BTreeMap::new(),
            staged: BTreeMap::new(),
            seqs: Vec::new(),
            key: None,
            fire_at: None,
            is_recovered: false,
        }
    }

    pub(super) fn node_runs(&self) -> Vec<NodeRun> {
        self.nodes
            .iter()
            .map(|(node_index, row)| NodeRun {
                output_hash: self.outputs.get(node_index).map(|held| held.output.hash),
                ..row.node.clone()
            })
            .collect()
    }

    pub(super) fn detail(&self) -> RunDetail {
        RunDetail::new(
            self.run.clone(),
            Arc::clone(&self.version.definition),
            self.node_runs(),
        )
    }

    /// Releases the run without charging its claim.
    pub(super) fn release(&mut self) {
        self.claim.count = self.claim.count.saturating_sub(1);
        self.disown();
    }

    /// Takes the run from its owner, so that it is an orphan at once.
    pub(super) fn disown(&mut self) {
        self.claim.owner = None;
        self.reset_nodes();
    }

    /// Resets the nodes whose attempt was lost, so that the next attempt can start.
    pub(super) fn reset_nodes(&mut self) {
        self.nodes
            .values_mut()
            .for_each(|row| rules::reset_node(&mut row.node));
    }
}

/// A version of a definition with its graph.
pub(super) struct Version {
    pub(super) definition: Arc<Pipeline>,
    pub(super) graph: Arc<Graph>,
}

impl Version {
    pub(super) fn new(definition: Arc<Pipeline>) -> Result<Self> {
        let graph = Arc::new(Graph::new(&definition)?);
        Ok(Self { definition, graph })
    }
}

/// A backfill. Its counts are left to the index.
pub(super) struct BackfillRow {
    pub(super) backfill: Backfill,
    pub(super) outcomes: rules::BackfillOutcomes,
    /// Whether a caller has requested its cancel. Otherwise its failures did.
    pub(super) is_cancel_requested: bool,
}

/// The cursor of a schedule, and what its last ticks did.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScheduleRow {
    pub(super) cursor: DateTime<Utc>,
    pub(super) last_run: Option<DateTime<Utc>>,
    pub(super) skipped: Option<SkipReason>,
}

/// An idempotency key with its operation.
pub(super) type Key = (IdempotentOperation, String);

/// The result of the first request with an idempotency key.
pub(super) struct KeyRow {
    pub(super) body_hash: [u8; 32],
    pub(super) pipeline: Qualified<PipelineId>,
    pub(super) run_ids: Vec<RunId>,
    pub(super) backfill: Option<BackfillId>,
}

impl ScheduleRow {
    /// Returns the schedule that a pipeline has once it is saved.
    pub(super) fn after_save(
        row: Option<Self>,
        before: Option<&StoredPipeline>,
        after: &StoredPipeline,
    ) -> Option<Self> {
        let before = before.map(|stored| &*stored.definition);
        match rules::schedule_change(before, &after.definition) {
            rules::ScheduleChange::Start => Some(Self {
                cursor: after.updated_at,
                last_run: row.and_then(|row| row.last_run),
                skipped: None,
            }),
            rules::ScheduleChange::Keep => row,
            rules::ScheduleChange::Remove => None,
        }
    }
}
