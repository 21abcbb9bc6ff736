//! The writer's memory: the next numbers, the lanes of the queue, running runs, known pipelines.
//!
//! It is read from the rows when a store is opened and after each rollback. A step changes both.
//! Open backfills have a file of their own, `open_backfills`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, Row};

use super::definitions::{Definition, Definitions};
use super::fault::Fault;
use super::lanes::{LaneKey, Lanes};
use super::open_backfills::OpenBackfills;
use super::query::row;
use super::values::{self, millis, owner_id, run_id, small, to_cancel, to_priority, uint};
use crate::model::{
    Cancel, NodeIndex, NodeStatus, OwnerId, PipelineId, Priority, Run, RunId, TenantId,
};
use crate::storage::rules;

/// The writer's memory.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) next_run: i64,
    pub(super) next_seq: i64,
    pub(super) next_pipeline: i64,
    pub(super) next_definition: i64,
    pub(super) commit_no: i64,
    /// Outlives the purge of that run, so that ids go on growing.
    pub(super) newest_run: Option<RunId>,
    pub(super) lanes: Lanes,
    pub(super) backfills: OpenBackfills,
    pub(super) running: HashMap<RunId, Active>,
    running_of: HashMap<i64, u64>,
    running_of_backfill: HashMap<i64, u64>,
    /// Running runs of a pipeline that fall under the overlap rule.
    schedules_executing: HashMap<i64, u64>,
    known: HashMap<i64, Arc<Known>>,
    keys: HashMap<PipelineId, i64>,
    pub(super) definitions: Definitions,
}

/// A pipeline that the writer has met.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) key: i64,
    pub(super) id: PipelineId,
    pub(super) tenant: Option<TenantId>,
    pub(super) version: u32,
    pub(super) max_concurrent_runs: Option<u64>,
    pub(super) is_deleted: bool,
    /// The key of its newest version.
    pub(super) definition: i64,
}

/// A running run.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) key: i64,
    pub(super) pipeline: i64,
    pub(super) priority: Priority,
    pub(super) tenant: Option<TenantId>,
    /// The time of its creation, by which it is counted.
    pub(super) created_at: i64,
    pub(super) backfill: Option<i64>,
    pub(super) cancel: Option<Cancel>,
    pub(super) owner: Option<OwnerId>,
    pub(super) lease_until: i64,
    pub(super) epoch: u64,
    pub(super) claims: u32,
    /// Known once somebody drives it.
    pub(super) driven: Option<Box<Driven>>,
}

/// What an append to a running run asks for.
#[derive(Debug)]
pub(super) struct Driven {
    pub(super) run: Run,
    pub(super) definition: Arc<Definition>,
    pub(super) position: u64,
    pub(super) nodes: BTreeMap<NodeIndex, NodeStatus>,
    /// Whether it has outputs, inherited ones too.
    pub(super) has_outputs: bool,
    /// Whether it has chunks that no entry has named.
    pub(super) has_staged: bool,
}

impl Active {
    /// A pending run at its first claim.
    pub(super) fn pending(key: i64, lane: LaneKey, run: &Run) -> Self {
        Self {
            key,
            pipeline: lane.pipeline,
            backfill: lane.backfill,
            priority: lane.priority,
            tenant: run.tenant.clone(),
            created_at: millis(run.created_at),
            cancel: None,
            owner: None,
            lease_until: 0,
            epoch: 0,
            claims: 0,
            driven: None,
        }
    }
}

impl Driven {
    /// Where the node at a place stands.
    pub(super) fn status(&self, node_index: NodeIndex) -> NodeStatus {
        self.nodes
            .get(&node_index)
            .copied()
            .unwrap_or(NodeStatus::Pending)
    }

    /// As [`Driven::status`]; none where the graph has no node at this place.
    pub(super) fn node_status(&self, node_index: NodeIndex) -> Option<NodeStatus> {
        self.definition.graph.id(node_index)?;
        Some(self.status(node_index))
    }
}

/// Pipelines that are known at once; beyond it all are forgotten and read again.
const KNOWN_MAX: usize = 4_096;

