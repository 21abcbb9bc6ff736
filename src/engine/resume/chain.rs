//! What a chain of resumes knows of each node of the definition that is to go on.
//!
//! What is taken over by that is decided by `graph/reuse`.

use std::collections::HashMap;

use crate::error::Result;
use crate::graph::Graph;
use crate::model::{InheritedOutput, Node, NodeIndex, NodeRun, NodeStatus, Pipeline, RunId};
use crate::storage::RunDetail;

/// A definition with its graph.
pub(super) struct DefinitionGraph<'a> {
    pub(super) definition: &'a Pipeline,
    pub(super) graph: Graph,
}

/// One run of the chain.
struct ChainLink<'a> {
    detail: &'a RunDetail,
    past: DefinitionGraph<'a>,
    rows: HashMap<NodeIndex, &'a NodeRun>,
    /// Whether the run that is resumed goes on from it: what it was to execute is still to be executed.
    is_ancestor: bool,
}

/// The chain of a run, the newest first.
pub(super) struct Chain<'a>(Vec<ChainLink<'a>>);

/// A success somewhere in the chain.
#[derive(Debug)]
pub(super) struct PastSuccess {
    pub(super) inherited: InheritedOutput,
    /// Whether the node was defined then as it is now.
    pub(super) is_unchanged: bool,
}

impl<'a> DefinitionGraph<'a> {
    pub(super) fn new(definition: &'a Pipeline) -> Result<Self> {
        Ok(Self {
            graph: Graph::new(definition)?,
            definition,
        })
    }

    pub(super) fn node(&self, node_index: NodeIndex) -> Option<&'a Node> {
        let declared = self.graph.declared(node_index);
        declared.and_then(|index| self.definition.nodes.get(index))
    }

    /// Whether type, config and upstreams of the node at a place are those of one in another definition.
    fn is_unchanged(&self, node_index: NodeIndex, other: &Self, past_index: NodeIndex) -> bool {
        let (Some(node), Some(past)) = (self.node(node_index), other.node(past_index)) else {
            return false;
        };
        node.kind == past.kind
            && node.config == past.config
            && self.upstream(node_index).eq(other.upstream(past_index))
    }

    fn upstream(&self, node_index: NodeIndex) -> impl Iterator<Item = &str> {
        let upstream = self.graph.upstream(node_index).iter();
        upstream.filter_map(|up| self.graph.id(*up).map(|id| id.as_str()))
    }
}

impl<'a> Chain<'a> {
    /// The runs of a chain, given oldest first, as the resume of `old` sees them.
    ///
    /// # Errors
    /// `Invalid` when a stored definition is no graph.
    pub(super) fn new(chain: &'a [RunDetail], old: RunId) -> Result<Self> {
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

    /// The success of a node that counts: that of its newest execution, if that succeeded.
    ///
    /// Of a sink it is the newest under the definition of now, if there is one: it must not be repeated because it did something else since.
    pub(super) fn latest_success(
        &self,
        current: &DefinitionGraph<'_>,
        node_index: NodeIndex,
        is_sink: bool,
    ) -> Option<PastSuccess> {
        let mut newest = None;
        for link in &self.0 {
            match link.node_history(current, node_index) {
                NodeHistory::Absent => {}
                NodeHistory::MustExecute => break,
                NodeHistory::Success(found) if found.is_unchanged || !is_sink => {
                    return Some(found);
                }
                NodeHistory::Success(found) => newest = newest.or(Some(found)),
            }
        }
        newest
    }
}

/// What one run says of a node.
enum NodeHistory {
    Absent,
    /// It is still to be executed.
    MustExecute,
    Success(PastSuccess),
}

impl ChainLink<'_> {
    fn node_history(&self, current: &DefinitionGraph<'_>, node_index: NodeIndex) -> NodeHistory {
        let id = current.graph.id(node_index);
        let Some(past_index) = id.and_then(|id| self.past.graph.node_index(id.as_str())) else {
            return NodeHistory::Absent;
        };
        let run = &self.detail.run;
        let success = |inherited| {
            NodeHistory::Success(PastSuccess {
                inherited,
                is_unchanged: current.is_unchanged(node_index, &self.past, past_index),
            })
        };
        if let Some(row) = self.rows.get(&past_index) {
            match row.status {
                NodeStatus::Success => {
                    let mut inherited = InheritedOutput::new(node_index, run.id, past_index);
                    inherited.row_count = row.row_count;
                    inherited.has_dataset = row.has_dataset;
                    inherited.output_hash = row.output_hash;
                    return success(inherited);
                }
                NodeStatus::Failed => return NodeHistory::MustExecute,
                NodeStatus::Pending
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
            None if self.is_ancestor && run.resumed_from.is_some() => NodeHistory::MustExecute,
            None => NodeHistory::Absent,
        }
    }
}
