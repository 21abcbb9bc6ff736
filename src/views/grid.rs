//! The newest runs of a pipeline and their nodes, as a grid with a letter for each node of a run.
//!
//! Storage reads them, each run with the nodes of its own version.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Cut, Views};
use crate::error::Result;
use crate::graph::Graph;
use crate::limits::json_size;
use crate::model::{NodeId, NodeStatus, RunId, RunStatus, Scope, rfc3339};
use crate::storage::{NewestRuns, RunNodes};

/// The number of runs of a grid, if the caller names none.
pub(crate) const GRID_RUNS: u32 = 25;
/// The most runs of a grid, and of the history of a node.
pub(crate) const NEWEST_RUNS_MAX: u32 = 100;

/// The most bytes of a run as JSON without its letters.
const ROW_BYTES: usize = 192;

/// The letter of a node that a run does not have.
const ABSENT: u8 = b'-';

/// The newest runs of a pipeline, with a letter for each node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Grid {
    /// The nodes: those of the newest version in topological order, then those that only older
    /// runs have.
    pub nodes: Vec<NodeId>,
    /// The runs, the newest first.
    pub runs: Vec<GridRun>,
}

/// A run of a grid. Fields are in the order of the wire contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GridRun {
    /// The id of the run.
    pub id: RunId,
    /// Its status.
    pub status: RunStatus,
    /// When it was created.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub created_at: DateTime<Utc>,
    /// Milliseconds from its start to its end. Absent until it has finished, and if it has never
    /// started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// A letter for each node of [`Grid::nodes`]: `p`ending, `r`unning, `s`uccess, `f`ailed,
    /// `c`ancelled, s`k`ipped, or `-` for a node that the version of the run does not have.
    #[cfg_attr(test, schemars(regex(pattern = "^[prsfck-]*$")))]
    pub cells: String,
}

impl Views {
    /// Returns the grid of the pipeline with this id or slug: as many of its newest runs as
    /// `runs_max`, and as fit into `bytes_max` bytes of JSON.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`); `Conflict` (`tenant-required`); `Unavailable`.
    pub(crate) async fn grid(
        &self,
        key: &str,
        scope: &Scope,
        (runs_max, bytes_max): (u32, usize),
    ) -> Result<Cut<Grid>> {
        let pipeline = self.pipeline(key, scope).await?;
        // A stored definition was accepted; today's limits must not hide its runs.
        let graph = Graph::new(&pipeline.definition)?;
        let nodes = graph.node_indexes().filter_map(|index| graph.id(index));
        let mut columns = Columns::default();
        nodes.for_each(|node| _ = columns.add(node));
        let newest = NewestRuns::new(pipeline.qualified_id(), runs_max);
        let mut found = self.storage.list_run_nodes(newest).await?;
        let count = columns.add_fitting(&found, bytes_max);
        let is_cut = count < found.len();
        found.truncate(count);
        Ok(Cut {
            value: columns.into_grid(&found),
            is_cut,
        })
    }
}

/// The columns of a grid, and where the nodes of each version are among them.
#[derive(Default)]
struct Columns {
    nodes: Vec<NodeId>,
    by_node: HashMap<NodeId, usize>,
    by_version: HashMap<u32, Vec<usize>>,
}

impl Columns {
    /// Returns the column of a node.
    fn add(&mut self, node: &NodeId) -> usize {
        match self.by_node.entry(node.clone()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.nodes.push(node.clone());
                *new.insert(self.nodes.len() - 1)
            }
        }
    }

    /// Adds the nodes of the runs, the newest first, as long as the grid fits. Returns how many
    /// runs do; the first one does in any case.
    fn add_fitting(&mut self, runs: &[RunNodes], bytes_max: usize) -> usize {
        let mut bytes = json_size(&self.nodes);
        for (index, run) in runs.iter().enumerate() {
            let known = self.nodes.len();
            if !self.by_version.contains_key(&run.version) {
                let columns = run.nodes.iter().map(|node| self.add(node)).collect();
                self.by_version.insert(run.version, columns);
            }
            let new = &self.nodes[known..];
            bytes += new.iter().map(|node| json_size(node) + 1).sum::<usize>();
            let rows_bytes = (index + 1) * (ROW_BYTES + self.nodes.len());
            if index > 0 && bytes + rows_bytes > bytes_max {
                self.nodes.truncate(known);
                return index;
            }
        }
        runs.len()
    }

    fn into_grid(self, runs: &[RunNodes]) -> Grid {
        let rows = runs.iter().map(|run| {
            let mut cells = vec![ABSENT; self.nodes.len()];
            let columns = self.by_version.get(&run.version).into_iter().flatten();
            for (column, status) in columns.zip(&run.statuses) {
                if let Some(cell) = cells.get_mut(*column) {
                    *cell = letter(*status);
                }
            }
            GridRun::new(run, cells.into_iter().map(char::from).collect())
        });
        Grid {
            runs: rows.collect(),
            nodes: self.nodes,
        }
    }
}

impl GridRun {
    fn new(run: &RunNodes, cells: String) -> Self {
        Self {
            id: run.run,
            status: run.status,
            created_at: run.created_at,
            duration_ms: duration_ms(run.started_at, run.finished_at),
            cells,
        }
    }
}

/// Returns how long a run took. The wall clock may have stepped back: it is never negative.
fn duration_ms(started: Option<DateTime<Utc>>, finished: Option<DateTime<Utc>>) -> Option<u64> {
    let took = finished?.signed_duration_since(started?);
    Some(u64::try_from(took.num_milliseconds()).unwrap_or(0))
}

const fn letter(status: NodeStatus) -> u8 {
    match status {
        NodeStatus::Pending => b'p',
        NodeStatus::Running => b'r',
        NodeStatus::Success => b's',
        NodeStatus::Failed => b'f',
        NodeStatus::Cancelled => b'c',
        NodeStatus::Skipped => b'k',
    }
}
