//! Finds nodes of one pipeline that write the same asset, of which one replaces it. Only the result
//! of the last one would remain.
//!
//! Executors declare what their nodes write.

use std::collections::HashMap;

use crate::error::quote;
use crate::executor::{Asset, Registry, assets, is_sink};
use crate::graph::issues::Issues;
use crate::model::{Pipeline, TenantId};

/// Adds a problem for each sink that writes what another sink of the pipeline replaces.
///
/// Templates are not resolved, so two assets with the same template are the same asset.
pub(super) fn find(
    pipeline: &Pipeline,
    registry: &Registry,
    tenant: Option<&TenantId>,
    issues: &mut Issues,
) {
    let sinks: Vec<_> = pipeline
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(index, node)| Some((index, node, registry.get(&node.kind, tenant)?)))
        .filter(|(_, node, executor)| is_sink(&***executor, node))
        .collect();
    // One sink alone is not asked, because its executor may take long to answer.
    if sinks.len() < 2 {
        return;
    }
    let mut writers: HashMap<(String, String), (usize, bool)> = HashMap::new();
    for (index, node, executor) in sinks {
        for asset in assets(&**executor, node) {
            let Asset {
                kind,
                name,
                is_written: true,
                is_replaced,
            } = asset
            else {
                continue;
            };
            match writers.get(&(kind.clone(), name.clone())) {
                Some((other, _)) if *other == index => {}
                Some((other, replaces)) if is_replaced || *replaces => {
                    let first = pipeline.nodes.get(*other).map_or("", |node| &node.id);
                    issues.push(&format!("/nodes/{index}/config"), || {
                        format!(
                            "the node {} writes the {kind} {}, which the node {} writes, too: \
                             only one result would remain",
                            quote(&node.id),
                            quote(&name),
                            quote(first)
                        )
                    });
                }
                Some(_) => {}
                None => {
                    writers.insert((kind, name), (index, is_replaced));
                }
            }
        }
    }
}
