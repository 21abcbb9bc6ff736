//! The chain of resumes that a run belongs to: which nodes succeeded in it, and in which run.
//!
//! `graph/reuse` decides which of these outputs a new run inherits.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::Result;
use crate::graph::Graph;
use crate::model::engine_keys::CONFIG_KEYS;
use crate::model::{InheritedOutput, Node, NodeIndex, NodeRun, NodeStatus, Pipeline, RunId};
use crate::storage::RunDetail;

/// A definition with its graph.
pub(in crate::engine) struct DefinitionGraph<'a> {
    pub(super) definition: &'a Pipeline,
    pub(in crate::engine) graph: Arc<Graph>,
}

/// A run of the chain.
struct ChainLink<'a> {
    detail: &'a RunDetail,
    past: DefinitionGraph<'a>,
    rows: HashMap<NodeIndex, &'a NodeRun>,
    /// Whether the resumed run descends from this run. A node that an ancestor had to execute and
    /// did not execute must still execute.
    is_ancestor: bool,
}

/// The runs of a chain, newest first.
pub(in crate::engine) struct Chain<'a>(Vec<ChainLink<'a>>);

/// A node's success in some run of the chain.
#[derive(Debug)]
pub(super) struct PastSuccess {
    pub(super) inherited: InheritedOutput,
    /// Whether the node's definition is still the same.
    pub(super) is_unchanged: bool,
}

impl<'a> DefinitionGraph<'a> {
    pub(in crate::engine) fn new(definition: &'a Pipeline) -> Result<Self> {
        Ok(Self {
            graph: Arc::new(Graph::new(definition)?),
            definition,
        })
    }

    pub(super) fn node(&self, node_index: NodeIndex) -> Option<&'a Node> {
        let declared = self.graph.declared_index(node_index);
        declared.and_then(|index| self.definition.nodes.get(index))
    }

    /// Returns whether a node has the same type, config and upstreams as a node of another
    /// definition.
    fn is_unchanged(&self, node_index: NodeIndex, other: &Self, past_index: NodeIndex) -> bool {
        let (Some(node), Some(past)) = (self.node(node_index), other.node(past_index)) else {
            return false;
        };
        node.kind == past.kind
            && is_same_work(&node.config, &past.config)
            && self.upstream(node_index).eq(other.upstream(past_index))
    }

    fn upstream(&self, node_index: NodeIndex) -> impl Iterator<Item = &str> {
        let upstream = self.graph.upstream(node_index).iter();
        upstream.filter_map(|up| self.graph.id(*up).map(|id| id.as_str()))
    }
}

/// Returns whether two configs ask an executor for the same. How often the engine tries, and for
/// how long, does not change what an attempt does.
fn is_same_work(config: &Map<String, Value>, past: &Map<String, Value>) -> bool {
    let work = |config: &Map<String, Value>| {
        let mut work = config.clone();
        work.retain(|key, _| !CONFIG_KEYS.contains(&key.as_str()));
        work
    };
    work(config) == work(past)
}

impl<'a> Chain<'a> {
    /// Builds the chain for a run that continues `old` from its runs, oldest first.
    ///
    /// # Errors
    /// `Invalid` if a stored definition is not a valid graph.
    pub(in crate::engine) fn new(chain: &'a [RunDetail], old: RunId) -> Result<Self> {
        let mut next = Some(old);
        let link = |detail: &'a RunDetail| {
            let is_ancestor = next == Some(detail.run.id);
            if is_ancestor {
                next = detail.run.resumed_from;
            }
            Ok(ChainLink {
                detail,
                past: DefinitionGraph::new(&detail.definition)?,
                rows: detail
                    .nodes
                    .iter()
                    .map(|row| (row.node_index, row))
                    .collect(),
                is_ancestor,
            })
        };
        chain
            .iter()
            .rev()
            .map(link)
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Returns the success that counts for a node: its newest execution, if that succeeded.
    ///
    /// For a sink, a success under an unchanged definition takes precedence over newer ones. The
    /// sink already did exactly this work and must not repeat it.
    pub(super) fn latest_success(
        &self,
        current: &DefinitionGraph<'_>,
        node_index: NodeIndex,
        is_sink: bool,
    ) -> Option<PastSuccess> {
        let mut newest = None;
        for link in &self.0 {
            match link.chain_node(current, node_index) {
                ChainNode::Absent => {}
                ChainNode::MustExecute => break,
                ChainNode::Success(found) if found.is_unchanged || !is_sink => {
                    return Some(found);
                }
                ChainNode::Success(found) => newest = newest.or(Some(found)),
            }
        }
        newest
    }
}

