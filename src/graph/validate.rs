//! Checks that nodes and edges fit together: known endpoints, no duplicates, and counts within the
//! limits.
//!
//! `order` finds cycles. `rules` checks texts, ranges and configs.

use std::collections::{HashMap, HashSet};

use super::issues::Issues;
use crate::error::{Error, Issue, Problem, Result, quote};
use crate::limits::Limits;
use crate::model::{Edge, Node, NodeId, Pipeline};
use crate::suggestion::{did_you_mean, nearest};

/// The most nodes that the key of a node's row can number, whatever the limits are.
const NODES_STORABLE_MAX: usize = 4_096;

/// The largest graph that is accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct GraphSize {
    nodes_max: usize,
    edges_max: usize,
}

impl GraphSize {
    /// The size of a graph that was saved, whatever the limits are today.
    pub(super) const STORABLE: Self = Self {
        nodes_max: NODES_STORABLE_MAX,
        edges_max: usize::MAX,
    };
}

impl From<&Limits> for GraphSize {
    fn from(limits: &Limits) -> Self {
        Self {
            nodes_max: limits.nodes_max.min(NODES_STORABLE_MAX),
            edges_max: limits.edges_max,
        }
    }
}

/// Nodes and edges that fit together. Edges refer to nodes by their index in the pipeline.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) ids: Vec<NodeId>,
    /// In the order of the edges.
    pub(super) edges: Vec<(usize, usize)>,
}

pub(super) fn resolve_links(pipeline: &Pipeline, size: GraphSize) -> Result<Links> {
    check_counts(pipeline.nodes.len(), pipeline.edges.len(), size)?;
    if pipeline.nodes.is_empty() {
        let issue = Issue::pointer("/nodes", "a pipeline needs a node, received none");
        return Err(Error::invalid(Problem::GraphEmpty, vec![issue]));
    }
    let mut issues = Issues::default();
    let mut index_of = HashMap::with_capacity(pipeline.nodes.len());
    let ids = node_ids(pipeline, &mut index_of, &mut issues);
    let known = KnownNodes {
        nodes: &pipeline.nodes,
        index_of: &index_of,
    };
    let edges = resolve_edges(pipeline, &known, &mut issues);
    issues.into_result(Problem::GraphInvalid)?;
    Ok(Links { ids, edges })
}

/// Refuses a graph that is too large by its counts, before anything is built.
pub(super) fn check_counts(nodes: usize, edges: usize, size: GraphSize) -> Result<()> {
    let mut issues = Issues::default();
    for (what, count, max) in [
        ("nodes", nodes, size.nodes_max),
        ("edges", edges, size.edges_max),
    ] {
        if count > max {
            issues.push(&format!("/{what}"), || {
                format!("at most {max} {what} are allowed, received {count}")
            });
        }
    }
    issues.into_result(Problem::GraphTooLarge)
}

fn node_ids<'a>(
    pipeline: &'a Pipeline,
    index_of: &mut HashMap<&'a str, usize>,
    issues: &mut Issues,
) -> Vec<NodeId> {
    let mut ids = Vec::with_capacity(pipeline.nodes.len());
    for (index, node) in pipeline.nodes.iter().enumerate() {
        let pointer = || format!("/nodes/{index}/id");
        match NodeId::new(&node.id) {
            Ok(id) => ids.push(id),
            Err(error) => issues.push(&pointer(), || {
                format!("a node's id {error}; received {}", quote(&node.id))
            }),
        }
        if let Some(first) = index_of.get(node.id.as_str()) {
            issues.push(&pointer(), || {
                format!("{} is the id of node {first} already", quote(&node.id))
            });
        } else {
            index_of.insert(&node.id, index);
        }
    }
    ids
}

/// The nodes that an edge may name.
struct KnownNodes<'a> {
    nodes: &'a [Node],
    index_of: &'a HashMap<&'a str, usize>,
}

impl KnownNodes<'_> {
    /// Returns what an unknown id most likely means.
    fn hint(&self, id: &str) -> String {
        // In code, both are texts, so that nothing else shows which of them comes first.
        if let Some(node) = self.nodes.iter().find(|node| node.kind == id) {
            let (id, kind) = (quote(&node.id), quote(&node.kind));
            return format!(
                ", which is the type of the node {id}; in Rust, node({id}, {kind}) takes the id first"
            );
        }
        let near = nearest(id, self.index_of.keys().copied());
        near.map(did_you_mean).unwrap_or_default()
    }
}

fn resolve_edges(
    pipeline: &Pipeline,
    known: &KnownNodes<'_>,
    issues: &mut Issues,
) -> Vec<(usize, usize)> {
    let mut edges = Vec::with_capacity(pipeline.edges.len());
    let mut seen = HashSet::with_capacity(pipeline.edges.len());
    for (index, edge) in pipeline.edges.iter().enumerate() {
        let from = resolve_endpoint(index, "from", &edge.from, known, issues);
        let to = resolve_endpoint(index, "to", &edge.to, known, issues);
        let (Some(from), Some(to)) = (from, to) else {
            continue;
        };
        if from == to {
            issues.push(&format!("/edges/{index}"), || {
                format!("a node cannot follow itself: {}", render(edge))
            });
        } else if !seen.insert((from, to)) {
            issues.push(&format!("/edges/{index}"), || {
                format!("the edge {} is given twice", render(edge))
            });
        }
        edges.push((from, to));
    }
    edges
}

