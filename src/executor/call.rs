//! What an executor is given: the node, its inputs and the means to log, stop and tell repeats.
//!
//! How inputs become an executor's own types is left to `function`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tokio_util::sync::CancellationToken;

use super::NodeLog;
use crate::model::{Dataset, Node, NodeId, PipelineId, RunId};

/// One attempt at a node.
#[derive(Debug)]
#[non_exhaustive]
pub struct NodeCall {
    /// The node and its surroundings.
    pub ctx: Ctx,
    /// What its upstreams handed on, in the order of its edges.
    pub inputs: Vec<Input>,
}

impl NodeCall {
    /// A call with these inputs.
    #[must_use]
    pub const fn new(ctx: Ctx, inputs: Vec<Input>) -> Self {
        Self { ctx, inputs }
    }
}

/// What one upstream handed on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Input {
    /// The upstream node.
    pub node_id: NodeId,
    /// Its rows, shared; none where it handed on nothing.
    pub dataset: Option<Dataset>,
}

impl Input {
    /// What the upstream handed on.
    #[must_use]
    pub const fn new(node_id: NodeId, dataset: Option<Dataset>) -> Self {
        Self { node_id, dataset }
    }
}

/// The surroundings of one attempt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ctx {
    /// The run.
    pub run_id: RunId,
    /// Its pipeline.
    pub pipeline_id: PipelineId,
    /// The run's date, `${run.date}`.
    pub date: NaiveDate,
    /// The run's parameters.
    pub params: BTreeMap<String, String>,
    /// The node, the templates in its config resolved.
    pub node: Node,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The same over crash, retry and resume, so that a sink can tell a repeat: first run of the chain and node.
    pub attempt_key: String,
    /// Rows after which a source may stop; set in a dry run.
    pub row_limit: Option<usize>,
    /// Writes lines to the run's log.
    pub log: NodeLog,
    /// Tripped when the attempt should stop: time-out, forced cancel, end of the run's time.
    pub cancel: CancellationToken,
}

impl Ctx {
    /// The surroundings of a first attempt at `node` that logs nowhere, for tests of executors.
    #[must_use]
    pub fn new(run_id: RunId, pipeline_id: PipelineId, date: NaiveDate, node: Node) -> Self {
        Self {
            attempt_key: format!("{run_id}.{}", node.id),
            run_id,
            pipeline_id,
            date,
            params: BTreeMap::new(),
            node,
            attempt: 1,
            row_limit: None,
            log: NodeLog::discard(),
            cancel: CancellationToken::new(),
        }
    }

    /// A parameter of the run.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }
}
