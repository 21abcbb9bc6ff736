//! The tables: pipelines, runs, events, and what is found by them.
//!
//! A run's status changes through [`State::change_run`] and [`State::end_run`] alone, so that every index follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::MemoryOptions;
use super::backfills::BackfillRow;
use super::deliveries::NotifierCursors;
use super::events::EventLog;
use super::index::RunIndex;
use super::outputs::Kept;
use super::pipelines::{PipelineTable, Version};
use super::runs::KeyRow;
use super::settings::SettingTable;
use crate::error::{Error, Result};
use crate::model::{
    BackfillId, EventKind, NodeIndex, NodeRun, OwnerId, PipelineId, Preview, Profile, Run, RunId,
    RunStatus, Scope, StoredConnection, StoredVariable,
};
use crate::storage::{Operation, RunDetail, rules};

/// All that is remembered.
#[derive(Default)]
pub(super) struct State {
    pub(super) options: MemoryOptions,
    pub(super) is_closed: bool,
    pub(super) pipelines: PipelineTable,
    pub(super) connections: SettingTable<StoredConnection>,
    pub(super) variables: SettingTable<StoredVariable>,
    pub(super) runs: BTreeMap<RunId, RunRow>,
    pub(super) index: RunIndex,
    pub(super) events: EventLog,
    pub(super) backfills: BTreeMap<BackfillId, BackfillRow>,
    pub(super) cursors: NotifierCursors,
    pub(super) keys: BTreeMap<Key, KeyRow>,
    pub(super) ticks: BTreeMap<(PipelineId, DateTime<Utc>), RunId>,
    /// Outlives the purge of that run, so that ids go on growing.
    pub(super) newest_run: Option<RunId>,
}

/// What an idempotency key is found by.
pub(super) type Key = (Operation, String);

/// A run and all that belongs to it.
pub(super) struct RunRow {
    pub(super) run: Run,
    pub(super) version: Arc<Version>,
    pub(super) nodes: BTreeMap<NodeIndex, NodeRow>,
    pub(super) claim: ClaimRow,
    /// Entries appended; storage's own events aside.
    pub(super) position: u64,
    /// Own outputs and inherited ones; an own one takes the place of an inherited one.
    pub(super) outputs: BTreeMap<NodeIndex, Kept>,
    /// Chunks that no node's end has named yet.
    pub(super) staged: BTreeMap<NodeIndex, BTreeMap<u32, Bytes>>,
    /// The numbers of its events, growing.
    pub(super) seqs: Vec<u64>,
    pub(super) key: Option<Key>,
    pub(super) fire_at: Option<DateTime<Utc>>,
}

/// A node that has an entry.
pub(super) struct NodeRow {
    pub(super) node: NodeRun,
    pub(super) preview: Option<Preview>,
    pub(super) profile: Option<Profile>,
}

/// Who executes a run, and how often that was begun.
#[derive(Default)]
pub(super) struct ClaimRow {
    pub(super) owner: Option<OwnerId>,
    pub(super) lease_until: DateTime<Utc>,
    /// 0 before the first claim.
    pub(super) epoch: u64,
    /// Claims without progress.
    pub(super) count: u32,
}

impl State {
    pub(super) fn new(options: MemoryOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    pub(super) fn run(&self, id: RunId, scope: &Scope) -> Option<&RunRow> {
        let row = self.runs.get(&id)?;
        scope.admits(row.run.tenant.as_ref()).then_some(row)
    }

    pub(super) fn run_mut(&mut self, id: RunId) -> Result<&mut RunRow> {
        self.runs
            .get_mut(&id)
            .ok_or_else(|| Error::run_not_found(id))
    }

    /// Changes a run's status and times, and writes the event of it.
    pub(super) fn change_run(
        &mut self,
        id: RunId,
        kind: EventKind,
        at: DateTime<Utc>,
        change: impl FnOnce(&mut Run),
    ) -> Result<()> {
        let row = self
            .runs
            .get_mut(&id)
            .ok_or_else(|| Error::run_not_found(id))?;
        self.index.remove(&row.run);
        change(&mut row.run);
        self.index.insert(&row.run);
        row.seqs
            .push(self.events.push(rules::run_event(&row.run, kind, at)));
        Ok(())
    }

    /// Ends a run: status, claim, outputs, event, its backfill; then purges what is beyond the number of finished runs that are kept.
    pub(super) fn end_run(&mut self, id: RunId, end: RunEnd) -> Result<()> {
        let RunEnd {
            status,
            kind,
            error,
            at,
            result_bytes_max,
        } = end;
        self.change_run(id, kind, at, |run| {
            run.status = status;
            run.finished_at = Some(at);
            run.error = error;
        })?;
        let row = self.run_mut(id)?;
        row.claim.owner = None;
        row.staged.clear();
        let backfill = row.run.backfill_id;
        self.settle_outputs(id, result_bytes_max)?;
        if let Some(backfill) = backfill {
            self.settle_backfill(backfill, status, at)?;
        }
        self.purge_surplus();
        Ok(())
    }
}

/// How a run ends.
pub(super) struct RunEnd {
    pub(super) status: RunStatus,
    pub(super) kind: EventKind,
    pub(super) error: Option<String>,
    pub(super) at: DateTime<Utc>,
    pub(super) result_bytes_max: u64,
}

impl RunEnd {
    pub(super) const fn cancelled(at: DateTime<Utc>) -> Self {
        Self {
            status: RunStatus::Cancelled,
            kind: EventKind::RunCancelled,
            error: None,
            at,
            result_bytes_max: 0,
        }
    }

    pub(super) const fn failed(error: String, at: DateTime<Utc>) -> Self {
        Self {
            status: RunStatus::Failed,
            kind: EventKind::RunFailed,
            error: Some(error),
            at,
            result_bytes_max: 0,
        }
    }
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
        }
    }

    pub(super) fn node_runs(&self) -> Vec<NodeRun> {
        self.nodes
            .iter()
            .map(|(node_index, row)| NodeRun {
                output_hash: self.outputs.get(node_index).map(|kept| kept.output.hash),
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

    /// Puts nodes whose attempt was lost back to where the next one can begin.
    pub(super) fn put_back_nodes(&mut self) {
        self.nodes
            .values_mut()
            .for_each(|row| rules::put_back_node(&mut row.node));
    }
}
