//! What a run does with each node of its definition, if earlier runs have executed some of them.
//!
//! `graph/reuse` has the rules, and `chain` the results of the earlier runs. A resume and a rerun
//! from a node ask here.

use std::collections::BTreeSet;

use super::chain::{Chain, DefinitionGraph, PastSuccess};
use crate::engine::Shared;
use crate::error::{Error, Issue, Problem, Result, quote};
use crate::executor::is_sink;
use crate::graph::issues::Issues;
use crate::graph::reuse::{ChainResult, ResumeChoice, choose};
use crate::model::{InheritedOutput, Node, NodeId, NodeIndex, Run, TenantId};
use crate::suggestion::{did_you_mean, nearest};

/// How many nodes a refusal lists if none is similar to the requested one.
const NODES_NAMED_MAX: usize = 20;

/// The nodes that a caller has named.
#[derive(Debug, Default)]
pub(in crate::engine) struct NamedNodes {
    /// It executes again, with everything downstream of it.
    pub(super) from: Option<NodeIndex>,
    /// They do not execute.
    pub(super) skips: BTreeSet<NodeIndex>,
}

/// The results that a chain has for the nodes of a definition, and what a run does with each.
#[derive(Debug)]
pub(in crate::engine) struct NodeChoices {
    pub(super) results: Vec<ChainResult>,
    pub(super) choices: Vec<ResumeChoice>,
    /// Nodes that a resume was asked to skip, this one or an earlier one.
    pub(super) skipped: BTreeSet<NodeIndex>,
}

impl NamedNodes {
    /// Finds the nodes that a request names.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) with every name that is not acceptable.
    pub(in crate::engine) fn find(
        current: &DefinitionGraph<'_>,
        from_node: Option<&str>,
        skip_nodes: &[String],
    ) -> Result<Self> {
        let mut issues = Issues::default();
        let mut named = Self::default();
        if let Some(id) = from_node {
            match current.graph.node_index(id) {
                Some(node_index) => named.from = Some(node_index),
                None => issues.push("/from_node", || unknown_node(current, "from_node", id)),
            }
        }
        let below = named.from.map(|from| current.graph.with_downstream(from));
        for (index, id) in skip_nodes.iter().enumerate() {
            let at = format!("/skip_nodes/{index}");
            let Some(node_index) = current.graph.node_index(id) else {
                issues.push(&at, || unknown_node(current, "skip_nodes", id));
                continue;
            };
            let is_below = below.as_ref().is_some_and(|it| it.contains(&node_index));
            if is_below {
                issues.push(&at, || {
                    let id = quote(id);
                    format!("{id} cannot be skipped, because it is from_node or below it")
                });
            } else if current.graph.has_conditions(node_index) {
                issues.push(&at, || {
                    let id = quote(id);
                    format!("{id} cannot be skipped, because it decides which edges are taken")
                });
            } else {
                named.skips.insert(node_index);
            }
        }
        issues.into_result(Problem::InvalidField)?;
        Ok(named)
    }
}

/// Says that a field names no node, and which one it may have meant.
fn unknown_node(current: &DefinitionGraph<'_>, field: &str, id: &str) -> String {
    let node_indexes = current.graph.node_indexes();
    let node_ids: Vec<_> = node_indexes
        .filter_map(|node_index| current.graph.id(node_index))
        .map(NodeId::as_str)
        .collect();
    let hint = match nearest(id, node_ids.iter().copied()) {
        Some(near) => did_you_mean(near),
        None => {
            let first = node_ids.len().min(NODES_NAMED_MAX);
            format!("; its first nodes are {}", node_ids[..first].join(", "))
        }
    };
    let id = quote(id);
    format!("{field} must name a node of the definition that runs, received {id}{hint}")
}

/// Says that no edge to the node is taken from which a caller wants to continue.
pub(super) fn untaken(id: &str) -> Error {
    let detail = format!(
        "from_node must name a node that the new run executes, and no edge to {} is taken; name the node whose branch decides it",
        quote(id)
    );
    let issues = vec![Issue::pointer("/from_node", detail)];
    Error::invalid(Problem::InvalidField, issues)
}

impl Shared {
    /// Decides what a run does with the nodes of its definition. Sets the outputs that it inherits,
    /// and the generations of its nodes.
    pub(in crate::engine) fn choose_nodes(
        &self,
        run: &mut Run,
        current: &DefinitionGraph<'_>,
        chain: &Chain<'_>,
        named: &NamedNodes,
    ) -> NodeChoices {
        let tenant = run.tenant.clone();
        let successes: Vec<_> = current
            .graph
            .node_indexes()
            .map(|node_index| self.success(current, chain, node_index, tenant.as_ref()))
            .collect();
        let results: Vec<_> = successes.iter().map(|(result, _)| *result).collect();
        let choices = choose(&current.graph, &results, named.from, &named.skips);
        let mut skipped = BTreeSet::new();
        let nodes = current.graph.node_indexes().zip(successes).zip(&choices);
        for ((node_index, (_, success)), choice) in nodes {
            if *choice == ResumeChoice::Reuse {
                let is_skipped = named.skips.contains(&node_index);
                let own = is_skipped.then(|| InheritedOutput::new(node_index, run.id, node_index));
                if let Some(inherited) = inherited(success, own) {
                    if inherited.from_run == run.id || chain.was_skipped(&inherited) {
                        skipped.insert(node_index);
                    }
                    run.inherited.push(inherited);
                }
            }
            let is_repeated = *choice == ResumeChoice::Repeat;
            let generation = chain
                .generation(current, node_index)
                .saturating_add(u32::from(is_repeated));
            if generation > 1 {
                run.generations.insert(node_index, generation);
            }
        }
        NodeChoices {
            results,
            choices,
            skipped,
        }
    }

    /// Returns the result that the chain has for a node, with the success that counts.
    fn success(
        &self,
        current: &DefinitionGraph<'_>,
        chain: &Chain<'_>,
        node_index: NodeIndex,
        tenant: Option<&TenantId>,
    ) -> (ChainResult, Option<PastSuccess>) {
        let is_sink = current
            .node(node_index)
            .is_some_and(|node| self.is_sink(node, tenant));
        let found = chain.latest_success(current, node_index, is_sink);
        let result = match &found {
            Some(found) => ChainResult::Succeeded {
                is_unchanged: found.is_unchanged,
                is_sink,
            },
            None => ChainResult::NotSucceeded {
                is_unchanged: chain.is_unchanged(current, node_index),
            },
        };
        (result, found)
    }

    fn is_sink(&self, node: &Node, tenant: Option<&TenantId>) -> bool {
        let executor = self.registry.get(&node.kind, tenant);
        executor.is_none_or(|executor| is_sink(&**executor, node))
    }
}

/// Returns what a run inherits of a node that it reuses. `own` stands for no output, if the run was
/// asked to skip the node.
fn inherited(
    success: Option<PastSuccess>,
    own: Option<InheritedOutput>,
) -> Option<InheritedOutput> {
    let earlier = success.map(|found| found.inherited);
    match own {
        Some(own) => Some(earlier.filter(is_usable).unwrap_or(own)),
        None => earlier,
    }
}

/// Returns whether an output is stored, or there is none to store.
const fn is_usable(inherited: &InheritedOutput) -> bool {
    !inherited.has_dataset || inherited.output_hash.is_some()
}
