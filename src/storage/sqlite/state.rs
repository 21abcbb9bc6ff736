//! The writer's memory: the next numbers, the queue lanes, running runs and cached pipelines.
//!
//! It is read from the rows when a store is opened and after a failed group. A step changes both.
//! The lanes are in `lanes`, open backfills in `open_backfills`, and pipelines in
//! `cached_pipelines`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, Row};

use super::cached_pipelines::CachedPipelines;
use super::definitions::{Definition, Definitions};
use super::dependency_rules;
use super::lanes::{LaneKey, Lanes};
use super::meta::{Meta, newest_run, next_key, next_seq};
use super::minutes::CountedDays;
use super::open_backfills::OpenBackfills;
use super::query::readable_rows;
use super::store_error::StoreError;
use super::unreadable::UnreadableRows;
use super::values::{
    self, NUMBERS_END, RUN_KEYS_END, millis, owner_id, run_id, to_cancel, to_rank, to_u32, to_u64,
};
use crate::model::{Cancel, LaneClass, NodeIndex, NodeStatus, OwnerId, Run, RunId, TenantId};
use crate::storage::{DependencyTable, rules};

/// The writer's memory.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) next_run: i64,
    pub(super) next_seq: i64,
    pub(super) next_pipeline: i64,
    pub(super) next_definition: i64,
    pub(super) commit_no: i64,
    /// Whether a stored number of [`Meta`] is missing or cannot be read.
    pub(super) is_meta_damaged: bool,
    /// Survives the purge of that run, so that ids keep growing.
    pub(super) newest_run: Option<RunId>,
    pub(super) counted_days: CountedDays,
    pub(super) lanes: Lanes,
    pub(super) backfills: OpenBackfills,
    pub(super) dependencies: DependencyTable,
    pub(super) running: HashMap<RunId, ActiveRun>,
    running_in_pipeline: HashMap<i64, u64>,
    running_in_backfill: HashMap<i64, u64>,
    /// The running runs of each pipeline to which the overlap rule applies.
    schedules_executing: HashMap<i64, u64>,
    pub(super) pipelines: CachedPipelines,
    pub(super) definitions: Definitions,
}

/// A running run.
#[derive(Debug)]
pub(super) struct ActiveRun {
    pub(super) key: i64,
    pub(super) pipeline: i64,
    pub(super) class: LaneClass,
    pub(super) tenant: Option<TenantId>,
    /// The figures count the run by the day of this time.
    pub(super) created_at: i64,
    pub(super) backfill: Option<i64>,
    pub(super) concurrency_key: Option<String>,
    pub(super) cancel: Option<Cancel>,
    pub(super) owner: Option<OwnerId>,
    pub(super) lease_until: i64,
    pub(super) epoch: u64,
    pub(super) claims: u32,
    /// `None` until a step needs it.
    pub(super) cached: Option<Box<CachedRun>>,
}

/// The rows of a running run, as far as appends need them.
#[derive(Debug)]
pub(super) struct CachedRun {
    pub(super) run: Run,
    pub(super) definition: Arc<Definition>,
    pub(super) position: u64,
    pub(super) nodes: BTreeMap<NodeIndex, NodeStatus>,
    /// Whether the run has outputs, including inherited ones.
    pub(super) has_outputs: bool,
    /// Whether the run has chunks that no entry has named.
    pub(super) has_staged: bool,
}

impl ActiveRun {
    /// Creates the entry of a pending run for its first claim.
    pub(super) fn pending(key: i64, lane: LaneKey, run: &Run) -> Self {
        Self {
            key,
            pipeline: lane.pipeline,
            backfill: lane.backfill,
            class: lane.rank.class,
            concurrency_key: run.concurrency.as_ref().map(|own| own.key.clone()),
            tenant: run.tenant.clone(),
            created_at: millis(run.created_at),
            cancel: None,
            owner: None,
            lease_until: 0,
            epoch: 0,
            claims: 0,
            cached: None,
        }
    }
}

impl CachedRun {
    /// Returns the status of a node.
    pub(super) fn status(&self, node_index: NodeIndex) -> NodeStatus {
        self.nodes
            .get(&node_index)
            .copied()
            .unwrap_or(NodeStatus::Pending)
    }

    /// Returns the status of a node, or `None` if the graph has no node at this index.
    pub(super) fn node_status(&self, node_index: NodeIndex) -> Option<NodeStatus> {
        self.definition.graph.id(node_index)?;
        Some(self.status(node_index))
    }
}

impl State {
    /// Reads everything but the caches, which fill on demand. Skips what cannot be read.
    pub(super) fn load(conn: &Connection, unreadable: &UnreadableRows) -> Result<Self, StoreError> {
        let mut state = Self::load_without_lanes(conn, unreadable)?;
        state.load_lanes(conn, unreadable)?;
        Ok(state)
    }