impl State {
    /// Reads everything that is known from the start.
    pub(super) fn load(conn: &Connection) -> Result<Self, Fault> {
        let mut state = Self {
            next_run: greatest(conn, "SELECT max(key) FROM runs")?.max(meta(conn, "next_run")? - 1)
                + 1,
            next_seq: greatest(conn, "SELECT max(seq) FROM journal")?
                .max(meta(conn, "next_seq")? - 1)
                + 1,
            next_pipeline: greatest(conn, "SELECT max(key) FROM pipelines")? + 1,
            next_definition: greatest(conn, "SELECT max(key) FROM definitions")? + 1,
            commit_no: meta(conn, "commit_no")?,
            newest_run: newest_run(conn)?,
            backfills: OpenBackfills::load(conn)?,
            ..Self::default()
        };
        let mut lanes = conn.prepare(
            "SELECT priority, pipeline, backfill, count(*) FROM runs WHERE finished_at IS NULL AND status = 0 GROUP BY priority, pipeline, backfill",
        )?;
        let mut rows = lanes.query([])?;
        while let Some(row) = rows.next()? {
            let lane = LaneKey {
                priority: to_priority(row.get(0)?)?,
                pipeline: row.get(1)?,
                backfill: row.get(2)?,
            };
            let order = state.backfills.order(lane.backfill);
            state.lanes.count(lane, order, uint(row.get(3)?));
        }
        let mut running = conn.prepare(&format!("SELECT {ACTIVE} FROM runs INDEXED BY runs_active WHERE finished_at IS NULL AND status = 1"))?;
        let mut rows = running.query([])?;
        while let Some(row) = rows.next()? {
            let (run, active) = read_active(row)?;
            state.start(run, active);
        }
        Ok(state)
    }

    /// Counts a run as running.
    pub(super) fn start(&mut self, run: RunId, active: Active) {
        *self.running_of.entry(active.pipeline).or_default() += 1;
        if let Some(backfill) = active.backfill {
            *self.running_of_backfill.entry(backfill).or_default() += 1;
        }
        if rules::runs_one_at_a_time(active.priority) {
            *self.schedules_executing.entry(active.pipeline).or_default() += 1;
        }
        self.running.insert(run, active);
    }

    /// Counts a run as running no longer.
    pub(super) fn stop(&mut self, active: &Active) {
        take_one(&mut self.running_of, active.pipeline);
        if rules::runs_one_at_a_time(active.priority) {
            take_one(&mut self.schedules_executing, active.pipeline);
        }
        if let Some(backfill) = active.backfill {
            take_one(&mut self.running_of_backfill, backfill);
        }
    }

    /// Whether a run of this pipeline's schedule is still executing.
    pub(super) fn is_schedule_executing(&self, pipeline: i64) -> bool {
        self.schedules_executing.contains_key(&pipeline)
    }

    /// Running runs of a pipeline.
    pub(super) fn running_of(&self, pipeline: i64) -> u64 {
        self.running_of.get(&pipeline).copied().unwrap_or(0)
    }

    /// Running runs of a backfill.
    pub(super) fn running_of_backfill(&self, backfill: i64) -> u64 {
        self.running_of_backfill
            .get(&backfill)
            .copied()
            .unwrap_or(0)
    }

    /// The pipeline with this id, a deleted one too.
    pub(super) fn pipeline(
        &mut self,
        conn: &Connection,
        id: &PipelineId,
    ) -> Result<Option<Arc<Known>>, Fault> {
        if let Some(known) = self.keys.get(id).and_then(|key| self.known.get(key)) {
            return Ok(Some(Arc::clone(known)));
        }
        let sql = &format!("{KNOWN} WHERE p.id = ?");
        let found = row(conn, sql, [id.as_str()], read_known)?;
        Ok(found.map(|known| self.know(known)))
    }