impl Chain<'_> {
    /// Returns whether a node is the same as in the newest run of the chain whose definition has
    /// it. A node that none has is new, not changed.
    pub(super) fn is_unchanged(
        &self,
        current: &DefinitionGraph<'_>,
        node_index: NodeIndex,
    ) -> bool {
        let newest = self.0.iter().find_map(|link| {
            let past_index = link.past_index(current, node_index)?;
            Some(current.is_unchanged(node_index, &link.past, past_index))
        });
        newest.unwrap_or(true)
    }

    /// Returns whether the run that an output is inherited from was asked to skip its node.
    pub(super) fn was_skipped(&self, inherited: &InheritedOutput) -> bool {
        let mut links = self.0.iter();
        let producer = links.find(|link| link.detail.run.id == inherited.from_run);
        producer.is_some_and(|link| {
            let row = link.rows.get(&inherited.from_node_index);
            row.is_some_and(|row| row.status == NodeStatus::Skipped)
        })
    }

    /// Returns the highest generation that a run of the chain has executed of a node.
    pub(super) fn generation(&self, current: &DefinitionGraph<'_>, node_index: NodeIndex) -> u32 {
        let generations = self.0.iter().filter_map(|link| {
            let past_index = link.past_index(current, node_index)?;
            Some(link.detail.run.generation(past_index))
        });
        generations.max().unwrap_or(1)
    }
}

/// What one run of the chain records about a node.
enum ChainNode {
    Absent,
    /// The node failed or never executed: it must execute again.
    MustExecute,
    Success(PastSuccess),
}

impl ChainLink<'_> {
    /// Returns the index of a node in the definition of this run.
    fn past_index(
        &self,
        current: &DefinitionGraph<'_>,
        node_index: NodeIndex,
    ) -> Option<NodeIndex> {
        let id = current.graph.id(node_index)?;
        self.past.graph.node_index(id.as_str())
    }

    fn chain_node(&self, current: &DefinitionGraph<'_>, node_index: NodeIndex) -> ChainNode {
        let Some(past_index) = self.past_index(current, node_index) else {
            return ChainNode::Absent;
        };
        let run = &self.detail.run;
        let success = |inherited: InheritedOutput| {
            // A node that had no edge with a condition may have taken no branch.
            let has_branch =
                inherited.branch.is_some() || !current.graph.has_conditions(node_index);
            ChainNode::Success(PastSuccess {
                is_unchanged: has_branch
                    && current.is_unchanged(node_index, &self.past, past_index),
                inherited,
            })
        };
        if let Some(row) = self.rows.get(&past_index) {
            match row.status {
                NodeStatus::Success => {
                    let mut inherited = InheritedOutput::new(node_index, run.id, past_index);
                    inherited.row_count = row.row_count;
                    inherited.branch = row.branch;
                    inherited.has_dataset = row.has_dataset;
                    inherited.output_hash = row.output_hash;
                    return success(inherited);
                }
                // A node that had an earlier success has executed again only because its output is
                // lost. That success, and the branch that it took, stand.
                NodeStatus::Failed if !run.inherits(past_index) => return ChainNode::MustExecute,
                NodeStatus::Failed
                | NodeStatus::Pending
                | NodeStatus::Running
                | NodeStatus::Cancelled
                | NodeStatus::Skipped => {}
            }
        }
        match run
            .inherited
            .iter()
            .find(|inherited| inherited.node_index == past_index)
        {
            Some(inherited) => {
                let mut inherited = inherited.clone();
                inherited.node_index = node_index;
                success(inherited)
            }
            None if self.is_ancestor && run.resumed_from.is_some() => ChainNode::MustExecute,
            None => ChainNode::Absent,
        }
    }
}
