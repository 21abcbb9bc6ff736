//! Everything that is kept, in plain collections, and what several nouns do to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use floret::storage::{
    BackfillDetail, IdempotentOperation, NodeIndexes, OutputRef, ParkedEvent, RunDetail,
};
use floret::{
    Backfill, BackfillCounts, BackfillId, BackfillRun, ConnectionId, Error, Event, EventKind,
    NodeIndex, NodeRun, OwnerId, Pipeline, PipelineId, Preview, Profile, Result, Run, RunId,
    RunStatus, Scope, SkipReason, StoredConnection, StoredPipeline, StoredVariable, Trigger,
    VariableKey,
};

use crate::shelf::Shelf;

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) pipelines: Shelf<PipelineId, StoredPipeline>,
    /// Every definition that was ever saved: a run reads its own as long as it is there.
    pub(crate) versions: BTreeMap<(PipelineId, u32), Arc<Pipeline>>,
    pub(crate) connections: Shelf<ConnectionId, StoredConnection>,
    pub(crate) variables: Shelf<VariableKey, StoredVariable>,
    pub(crate) runs: BTreeMap<RunId, RunRow>,
    pub(crate) newest_run: Option<RunId>,
    /// By the run that made them, which may be purged while a resume inherits them.
    pub(crate) outputs: BTreeMap<(RunId, NodeIndex), OutputRow>,
    pub(crate) keys: BTreeMap<(IdempotentOperation, String), KeyRow>,
    pub(crate) backfills: BTreeMap<BackfillId, BackfillRow>,
    pub(crate) schedules: BTreeMap<PipelineId, ScheduleRow>,
    pub(crate) cursors: BTreeMap<String, CursorRow>,
    pub(crate) events: BTreeMap<u64, Event>,
    /// The number of the newest event, also of a purged one.
    pub(crate) seq: u64,
    pub(crate) purged_seq: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunRow {
    pub(crate) run: Run,
    pub(crate) fire_at: Option<DateTime<Utc>>,
    /// What made the first run of its chain.
    pub(crate) origin: Trigger,
    pub(crate) epoch: u64,
    pub(crate) owner: Option<OwnerId>,
    pub(crate) lease_until: DateTime<Utc>,
    pub(crate) claim_count: u32,
    pub(crate) position: u64,
    /// Whether its failure cancelled the rest of its backfill.
    pub(crate) cancelled_rest: bool,
    pub(crate) nodes: BTreeMap<NodeIndex, NodeRow>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeRow {
    pub(crate) node: NodeRun,
    pub(crate) preview: Option<Preview>,
    pub(crate) profile: Option<Profile>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct OutputRow {
    pub(crate) chunks: BTreeMap<u32, Bytes>,
    /// Given by the node's end; until then nobody sees the chunks.
    pub(crate) named: Option<OutputRef>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyRow {
    pub(crate) body_hash: [u8; 32],
    pub(crate) run_ids: Vec<RunId>,
    pub(crate) backfill: Option<BackfillId>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BackfillRow {
    pub(crate) backfill: Backfill,
    /// Runs that failed and that were cancelled, purged ones among them.
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScheduleRow {
    pub(crate) cursor: DateTime<Utc>,
    pub(crate) last_run: Option<DateTime<Utc>>,
    pub(crate) skipped: Option<SkipReason>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CursorRow {
    pub(crate) seq: u64,
    pub(crate) seen_at: DateTime<Utc>,
    pub(crate) parked: BTreeMap<u64, ParkedEvent>,
}

impl Rows {
    /// Writes an event of a run; its other fields are set by the caller.
    pub(crate) fn tell(&mut self, run: &Run, kind: EventKind, at: DateTime<Utc>) -> &mut Event {
        self.seq = self.seq.saturating_add(1);
        let mut event = Event::new(self.seq, kind, run.id, run.pipeline_id.clone(), at);
        event.tenant = run.tenant.clone();
        self.events.entry(self.seq).or_insert(event)
    }

    pub(crate) fn events_after(&self, seq: u64) -> impl Iterator<Item = &Event> {
        self.events
            .range(seq.saturating_add(1)..)
            .map(|(_, event)| event)
    }

    pub(crate) fn run(&self, id: RunId, scope: &Scope) -> Option<&RunRow> {
        let row = self.runs.get(&id)?;
        scope.admits(row.run.tenant.as_ref()).then_some(row)
    }

    /// The row of a run that is there.
    pub(crate) fn run_mut(&mut self, id: RunId) -> Result<&mut RunRow> {
        self.runs
            .get_mut(&id)
            .ok_or_else(|| Error::run_not_found(id))
    }

    pub(crate) fn runs_of(&self, pipeline: &PipelineId) -> impl Iterator<Item = &RunRow> {
        let is_of = |row: &&RunRow| row.run.pipeline_id == *pipeline;
        self.runs.values().filter(is_of)
    }

    pub(crate) fn runs_in(&self, backfill: BackfillId) -> impl Iterator<Item = &RunRow> {
        let is_in = move |row: &&RunRow| row.run.backfill_id == Some(backfill);
        self.runs.values().filter(is_in)
    }

    pub(crate) fn definition(&self, run: &Run) -> Result<Arc<Pipeline>> {
        let key = (run.pipeline_id.clone(), run.pipeline_version);
        let missing = || Error::internal(format!("version {} of {} is not kept", key.1, key.0));
        self.versions.get(&key).cloned().ok_or_else(missing)
    }

    pub(crate) fn node_indexes(&self, run: &Run) -> Result<NodeIndexes> {
        NodeIndexes::new(self.definition(run)?.as_ref())
    }

    /// Whose output a node of a run has: its own once it executes, else the very one that it
    /// inherits.
    pub(crate) fn source(&self, row: &RunRow, node_index: NodeIndex) -> (RunId, NodeIndex) {
        let own = (row.run.id, node_index);
        let mut inherited = row.run.inherited.iter();
        let Some(other) = inherited.find(|other| other.node_index == node_index) else {
            return own;
        };
        let kept = row.nodes.get(&node_index);
        let executes = kept.is_some_and(|kept| kept.node.reused_from.is_none());
        let theirs = (other.from_run, other.from_node_index);
        let named = self.outputs.get(&theirs).and_then(|output| output.named);
        let is_meant = named.is_some_and(|named| Some(named.hash) == other.output_hash);
        if is_meant && !executes { theirs } else { own }
    }

    pub(crate) fn nodes(&self, row: &RunRow) -> Vec<NodeRun> {
        let nodes = row.nodes.values().map(|kept| {
            let mut node = kept.node.clone();
            let output = self.outputs.get(&self.source(row, node.node_index));
            let is_ended = node.status.is_terminal();
            let named = output.and_then(|output| output.named).filter(|_| is_ended);
            node.output_hash = named.map(|named| named.hash);
            node
        });
        nodes.collect()
    }

    pub(crate) fn detail(&self, row: &RunRow) -> Result<RunDetail> {
        let definition = self.definition(&row.run)?;
        Ok(RunDetail::new(row.run.clone(), definition, self.nodes(row)))
    }

    /// A backfill as its row and its runs tell.
    pub(crate) fn backfill(&self, id: BackfillId, scope: &Scope) -> Option<BackfillDetail> {
        let mut backfill = self.backfills.get(&id)?.backfill.clone();
        scope.admits(backfill.tenant.as_ref()).then_some(())?;
        let mut runs: Vec<_> = self
            .runs_in(id)
            .map(|row| BackfillRun::new(row.run.id, row.run.date, row.run.status))
            .collect();
        runs.sort_by_key(|run| (run.date, run.id));
        backfill.counts = BackfillCounts::default();
        for run in &runs {
            let counts = &mut backfill.counts;
            match run.status {
                RunStatus::Pending => counts.pending += 1,
                RunStatus::Running => counts.running += 1,
                RunStatus::Success => counts.success += 1,
                RunStatus::Failed => counts.failed += 1,
                RunStatus::Cancelled => counts.cancelled += 1,
                _ => {}
            }
        }
        Some(BackfillDetail::new(backfill, runs))
    }
}