    /// The pipeline at a key.
    pub(super) fn pipeline_at(&mut self, conn: &Connection, key: i64) -> Result<Arc<Known>, Fault> {
        if let Some(known) = self.known.get(&key) {
            return Ok(Arc::clone(known));
        }
        let sql = &format!("{KNOWN} WHERE p.key = ?");
        let known = row(conn, sql, [key], read_known)?
            .ok_or_else(|| Fault::unreadable("a pipeline", "it is missing"))?;
        Ok(self.know(known))
    }

    /// Forgets a pipeline that changes.
    pub(super) fn forget(&mut self, id: &PipelineId) {
        if let Some(key) = self.keys.remove(id) {
            self.known.remove(&key);
        }
    }

    fn know(&mut self, known: Known) -> Arc<Known> {
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
            self.keys.clear();
        }
        let known = Arc::new(known);
        self.keys.insert(known.id.clone(), known.key);
        self.known.insert(known.key, Arc::clone(&known));
        known
    }
}

/// Takes one off a count that none has when it is none.
fn take_one(counts: &mut HashMap<i64, u64>, pipeline: i64) {
    if let Some(count) = counts.get_mut(&pipeline) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&pipeline);
        }
    }
}

const KNOWN: &str = "SELECT p.key, p.id, p.tenant, p.version, p.max_concurrent_runs, p.slug IS NULL, d.key \
     FROM pipelines p JOIN definitions d ON d.pipeline = p.key AND d.version = p.version";

fn read_known(row: &Row<'_>) -> Result<Known, Fault> {
    Ok(Known {
        key: row.get(0)?,
        id: values::pipeline_id(&row.get::<_, String>(1)?)?,
        tenant: values::tenant(row.get(2)?)?,
        version: small(row.get(3)?),
        max_concurrent_runs: row.get::<_, Option<i64>>(4)?.map(uint),
        is_deleted: row.get(5)?,
        definition: row.get(6)?,
    })
}

/// The columns of [`read_active`].
pub(super) const ACTIVE: &str = "id, key, pipeline, tenant, created_at, cancel, owner, lease_until, epoch, claims, priority, backfill";

/// Reads the columns [`ACTIVE`]: none of them is text that a caller gave, so that a damaged row is
/// still counted.
pub(super) fn read_active(row: &Row<'_>) -> Result<(RunId, Active), Fault> {
    let run = run_id(&row.get::<_, Vec<u8>>(0)?)?;
    let active = Active {
        key: row.get(1)?,
        pipeline: row.get(2)?,
        tenant: values::tenant(row.get(3)?)?,
        created_at: row.get(4)?,
        cancel: row.get::<_, Option<i64>>(5)?.map(to_cancel).transpose()?,
        owner: row
            .get::<_, Option<Vec<u8>>>(6)?
            .map(|bytes| owner_id(&bytes))
            .transpose()?,
        lease_until: row.get::<_, Option<i64>>(7)?.unwrap_or(0),
        epoch: uint(row.get(8)?),
        claims: small(row.get(9)?),
        priority: to_priority(row.get(10)?)?,
        backfill: row.get(11)?,
        driven: None,
    };
    Ok((run, active))
}

fn greatest(conn: &Connection, sql: &str) -> Result<i64, Fault> {
    let greatest: Option<i64> = conn.query_row(sql, [], |row| row.get(0))?;
    Ok(greatest.unwrap_or(0))
}

/// A number that is kept under a name.
pub(super) fn meta(conn: &Connection, name: &str) -> Result<i64, Fault> {
    let value = conn
        .prepare_cached("SELECT value FROM meta WHERE name = ?")?
        .query_row([name], |row| row.get(0))?;
    Ok(value)
}

/// The greatest run id that was ever stored.
pub(super) fn newest_run(conn: &Connection) -> Result<Option<RunId>, Fault> {
    let stored: Option<Vec<u8>> =
        conn.query_row("SELECT max(id) FROM runs", [], |row| row.get(0))?;
    let purged: Vec<u8> = conn.query_row(
        "SELECT value FROM meta WHERE name = 'newest_run'",
        [],
        |row| row.get(0),
    )?;
    let newest = stored.unwrap_or_default().max(purged);
    (!newest.is_empty()).then(|| run_id(&newest)).transpose()
}