    /// Reads everything but the caches and the lanes.
    pub(super) fn load_without_lanes(
        conn: &Connection,
        unreadable: &UnreadableRows,
    ) -> Result<Self, StoreError> {
        let meta = Meta::load(conn, unreadable)?;
        let mut state = Self {
            next_run: meta.next_run.max(next_key(conn, "runs", RUN_KEYS_END)?),
            next_seq: meta.next_seq.max(next_seq(conn)?),
            next_pipeline: next_key(conn, "pipelines", NUMBERS_END)?,
            next_definition: next_key(conn, "definitions", NUMBERS_END)?,
            commit_no: meta.commit_no,
            is_meta_damaged: meta.is_damaged,
            newest_run: newest_run(conn)?,
            counted_days: CountedDays::load(conn, unreadable)?,
            backfills: OpenBackfills::load(conn, unreadable)?,
            dependencies: dependency_rules::load(conn, unreadable)?,
            ..Self::default()
        };
        let sql = format!("SELECT {ACTIVE_RUN} FROM runs WHERE finished_at IS NULL AND status = 1");
        let running = readable_rows(conn, (unreadable, "a running run"), &sql, [], |row| {
            Ok((active_run_id(row)?, read_active_run(row)?))
        })?;
        for (run, active) in running {
            state.add_running(run, active);
        }
        Ok(state)
    }

    /// Counts the pending runs of each lane. Runs with a damaged priority or status stay as they
    /// are.
    fn load_lanes(
        &mut self,
        conn: &Connection,
        unreadable: &UnreadableRows,
    ) -> Result<(), StoreError> {
        let sql = "SELECT priority, pipeline, backfill, status, count(*) FROM runs \
             WHERE finished_at IS NULL AND status <> 1 GROUP BY priority, pipeline, backfill, status";
        let lanes = readable_rows(conn, (unreadable, "a pending run"), sql, [], |row| {
            let lane = LaneKey::read(row.get(0)?, row.get(1)?, row.get(2)?)?;
            match row.get(3)? {
                0 => Ok((lane, to_u64(row.get(4)?))),
                status => Err(StoreError::unreadable("a run's status", status)),
            }
        })?;
        for (lane, count) in lanes {
            let order = self.backfills.order(lane.backfill);
            self.lanes.add_counted(lane, order, count);
        }
        Ok(())
    }

    /// Adds a running run to the memory and its counts.
    pub(super) fn add_running(&mut self, run: RunId, active: ActiveRun) {
        *self.running_in_pipeline.entry(active.pipeline).or_default() += 1;
        if let Some(backfill) = active.backfill {
            *self.running_in_backfill.entry(backfill).or_default() += 1;
        }
        if rules::runs_one_at_a_time(active.class) {
            *self.schedules_executing.entry(active.pipeline).or_default() += 1;
        }
        self.running.insert(run, active);
    }

    /// Subtracts a run that no longer executes from the counts.
    pub(super) fn subtract_running(&mut self, active: &ActiveRun) {
        decrement(&mut self.running_in_pipeline, active.pipeline);
        if rules::runs_one_at_a_time(active.class) {
            decrement(&mut self.schedules_executing, active.pipeline);
        }
        if let Some(backfill) = active.backfill {
            decrement(&mut self.running_in_backfill, backfill);
        }
    }

    /// Returns whether a run of this pipeline's schedule is still executing.
    pub(super) fn is_schedule_executing(&self, pipeline: i64) -> bool {
        self.schedules_executing.contains_key(&pipeline)
    }

    /// Returns how many runs of a pipeline are running.
    pub(super) fn running_in_pipeline(&self, pipeline: i64) -> u64 {
        self.running_in_pipeline
            .get(&pipeline)
            .copied()
            .unwrap_or(0)
    }

    /// Returns how many runs of a backfill are running.
    pub(super) fn running_in_backfill(&self, backfill: i64) -> u64 {
        self.running_in_backfill
            .get(&backfill)
            .copied()
            .unwrap_or(0)
    }
}

/// Subtracts one from a count. A count of zero has no entry.
fn decrement(counts: &mut HashMap<i64, u64>, pipeline: i64) {
    if let Some(count) = counts.get_mut(&pipeline) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&pipeline);
        }
    }
}

/// The columns of [`read_active_run`].
pub(super) const ACTIVE_RUN: &str = "id, key, pipeline, tenant, created_at, cancel, owner, lease_until, epoch, claims, priority, backfill, concurrency_key";

/// Reads the id from the columns [`ACTIVE_RUN`].
fn active_run_id(row: &Row<'_>) -> Result<RunId, StoreError> {
    run_id(&row.get::<_, Vec<u8>>(0)?)
}

/// Reads the columns [`ACTIVE_RUN`], except the id.
///
/// A damaged value reads as the most cautious one, so that the run still counts. Its claim finds
/// out that it cannot be read.
pub(super) fn read_active_run(row: &Row<'_>) -> Result<ActiveRun, StoreError> {
    let owner = row.get::<_, Option<Vec<u8>>>(6)?;
    Ok(ActiveRun {
        key: row.get(1)?,
        pipeline: row.get(2)?,
        tenant: values::tenant_or_none(row, 3),
        created_at: row.get(4)?,
        cancel: row
            .get::<_, Option<i64>>(5)?
            .map(|cancel| to_cancel(cancel).unwrap_or(Cancel::Plain)),
        // Without a readable owner, nobody can renew the claim.
        owner: owner.and_then(|bytes| owner_id(&bytes).ok()),
        lease_until: row.get::<_, Option<i64>>(7)?.unwrap_or(0),
        epoch: to_u64(row.get(8)?),
        claims: to_u32(row.get(9)?),
        class: to_rank(row.get(10)?).map_or(LaneClass::Backfill, |rank| rank.class),
        backfill: row.get(11)?,
        concurrency_key: row.get(12).unwrap_or_default(),
        cached: None,
    })
}
