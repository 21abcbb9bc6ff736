//! What every node of a run under way shares.
//!
//! What changes while the run goes on is the driver's.

use std::sync::Arc;

use super::Shared;
use super::halt::{Halt, lost_or_stopped};
use super::journal::Journal;
use super::vault::Vault;
use crate::executor::{Effect, Executor};
use crate::graph::Graph;
use crate::model::{Node, NodeId, NodeIndex, Pipeline, Run};

/// A run under way.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) run: Run,
    pub(super) epoch: u64,
    pub(super) definition: Arc<Pipeline>,
    pub(super) graph: Arc<Graph>,
    pub(super) journal: Journal,
    pub(super) vault: Vault,
    // Permits are nodes that execute in this run.
    pub(super) node_slots: Arc<tokio::sync::Semaphore>,
    pub(super) halt: tokio::sync::watch::Sender<Halt>,
}

impl Context {
    /// The definition of the node at a place.
    pub(super) fn node(&self, node_index: NodeIndex) -> Option<&Node> {
        self.graph
            .declared_index(node_index)
            .and_then(|index| self.definition.nodes.get(index))
    }

    pub(super) fn node_id(&self, node_index: NodeIndex) -> Option<&NodeId> {
        self.graph.id(node_index)
    }

    pub(super) fn executor(&self, node_index: NodeIndex) -> Option<&Arc<dyn Executor>> {
        self.node(node_index)
            .and_then(|node| self.shared.registry.get(&node.kind))
    }

    /// Whether the node writes to the world outside; a node of an unknown type may.
    pub(super) fn is_sink(&self, node_index: NodeIndex) -> bool {
        match (self.node(node_index), self.executor(node_index)) {
            (Some(node), Some(executor)) => executor.effect(node) == Effect::Sink,
            _ => true,
        }
    }

    /// Resolves once nothing of the run may be stored any more.
    pub(super) async fn lost_or_stopped(&self) {
        lost_or_stopped(&self.halt, &self.shared.stop).await;
    }

    /// Stops the run at least as far as `halt`.
    pub(super) fn raise(&self, halt: Halt) {
        self.halt.send_if_modified(|reached| {
            let is_further = halt > *reached;
            *reached = halt.max(*reached);
            is_further
        });
    }
}
