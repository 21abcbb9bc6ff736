//! What every node of a run under way shares.
//!
//! What changes while the run goes on is the driver's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Shared;
use super::halt::Halt;
use super::journal::Journal;
use crate::executor::{Ctx, Effect, Executor, NodeLog};
use crate::graph::Graph;
use crate::model::{Node, NodeId, Pipeline, Place, Run};
use crate::template;

/// A run under way.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) run: Run,
    pub(super) epoch: u64,
    pub(super) definition: Arc<Pipeline>,
    pub(super) graph: Arc<Graph>,
    pub(super) journal: Journal,
    // Permits are nodes that execute in this run.
    pub(super) node_slots: Arc<tokio::sync::Semaphore>,
    pub(super) halt: tokio::sync::watch::Sender<Halt>,
}

impl Context {
    /// The definition of the node at a place.
    pub(super) fn node(&self, place: Place) -> Option<&Node> {
        self.graph
            .declared(place)
            .and_then(|index| self.definition.nodes.get(index))
    }

    pub(super) fn node_id(&self, place: Place) -> Option<&NodeId> {
        self.graph.id(place)
    }

    pub(super) fn executor(&self, place: Place) -> Option<&Arc<dyn Executor>> {
        self.node(place)
            .and_then(|node| self.shared.registry.get(&node.kind))
    }

    /// Whether the node writes to the world outside; a node of an unknown type may.
    pub(super) fn is_sink(&self, place: Place) -> bool {
        match (self.node(place), self.executor(place)) {
            (Some(node), Some(executor)) => executor.effect(node) == Effect::Sink,
            _ => true,
        }
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

impl Shared {
    /// The surroundings of an attempt, the templates in the node's config resolved.
    ///
    /// # Errors
    /// Which name of which template is unknown.
    pub(super) fn surroundings(
        &self,
        run: &Run,
        node: &Node,
        attempt: u32,
        log: NodeLog,
    ) -> Result<Ctx, String> {
        let mut node = node.clone();
        node.config = resolved(run, &node.config)?;
        let mut ctx = Ctx::new(run.id, run.pipeline_id.clone(), run.date, node);
        ctx.attempt_key = format!("{}.{}", run.first_run, ctx.node.id);
        ctx.params = BTreeMap::clone(&run.params);
        ctx.attempt = attempt;
        ctx.log = log;
        Ok(ctx)
    }
}

fn resolved(run: &Run, config: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let names = template::Names {
        params: &run.params,
        vars: &BTreeMap::new(),
        run_id: run.id,
        date: run.date,
    };
    template::resolve(config, &names).map_err(|error| error.to_string())
}
