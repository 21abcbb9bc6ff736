//! The tables: pipelines, runs, events, and the indexes that find them.
//!
//! Rows are left to `rows`. The file of each noun reads and changes the tables.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::audit_table::AuditTable;
use super::cursor_table::CursorTable;
use super::event_log::EventLog;
use super::index::RunIndex;
use super::options::MemoryOptions;
use super::pipeline_table::PipelineTable;
use super::rows::{BackfillRow, Key, KeyRow, RunRow};
use super::settings::SettingTable;
use crate::error::{Error, Result};
use crate::model::{
    BackfillId, PipelineId, Qualified, RunId, Scope, StoredConnection, StoredVariable,
};
use crate::storage::UpstreamEnd;
use crate::storage::finished_changes::FinishedChanges;

/// All tables of a storage.
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
    pub(super) cursors: CursorTable,
    pub(super) keys: BTreeMap<Key, KeyRow>,
    pub(super) ticks: BTreeMap<(Qualified<PipelineId>, DateTime<Utc>), RunId>,
    /// The ends that wait, by dependent pipeline and upstream run.
    pub(super) waiting_ends: BTreeMap<Qualified<PipelineId>, BTreeMap<RunId, UpstreamEnd>>,
    /// The runs that an upstream run has started.
    pub(super) upstream_runs: BTreeSet<(Qualified<PipelineId>, RunId)>,
    /// The greatest id so far. It survives the purge of that run, so that ids keep growing.
    pub(super) newest_run: Option<RunId>,
    pub(super) finished_changes: FinishedChanges,
    pub(super) audits: AuditTable,
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
}
