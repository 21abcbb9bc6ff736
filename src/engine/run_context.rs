//! What all nodes of an active run share.
//!
//! State that changes while the run executes belongs to `driver`.

use std::sync::Arc;

use super::Shared;
use super::journal::Journal;
use super::secret_resolver::SecretResolver;
use super::stop_signal::{StopSignal, lost_or_stopped};
use crate::executor::{Executor, is_sink};
use crate::graph::Graph;
use crate::model::{Node, NodeId, NodeIndex, Pipeline, Run};

/// An active run: its definition, its journal and its stop signal.
#[derive(Debug)]
pub(super) struct RunContext {
    pub(super) shared: Arc<Shared>,
    pub(super) run: Run,
    pub(super) epoch: u64,
    pub(super) definition: Arc<Pipeline>,
    pub(super) graph: Arc<Graph>,
    pub(super) journal: Journal,
    pub(super) secrets: SecretResolver,
    // A permit is a node that executes in this run.
    pub(super) node_slots: Arc<tokio::sync::Semaphore>,
    pub(super) stop_signal: tokio::sync::watch::Sender<StopSignal>,
}

impl RunContext {
    /// Returns the definition of a node.
    pub(super) fn node(&self, node_index: NodeIndex) -> Option<&Node> {
        self.graph
            .declared_index(node_index)
            .and_then(|index| self.definition.nodes.get(index))
    }

    pub(super) fn node_id(&self, node_index: NodeIndex) -> Option<&NodeId> {
        self.graph.id(node_index)
    }

    pub(super) fn executor(&self, node_index: NodeIndex) -> Option<&Arc<dyn Executor>> {
        self.node(node_index).and_then(|node| {
            self.shared
                .registry
                .get(&node.kind, self.run.tenant.as_ref())
        })
    }

    /// Returns the error of a node that has no executor.
    pub(super) fn missing_executor(&self, node_index: NodeIndex) -> String {
        let kind = self.node(node_index).map_or("", |node| node.kind.as_str());
        let tenant = self.run.tenant.as_ref();
        match tenant.filter(|_| self.shared.registry.is_closed(kind, tenant)) {
            Some(tenant) => format!("the type {kind:?} is closed to the tenant {tenant}"),
            None => format!("no executor is registered for the type {kind:?}"),
        }
    }

    /// Returns whether the node writes outside its pipeline.
    ///
    /// A node of an unknown type may, and one whose executor panics when it is asked.
    pub(super) fn is_sink(&self, node_index: NodeIndex) -> bool {
        let (Some(node), Some(executor)) = (self.node(node_index), self.executor(node_index))
        else {
            return true;
        };
        is_sink(&**executor, node)
    }

    /// Resolves once nothing of the run may be stored any more.
    pub(super) async fn lost_or_stopped(&self) {
        lost_or_stopped(&self.stop_signal, &self.shared.stop).await;
    }

    /// Raises the run's stop signal to at least `stop_signal`.
    pub(super) fn raise(&self, stop_signal: StopSignal) {
        self.stop_signal.send_if_modified(|reached| {
            let is_further = stop_signal > *reached;
            *reached = stop_signal.max(*reached);
            is_further
        });
    }
}
