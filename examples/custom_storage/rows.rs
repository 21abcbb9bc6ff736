//! All rows in plain collections, and the queries that several traits share.
//!
//! The lock and the trail are in `audited`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use floret::storage::{
    BackfillDetail, DependencyTable, IdempotentOperation, NodeIndex, NodeIndexes, OutputRef,
    OwnerId, ParkedEvent, Qualified, RunDetail, StoredConnection, StoredPipeline, StoredVariable,
    TokenHash, UpstreamEnd, VariableKey,
};
use floret::{
    AuditEntry, AuditId, Backfill, BackfillCounts, BackfillId, BackfillRun, ConnectionId, Error,
    Event, EventKind, NodeRun, Pipeline, PipelineId, Preview, Profile, Result, Run, RunId,
    RunStatus, Scope, SkipReason, Trigger,
};

use crate::versioned::VersionedMap;

/// A version of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VersionRow {
    pub(crate) definition: Arc<Pipeline>,
    pub(crate) saved_at: DateTime<Utc>,
    /// When its pipeline was created. A later pipeline may have the same id.
    pub(crate) created_at: DateTime<Utc>,
}

/// Everything that is stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) pipelines: VersionedMap<PipelineId, StoredPipeline>,
    /// Every definition that was ever saved, because a run reads its own until it is purged.
    pub(crate) versions: BTreeMap<(Qualified<PipelineId>, u32), VersionRow>,
    pub(crate) connections: VersionedMap<ConnectionId, StoredConnection>,
    pub(crate) variables: VersionedMap<VariableKey, StoredVariable>,
    pub(crate) runs: BTreeMap<RunId, RunRow>,
    pub(crate) newest_run: Option<RunId>,
    /// By the run that wrote them, which can be purged while a resume inherits them.
    pub(crate) outputs: BTreeMap<(RunId, NodeIndex), OutputRow>,
    pub(crate) keys: BTreeMap<(IdempotentOperation, String), KeyRow>,
    pub(crate) backfills: BTreeMap<BackfillId, BackfillRow>,
    /// The definition in the latest save of each pipeline by code.
    pub(crate) by_code: BTreeMap<Qualified<PipelineId>, Arc<Pipeline>>,
    /// The token of the webhook in the latest save of each pipeline by code.
    pub(crate) tokens_by_code: BTreeMap<Qualified<PipelineId>, TokenHash>,
    pub(crate) schedules: BTreeMap<Qualified<PipelineId>, ScheduleRow>,
    pub(crate) dependencies: DependencyTable,
    /// By dependent pipeline and upstream run.
    pub(crate) waiting_ends: BTreeMap<Qualified<PipelineId>, BTreeMap<RunId, UpstreamEnd>>,
    pub(crate) cursors: BTreeMap<String, CursorRow>,
    pub(crate) events: BTreeMap<u64, Event>,
    /// The sequence number of the newest event, even if it was purged.
    pub(crate) seq: u64,
    pub(crate) purged_seq: u64,
    pub(crate) audits: BTreeMap<AuditId, AuditEntry>,
    /// The number of the newest entry of the audit, even if it was deleted.
    pub(crate) audit_number: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunRow {
    pub(crate) run: Run,
    pub(crate) fire_at: Option<DateTime<Utc>>,
    /// The trigger of the first run of its chain.
    pub(crate) origin: Trigger,
    pub(crate) epoch: u64,
    pub(crate) owner: Option<OwnerId>,
    pub(crate) lease_until: DateTime<Utc>,
    pub(crate) claim_count: u32,
    pub(crate) position: u64,
    /// Whether its failure cancelled the remaining runs of its backfill.
    pub(crate) has_cancelled_backfill: bool,
    /// Whether it failed and a resume of it has succeeded. Its backfill counts it as a success.
    pub(crate) is_recovered: bool,
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
    /// The reference from the node's outcome. Until then, the chunks are no output.
    pub(crate) reference: Option<OutputRef>,
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
    /// Whether a caller has requested its cancel.
    pub(crate) is_cancel_requested: bool,
    /// The number of runs that failed, purged ones included.
    pub(crate) failed: u64,
    /// The number of runs that were cancelled, purged ones included.
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
    /// Records an event of a run and returns it, so the caller can set its other fields.
    pub(crate) fn record_event(
        &mut self,
        run: &Run,
        kind: EventKind,
        at: DateTime<Utc>,
    ) -> &mut Event {
        self.seq = self.seq.saturating_add(1);
        let mut event = Event::new(self.seq, kind, run.id, run.pipeline_id.clone(), at);
        event.tenant = run.tenant.clone();
        event.traceparent = run.traceparent;
        self.events.entry(self.seq).or_insert(event)
    }

    pub(crate) fn events_after(&self, seq: u64) -> impl Iterator<Item = &Event> {
        self.events
            .range(seq.saturating_add(1)..)
            .map(|(_, event)| event)
    }

    /// Returns the events before a number, the newest first.
    pub(crate) fn events_before(&self, seq: u64) -> impl Iterator<Item = &Event> {
        self.events.range(..seq).rev().map(|(_, event)| event)
    }

    pub(crate) fn run(&self, id: RunId, scope: &Scope) -> Option<&RunRow> {
        let row = self.runs.get(&id)?;
        scope.admits(row.run.tenant.as_ref()).then_some(row)
    }

    /// Returns the row of an existing run.
    pub(crate) fn run_mut(&mut self, id: RunId) -> Result<&mut RunRow> {
        self.runs
            .get_mut(&id)
            .ok_or_else(|| Error::run_not_found(id))
    }

    pub(crate) fn runs_of(
        &self,
        pipeline: &Qualified<PipelineId>,
    ) -> impl Iterator<Item = &RunRow> {
        let is_of = |row: &&RunRow| row.run.qualified_pipeline() == *pipeline;
        self.runs.values().filter(is_of)
    }

    pub(crate) fn runs_in(&self, backfill: BackfillId) -> impl Iterator<Item = &RunRow> {
        let is_in = move |row: &&RunRow| row.run.backfill_id == Some(backfill);
        self.runs.values().filter(is_in)
    }

    pub(crate) fn definition(&self, run: &Run) -> Result<Arc<Pipeline>> {
        let key = (run.qualified_pipeline(), run.pipeline_version);
        let missing = || Error::internal(format!("version {} of {} is missing", key.1, key.0));
        let row = self.versions.get(&key).ok_or_else(missing)?;
        Ok(Arc::clone(&row.definition))
    }

    pub(crate) fn node_indexes(&self, run: &Run) -> Result<NodeIndexes> {
        NodeIndexes::new(self.definition(run)?.as_ref())
    }

    /// Returns the run and node whose output a node has: its own once it executes, else the one
    /// that it inherits. A run that was cancelled and is no resume holds nothing that it inherits.
    pub(crate) fn source(&self, row: &RunRow, node_index: NodeIndex) -> (RunId, NodeIndex) {
        let own = (row.run.id, node_index);
        let run = &row.run;
        let holds = run.status != RunStatus::Cancelled || run.resumed_from.is_some();
        let mut inherited = run.inherited.iter().filter(|_| holds);
        let Some(other) = inherited.find(|other| other.node_index == node_index) else {
            return own;
        };
        let own_row = row.nodes.get(&node_index);
        let executes = own_row.is_some_and(|row| row.node.reused_from.is_none());
        let origin = (other.from_run, other.from_node_index);
        let reference = self
            .outputs
            .get(&origin)
            .and_then(|output| output.reference);
        let has_expected_hash =
            reference.is_some_and(|reference| Some(reference.hash) == other.output_hash);
        if has_expected_hash && !executes {
            origin
        } else {
            own
        }
    }

    pub(crate) fn nodes(&self, row: &RunRow) -> Vec<NodeRun> {
        let nodes = row.nodes.values().map(|row_of_node| {
            let mut node = row_of_node.node.clone();
            let output = self.outputs.get(&self.source(row, node.node_index));
            let is_finished = node.status.is_terminal();
            let reference = output
                .and_then(|output| output.reference)
                .filter(|_| is_finished);
            node.output_hash = reference.map(|reference| reference.hash);
            node
        });
        nodes.collect()
    }

    pub(crate) fn detail(&self, row: &RunRow) -> Result<RunDetail> {
        let definition = self.definition(&row.run)?;
        Ok(RunDetail::new(row.run.clone(), definition, self.nodes(row)))
    }

    /// Returns a backfill with its runs and their counts.
    pub(crate) fn backfill(&self, id: BackfillId, scope: &Scope) -> Option<BackfillDetail> {
        let mut backfill = self.backfills.get(&id)?.backfill.clone();
        scope.admits(backfill.tenant.as_ref()).then_some(())?;
        let mut runs: Vec<_> = self
            .runs_in(id)
            .map(|row| {
                let run = &row.run;
                let mut found = BackfillRun::new(run.id, run.date, run.status);
                found.scheduled_at = run.scheduled_at;
                found
            })
            .collect();
        runs.sort_by_key(|run| run.id);
        backfill.counts = BackfillCounts::default();
        for row in self.runs_in(id) {
            let counts = &mut backfill.counts;
            match row.run.status {
                RunStatus::Pending => counts.pending += 1,
                RunStatus::Running => counts.running += 1,
                RunStatus::Success => counts.success += 1,
                RunStatus::Failed if row.is_recovered => counts.success += 1,
                RunStatus::Failed => counts.failed += 1,
                RunStatus::Cancelled => counts.cancelled += 1,
                _ => {}
            }
        }
        Some(BackfillDetail::new(backfill, runs))
    }
}
