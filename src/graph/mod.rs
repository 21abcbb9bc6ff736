//! The graph of a pipeline. It is valid by construction.
//!
//! Pure: no I/O, no clock, no async. `frontier` decides which nodes may start, `plan` and `reuse`
//! which nodes execute again. Whether an executor is registered for a node type is checked by
//! `engine`.

pub(crate) mod concurrency;
pub(crate) mod definition;
pub(crate) mod dependencies;
pub(crate) mod fields;
pub(crate) mod frontier;
pub(crate) mod hooks;
pub(crate) mod issues;
mod order;
pub(crate) mod param_defs;
pub(crate) mod params;
pub(crate) mod plan;
pub(crate) mod policy;
#[cfg(test)]
pub(crate) mod random;
pub(crate) mod reuse;
pub(crate) mod rules;
pub(crate) mod sizes;
pub(crate) mod slug;
mod validate;

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use self::validate::GraphSize;
use crate::error::Result;
use crate::limits::Limits;
use crate::model::{NodeId, NodeIndex, Pipeline};

/// The nodes of a pipeline in topological order, with their edges. The graph has no cycle, no edge
/// to an unknown node, and no duplicate node or edge.
pub(crate) struct Graph {
    nodes: Vec<GraphNode>,
    node_indexes: HashMap<NodeId, NodeIndex>,
}

impl fmt::Debug for Graph {
    /// Writes the nodes alone, which have everything: equal graphs have equal texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Graph").field(&self.nodes).finish()
    }
}

#[derive(Debug)]
struct GraphNode {
    id: NodeId,
    declared: usize,
    keeps_output: bool,
    /// In edge order. An executor receives its inputs in this order.
    upstream: Vec<NodeIndex>,
    /// In the order of the node indexes.
    downstream: Vec<NodeIndex>,
    /// The downstream nodes behind a condition, in the order of the node indexes.
    conditions: Vec<(NodeIndex, bool)>,
}

impl Graph {
    /// Builds the graph of a stored pipeline of up to 4,096 nodes. The configured limits do not
    /// apply.
    ///
    /// # Errors
    /// `Invalid` with every issue. The slug is `graph-too-large`, `graph-empty`, `graph-invalid` or
    /// `graph-cycle`.
    pub(crate) fn new(pipeline: &Pipeline) -> Result<Self> {
        Self::within(pipeline, GraphSize::STORABLE)
    }

    /// Builds the graph of a new pipeline and applies the limits on nodes and edges.
    ///
    /// # Errors
    /// The same as [`Graph::new`].
    pub(crate) fn with_limits(pipeline: &Pipeline, limits: &Limits) -> Result<Self> {
        Self::within(pipeline, limits.into())
    }

    fn within(pipeline: &Pipeline, size: GraphSize) -> Result<Self> {
        let links = validate::resolve_links(pipeline, size)?;
        let order = order::topological(&links)?;
        let mut index_of = vec![0; order.len()];
        for (node_index, declared) in (0..).zip(&order) {
            index_of[*declared] = node_index;
        }
        let mut nodes: Vec<_> = order
            .iter()
            .map(|declared| GraphNode {
                id: links.ids[*declared].clone(),
                declared: *declared,
                keeps_output: pipeline.nodes[*declared].keeps_output(),
                upstream: Vec::new(),
                downstream: Vec::new(),
                conditions: Vec::new(),
            })
            .collect();
        for ((from, to), edge) in links.edges.iter().zip(&pipeline.edges) {
            let (from, to) = (index_of[*from], index_of[*to]);
            nodes[usize::from(from)].downstream.push(to);
            nodes[usize::from(to)].upstream.push(from);
            let condition = edge.condition.map(|condition| (to, condition));
            nodes[usize::from(from)].conditions.extend(condition);
        }
        for node in &mut nodes {
            node.downstream.sort_unstable();
            node.conditions.sort_unstable();
        }
        let node_indexes = (0..)
            .zip(&nodes)
            .map(|(node_index, node)| (node.id.clone(), node_index))
            .collect();
        Ok(Self {
            nodes,
            node_indexes,
        })
    }

    /// Returns the number of nodes. Node indexes run from 0 to `len() - 1`.
    pub(crate) const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns every node index in ascending order.
    pub(crate) fn node_indexes(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (0..).take(self.nodes.len())
    }

    /// Returns the id of a node.
    pub(crate) fn id(&self, node_index: NodeIndex) -> Option<&NodeId> {
        self.node(node_index).map(|node| &node.id)
    }

    /// Returns the position of the node in `Pipeline::nodes`.
    pub(crate) fn declared_index(&self, node_index: NodeIndex) -> Option<usize> {
        self.node(node_index).map(|node| node.declared)
    }

    /// Returns the index of the node with this id.
    pub(crate) fn node_index(&self, id: &str) -> Option<NodeIndex> {
        self.node_indexes.get(id).copied()
    }

    /// Returns the upstreams of a node, in edge order.
    pub(crate) fn upstream(&self, node_index: NodeIndex) -> &[NodeIndex] {
        self.node(node_index).map_or(&[], |node| &node.upstream)
    }

