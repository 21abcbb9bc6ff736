//! Warnings about the edges of a definition: a node that does not get the rows that its type takes.
//!
//! `definition_warnings` has the other warnings.

use std::collections::HashMap;

use crate::error::quote;
use crate::executor::{Executor, Registry, assets, input_count, is_sink};
use crate::graph::issues::Issues;
use crate::model::{Node, Pipeline, TenantId};

/// Adds a warning for each node that has too few upstreams, or too many, for what it takes.
pub(super) fn find(
    pipeline: &Pipeline,
    registry: &Registry,
    tenant: Option<&TenantId>,
    issues: &mut Issues,
) {
    let mut upstreams: HashMap<&str, usize> = HashMap::new();
    for edge in &pipeline.edges {
        *upstreams.entry(&edge.to).or_default() += 1;
    }
    for (index, node) in pipeline.nodes.iter().enumerate() {
        let Some(executor) = registry.get(&node.kind, tenant) else {
            continue;
        };
        if issues.is_full() {
            return;
        }
        let count = upstreams.get(node.id.as_str()).copied().unwrap_or(0);
        let found = missing_rows(&**executor, node, count)
            .or_else(|| wrong_inputs(&**executor, node, count));
        if let Some(detail) = found {
            issues.push(&format!("/nodes/{index}"), || detail);
        }
    }
}

/// Returns the warning about a sink that replaces an asset and has no upstream, whose rows it would
/// write.
fn missing_rows(executor: &dyn Executor, node: &Node, upstreams: usize) -> Option<String> {
    if upstreams > 0 || !is_sink(executor, node) {
        return None;
    }
    let assets = assets(executor, node);
    let replaced = assets.iter().find(|asset| asset.is_replaced)?;
    let (id, kind, name) = (quote(&node.id), &replaced.kind, quote(&replaced.name));
    Some(format!(
        "no edge leads to the node {id}, so it receives no rows for the {kind} {name}"
    ))
}

/// Returns the warning about a node whose type takes inputs that its edges do not give.
fn wrong_inputs(executor: &dyn Executor, node: &Node, upstreams: usize) -> Option<String> {
    let id = quote(&node.id);
    match (input_count(executor)?, upstreams) {
        (1.., 0) => Some(format!(
            "no edge leads to the node {id}, whose type takes rows, so it receives none"
        )),
        (2, found) if found != 2 => Some(format!(
            "the type of the node {id} takes two inputs, and the number of its upstreams is {found}"
        )),
        _ => None,
    }
}
