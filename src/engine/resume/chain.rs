//! What a chain of resumes knows of each node of the definition that is to go on.
//!
//! What is taken over by that is decided by `graph/reuse`.

use std::collections::HashMap;

use crate::error::Result;
use crate::graph::Graph;
use crate::model::{InheritedOutput, Node, NodeIndex, NodeRun, NodeStatus, Pipeline, RunId};
use crate::storage::RunDetail;

/// A definition with its graph.
pub(super) struct Plan<'a> {
    pub(super) definition: &'a Pipeline,
    pub(super) graph: Graph,
}

/// One run of the chain.
struct Link<'a> {
    detail: &'a RunDetail,
    plan: Plan<'a>,
    rows: HashMap<NodeIndex, &'a NodeRun>,
    /// Whether the run that is resumed goes on from it: what it was to execute is still to be executed.
    is_ancestor: bool,
}

/// The chain of a run, the newest first.
pub(super) struct Chain<'a>(Vec<Link<'a>>);

/// A success somewhere in the chain.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) inherited: InheritedOutput,
    /// Whether the node was defined then as it is now.
    pub(super) is_same: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn new(definition: &'a Pipeline) -> Result<Self> {
        Ok(Self {
            graph: Graph::new(definition)?,
            definition,
        })
    }

    pub(super) fn node(&self, node_index: NodeIndex) -> Option<&'a Node> {
        let declared = self.graph.declared_index(node_index);
        declared.and_then(|index| self.definition.nodes.get(index))
    }

    /// Whether type, config and upstreams of the node at a place are those of one in another definition.
    fn is_same(&self, node_index: NodeIndex, other: &Self, there: NodeIndex) -> bool {
        let (Some(node), Some(past)) = (self.node(node_index), other.node(there)) else {
            return false;
        };
        node.kind == past.kind
            && node.config == past.config
            && self.upstream(node_index).eq(other.upstream(there))
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
            Ok(Link {
                detail,
                plan: Plan::new(&detail.definition)?,
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
    pub(super) fn success(
        &self,
        now: &Plan<'_>,
        node_index: NodeIndex,
        is_sink: bool,
    ) -> Option<Found> {
        let mut newest = None;
        for link in &self.0 {
            match link.tell(now, node_index) {
                Answer::Nothing => {}
                Answer::Never => break,
                Answer::Success(found) if found.is_same || !is_sink => return Some(found),
                Answer::Success(found) => newest = newest.or(Some(found)),
            }
        }
        newest
    }
}

/// What one run says of a node.
enum Answer {
    Nothing,
    /// It is still to be executed.
    Never,
    Success(Found),
}

impl Link<'_> {
    fn tell(&self, now: &Plan<'_>, node_index: NodeIndex) -> Answer {
        let id = now.graph.id(node_index);
        let Some(there) = id.and_then(|id| self.plan.graph.node_index(id.as_str())) else {
            return Answer::Nothing;
        };
        let run = &self.detail.run;
        let success = |inherited| {
            Answer::Success(Found {
                inherited,
                is_same: now.is_same(node_index, &self.plan, there),
            })
        };
        if let Some(row) = self.rows.get(&there) {
            match row.status {
                NodeStatus::Success => {
                    let mut taken = InheritedOutput::new(node_index, run.id, there);
                    taken.row_count = row.row_count;
                    taken.has_dataset = row.has_dataset;
                    taken.output_hash = row.output_hash;
                    return success(taken);
                }
                NodeStatus::Failed => return Answer::Never,
                NodeStatus::Pending
                | NodeStatus::Running
                | NodeStatus::Cancelled
                | NodeStatus::Skipped => {}
            }
        }
        match run.inherited.iter().find(|own| own.node_index == there) {
            Some(own) => {
                let mut taken = own.clone();
                taken.node_index = node_index;
                success(taken)
            }
            None if self.is_ancestor && run.resumed_from.is_some() => Answer::Never,
            None => Answer::Nothing,
        }
    }
}
