//! Finds nodes of one pipeline that write the same asset, of which one replaces it. Only the result
//! of the last one would remain.
//!
//! Executors declare what their nodes write.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::quote;
use crate::executor::{Asset, Executor, Registry, assets, is_sink};
use crate::model::{Node, Pipeline, Run, TenantId};
use crate::template;

/// A sink that writes what another sink of its pipeline replaces.
pub(super) struct Conflict {
    /// The index of the sink in the definition.
    pub(super) index: usize,
    pub(super) detail: String,
}

/// A sink with its index in the definition.
struct Sink<'p> {
    index: usize,
    node: Cow<'p, Node>,
    executor: &'p dyn Executor,
}

/// Returns each sink that writes what another sink of the pipeline replaces.
///
/// Templates are not resolved, so two assets with the same template are the same asset.
pub(super) fn find(
    pipeline: &Pipeline,
    registry: &Registry,
    tenant: Option<&TenantId>,
) -> Vec<Conflict> {
    find_among(&sinks(pipeline, registry, tenant))
}

/// Returns each sink that writes in this run what another sink replaces, because the run gives
/// their templates the same values. Variables are not resolved, since they may be secrets.
pub(super) fn find_in_run(pipeline: &Pipeline, registry: &Registry, run: &Run) -> Vec<Conflict> {
    let mut sinks = sinks(pipeline, registry, run.tenant.as_ref());
    let mut has_template = false;
    for sink in &mut sinks {
        // A template that this run cannot resolve fails its own node.
        let Ok(config) = template::resolve_known(&sink.node.config, run) else {
            continue;
        };
        if config != sink.node.config {
            has_template = true;
            sink.node.to_mut().config = config;
        }
    }
    // Without templates, the check of the definition has found all.
    if has_template {
        find_among(&sinks)
    } else {
        Vec::new()
    }
}

/// Returns the sinks of a pipeline, or none if there is one alone: it has no conflict.
fn sinks<'p>(
    pipeline: &'p Pipeline,
    registry: &'p Registry,
    tenant: Option<&TenantId>,
) -> Vec<Sink<'p>> {
    let mut sinks = Vec::new();
    for (index, node) in pipeline.nodes.iter().enumerate() {
        if let Some(executor) = registry.get(&node.kind, tenant)
            && is_sink(&**executor, node)
        {
            sinks.push(Sink {
                index,
                node: Cow::Borrowed(node),
                executor: &**executor,
            });
        }
    }
    // One sink alone is not asked, because its executor may take long to answer.
    if sinks.len() < 2 {
        sinks.clear();
    }
    sinks
}

fn find_among(sinks: &[Sink<'_>]) -> Vec<Conflict> {
    let mut writers: HashMap<(String, String), (&Sink<'_>, bool)> = HashMap::new();
    let mut conflicts = Vec::new();
    for sink in sinks {
        for asset in assets(sink.executor, &sink.node) {
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
                Some((other, _)) if other.index == sink.index => {}
                Some((other, replaces)) if is_replaced || *replaces => {
                    let (node, first) = (quote(&sink.node.id), quote(&other.node.id));
                    let name = quote(&name);
                    conflicts.push(Conflict {
                        index: sink.index,
                        detail: format!(
                            "the node {node} writes the {kind} {name}, which the node {first} \
                             writes, too: only one result would remain"
                        ),
                    });
                }
                Some(_) => {}
                None => {
                    writers.insert((kind, name), (sink, is_replaced));
                }
            }
        }
    }
    conflicts
}