fn render(edge: &Edge) -> String {
    format!("{} → {}", quote(&edge.from), quote(&edge.to))
}

fn resolve_endpoint(
    index: usize,
    side: &str,
    id: &str,
    known: &KnownNodes<'_>,
    issues: &mut Issues,
) -> Option<usize> {
    let found = known.index_of.get(id).copied();
    if found.is_none() {
        issues.push(&format!("/edges/{index}/{side}"), || {
            if id.is_empty() {
                return format!(
                    "{side} is empty and must be the id of a node; in code, after() follows the node that it connects"
                );
            }
            format!("no node has the id {}{}", quote(id), known.hint(id))
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::IssueLocation;
    use crate::graph::Graph;

    /// Returns the slug and every pointer with its detail.
    fn refused(pipeline: &Pipeline) -> (&'static str, Vec<(String, String)>) {
        let error = Graph::with_limits(pipeline, &Limits::default()).unwrap_err();
        let issues = error.issues().iter().map(|issue| match &issue.location {
            IssueLocation::Pointer(pointer) => (pointer.clone(), issue.detail.clone()),
            IssueLocation::Parameter(name) => panic!("{name} is not a pointer"),
        });
        (error.slug(), issues.collect())
    }

    fn check(pipeline: &Pipeline, slug: &str, expected: &[(&str, &str)]) {
        let (own, issues) = refused(pipeline);
        let issues: Vec<_> = issues
            .iter()
            .map(|(at, detail)| (&**at, &**detail))
            .collect();
        assert_eq!((own, &*issues), (slug, expected));
    }

    #[test]
    fn an_edge_that_names_the_type_of_a_node_shows_its_id() {
        let pipeline = Pipeline::new("p")
            .node("http_get", "load")
            .node("summarize", "sum")
            .after("load");
        let detail = "no node has the id \"load\", which is the type of the node \"http_get\"; in Rust, node(\"http_get\", \"load\") takes the id first";
        check(&pipeline, "graph-invalid", &[("/edges/0/from", detail)]);
    }

    #[test]
    fn every_issue_is_reported_with_its_pointer() {
        let pipeline = Pipeline::new("p")
            .node("orders", "x")
            .node("sum", "x")
            .node("orders", "x")
            .node("a b", "x")
            .edge("order", "sum")
            .edge("sum", "sum")
            .edge("orders", "sum")
            .edge("orders", "sum")
            .edge("zzz", "\u{1b}[0m");
        check(
            &pipeline,
            "graph-invalid",
            &[
                ("/nodes/2/id", "\"orders\" is the id of node 0 already"),
                (
                    "/nodes/3/id",
                    "a node's id must be 1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or digit; received \"a b\"",
                ),
                (
                    "/edges/0/from",
                    "no node has the id \"order\"; did you mean \"orders\"?",
                ),
                ("/edges/1", "a node cannot follow itself: \"sum\" → \"sum\""),
                ("/edges/3", "the edge \"orders\" → \"sum\" is given twice"),
                ("/edges/4/from", "no node has the id \"zzz\""),
                ("/edges/4/to", "no node has the id \"\\u{1b}[0m\""),
            ],
        );
    }

    #[test]
    fn an_upstream_that_is_named_before_any_node_is_explained() {
        let detail = "to is empty and must be the id of a node; in code, after() follows the node that it connects";
        check(
            &Pipeline::new("p").after("a").node("a", "x"),
            "graph-invalid",
            &[("/edges/0/to", detail)],
        );
    }

    #[test]
    fn a_pipeline_without_nodes_is_refused() {
        check(
            &Pipeline::new("p"),
            "graph-empty",
            &[("/nodes", "a pipeline needs a node, received none")],
        );
    }

    #[test]
    fn a_graph_that_is_too_large_is_refused_by_its_counts() {
        let mut pipeline = Pipeline::new("p");
        pipeline.nodes = vec![crate::Node::default(); 1_001];
        pipeline.edges = vec![Edge::default(); 20_001];
        check(
            &pipeline,
            "graph-too-large",
            &[
                ("/nodes", "at most 1000 nodes are allowed, received 1001"),
                ("/edges", "at most 20000 edges are allowed, received 20001"),
            ],
        );
    }

    #[test]
    fn a_stored_graph_is_built_up_to_the_number_of_nodes_that_a_key_allows() {
        let bare = |count: usize| {
            (0..count).fold(Pipeline::new("p"), |pipeline, index| {
                pipeline.node(format!("n{index}"), "x")
            })
        };
        assert_eq!(Graph::new(&bare(4_096)).unwrap().len(), 4_096);
        let error = Graph::new(&bare(4_097)).unwrap_err();
        assert_eq!(error.problem(), Problem::GraphTooLarge);
    }
}