    /// Returns the downstream nodes of a node, in ascending order of their indexes.
    pub(crate) fn downstream(&self, node_index: NodeIndex) -> &[NodeIndex] {
        self.node(node_index).map_or(&[], |node| &node.downstream)
    }

    /// Returns a node and all nodes below it.
    pub(crate) fn with_downstream(&self, node_index: NodeIndex) -> BTreeSet<NodeIndex> {
        let (mut found, mut pending) = (BTreeSet::from([node_index]), vec![node_index]);
        while let Some(above) = pending.pop() {
            let below = self.downstream(above).iter().copied();
            pending.extend(below.filter(|next| found.insert(*next)));
        }
        found
    }

    /// Returns the condition of the edge between two nodes.
    fn condition(&self, from: NodeIndex, to: NodeIndex) -> Option<bool> {
        let conditions = &self.node(from)?.conditions;
        let found = conditions.binary_search_by_key(&to, |(next, _)| *next);
        found.ok().map(|index| conditions[index].1)
    }

    /// Returns whether the edge between two nodes is taken by this branch of the first.
    pub(crate) fn leads(&self, from: NodeIndex, to: NodeIndex, branch: Option<bool>) -> bool {
        let condition = self.condition(from, to);
        condition.is_none() || condition == branch
    }

    /// Returns whether an edge from the node has a condition, so that the node must take a
    /// branch.
    pub(crate) fn has_conditions(&self, node_index: NodeIndex) -> bool {
        self.node(node_index)
            .is_some_and(|node| !node.conditions.is_empty())
    }

    /// Returns whether the node has no downstream node. The output of such a node is a result of
    /// the run.
    pub(crate) fn is_leaf(&self, node_index: NodeIndex) -> bool {
        self.downstream(node_index).is_empty()
    }

    /// Returns whether a succeeded run keeps the output of the node, if it has this many bytes.
    pub(crate) fn retains_output(
        &self,
        node_index: NodeIndex,
        length: u64,
        result_bytes_max: u64,
    ) -> bool {
        self.keeps_output(node_index) || (self.is_leaf(node_index) && length <= result_bytes_max)
    }

    /// Returns whether a succeeded run keeps the output of the node, whatever its size.
    pub(crate) fn keeps_output(&self, node_index: NodeIndex) -> bool {
        self.node(node_index).is_some_and(|node| node.keeps_output)
    }

    fn node(&self, node_index: NodeIndex) -> Option<&GraphNode> {
        self.nodes.get(usize::from(node_index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Problem;

    #[test]
    fn node_indexes_ids_and_edges_agree() {
        let pipeline = Pipeline::new("p")
            .node("sum", "x")
            .node("b", "x")
            .node("a", "x")
            .edge("a", "sum")
            .edge("b", "sum");
        let graph = Graph::new(&pipeline).unwrap();
        assert_eq!(graph.len(), 3);
        for node_index in graph.node_indexes() {
            let id = graph.id(node_index).unwrap().as_str();
            assert_eq!(
                pipeline.nodes[graph.declared_index(node_index).unwrap()].id,
                id
            );
            assert_eq!(graph.node_index(id), Some(node_index));
        }
        let [a, b, sum] = ["a", "b", "sum"].map(|id| graph.node_index(id).unwrap());
        assert_eq!((b, a, sum), (0, 1, 2));
        assert_eq!(graph.upstream(sum), [a, b], "in edge order");
        assert_eq!(graph.downstream(a), [sum]);
        assert!(graph.is_leaf(sum) && !graph.is_leaf(a));
        assert_eq!((graph.id(3), graph.node_index("c")), (None, None));
    }

    #[test]
    fn the_largest_graph_is_accepted_and_far_larger_ones_are_refused_on_a_small_stack() {
        let chain = |count: usize| {
            (1..count).fold(Pipeline::new("p").node("0", "x"), |pipeline, index| {
                pipeline
                    .node(index.to_string(), "x")
                    .after((index - 1).to_string())
            })
        };
        let mut largest = chain(1_000);
        for step in 2..=20 {
            for index in step..1_000_usize {
                largest = largest.edge((index - step).to_string(), index.to_string());
            }
        }
        let mut fan = Pipeline::new("p").node("0", "x");
        for index in 1..100_000 {
            fan = fan.node(index.to_string(), "x").after("0");
        }
        let long = chain(100_000);
        let small = std::thread::Builder::new().stack_size(512 * 1024);
        let checked = small.spawn(move || {
            assert_eq!(largest.edges.len(), 19_790);
            let limits = Limits::default();
            assert_eq!(Graph::with_limits(&largest, &limits).unwrap().len(), 1_000);
            for pipeline in [fan, long] {
                for refused in [
                    Graph::new(&pipeline),
                    Graph::with_limits(&pipeline, &limits),
                ] {
                    assert_eq!(refused.unwrap_err().problem(), Problem::GraphTooLarge);
                }
            }
        });
        checked.unwrap().join().unwrap();
    }
}
