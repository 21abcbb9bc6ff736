//! Computes the topological order of a graph, or the shortest cycle that prevents one.
//!
//! The same graph always has the same order. Every walk is a loop, because the depth of a user's
//! graph must not reach the stack. `validate` checks the nodes and edges first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::validate::Links;
use crate::error::{Error, Issue, Problem};

/// The largest number of nodes of a cycle that an error names.
const SHOWN_MAX: usize = 10;

/// Returns the node indexes in topological order (Kahn's algorithm). Where several orders are
/// possible, nodes come in the order of declaration.
///
/// # Errors
/// `Invalid` with the slug `graph-cycle`. The issue names one of the shortest cycles.
pub(super) fn topological(links: &Links) -> Result<Vec<usize>, Error> {
    let downstream = downstream(links);
    let mut unmet_count = vec![0_usize; links.ids.len()];
    for (_, to) in &links.edges {
        unmet_count[*to] += 1;
    }
    let mut ready: BinaryHeap<_> = (0..links.ids.len())
        .filter(|node| unmet_count[*node] == 0)
        .map(Reverse)
        .collect();
    let mut order = Vec::with_capacity(links.ids.len());
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for next in &downstream[node] {
            unmet_count[*next] -= 1;
            if unmet_count[*next] == 0 {
                ready.push(Reverse(*next));
            }
        }
    }
    if order.len() == links.ids.len() {
        Ok(order)
    } else {
        Err(cycle_error(
            links,
            &shortest_cycle(&downstream, &unmet_count),
        ))
    }
}

fn downstream(links: &Links) -> Vec<Vec<usize>> {
    let mut downstream = vec![Vec::new(); links.ids.len()];
    for (from, to) in &links.edges {
        downstream[*from].push(*to);
    }
    downstream
}

/// Returns a shortest cycle among the nodes that never became ready. The cycle starts with the
/// first declared node.
fn shortest_cycle(downstream: &[Vec<usize>], unmet_count: &[usize]) -> Vec<usize> {
    let mut shortest: Option<Vec<usize>> = None;
    for start in (0..downstream.len()).filter(|node| unmet_count[*node] > 0) {
        let shorter_than = shortest.as_ref().map_or(usize::MAX, Vec::len);
        if let Some(cycle) = cycle_through(start, downstream, shorter_than) {
            shortest = Some(cycle);
        }
    }
    shortest.unwrap_or_default()
}

/// Returns the shortest cycle through a node if it has fewer than `shorter_than` nodes
/// (breadth-first search).
fn cycle_through(
    start: usize,
    downstream: &[Vec<usize>],
    shorter_than: usize,
) -> Option<Vec<usize>> {
    let mut predecessor: Vec<Option<usize>> = vec![None; downstream.len()];
    let mut queue = VecDeque::from([(start, 1_usize)]);
    while let Some((node, length)) = queue.pop_front() {
        if length >= shorter_than {
            return None;
        }
        for next in &downstream[node] {
            if *next == start {
                return Some(trace_cycle(node, start, &predecessor));
            }
            if predecessor[*next].is_none() {
                predecessor[*next] = Some(node);
                queue.push_back((*next, length + 1));
            }
        }
    }
    None
}

fn trace_cycle(last: usize, start: usize, predecessor: &[Option<usize>]) -> Vec<usize> {
    let mut cycle = vec![last];
    let mut node = last;
    while node != start {
        let Some(before) = predecessor[node] else {
            break;
        };
        cycle.push(before);
        node = before;
    }
    cycle.reverse();
    cycle
}

fn cycle_error(links: &Links, cycle: &[usize]) -> Error {
    let closing = cycle.last().zip(cycle.first());
    let edge = links
        .edges
        .iter()
        .position(|(from, to)| closing == Some((from, to)))
        .unwrap_or_default();
    let shown = cycle.iter().take(SHOWN_MAX);
    let end = if cycle.len() > SHOWN_MAX {
        Some("…")
    } else {
        cycle.first().map(|first| links.ids[*first].as_str())
    };
    let rendered: Vec<&str> = shown
        .map(|node| links.ids[*node].as_str())
        .chain(end)
        .collect();
    let count = cycle.len();
    let detail = format!("{count} nodes form a cycle: {}", rendered.join(" → "));
    Error::invalid(
        Problem::GraphCycle,
        vec![Issue::pointer(format!("/edges/{edge}"), detail)],
    )
}

#[cfg(test)]
mod tests {
    use crate::error::Problem;
    use crate::graph::Graph;
    use crate::model::Pipeline;

    fn pipeline(nodes: &[&str], edges: &[(&str, &str)]) -> Pipeline {
        let bare = nodes
            .iter()
            .fold(Pipeline::new("p"), |pipeline, id| pipeline.node(*id, "x"));
        edges
            .iter()
            .fold(bare, |pipeline, (from, to)| pipeline.edge(*from, *to))
    }

    #[test]
    fn nodes_follow_their_upstreams_and_then_the_order_of_declaration() {
        let graph = Graph::new(&pipeline(
            &["d", "c", "b", "a"],
            &[("a", "d"), ("b", "d"), ("a", "c")],
        ))
        .unwrap();
        let order: Vec<_> = graph
            .node_indexes()
            .map(|node_index| graph.id(node_index).unwrap().as_str())
            .collect();
        assert_eq!(order, ["b", "a", "d", "c"]);
    }

    #[test]
    fn an_error_names_the_shortest_cycle_from_its_first_declared_node() {
        for (edges, at, detail) in [
            (
                &[("a", "b"), ("b", "c"), ("c", "a"), ("c", "b"), ("d", "a")][..],
                "/edges/3",
                "2 nodes form a cycle: b → c → b",
            ),
            (
                &[("d", "b"), ("b", "c"), ("c", "d"), ("d", "a")],
                "/edges/0",
                "3 nodes form a cycle: b → c → d → b",
            ),
        ] {
            let error = Graph::new(&pipeline(&["a", "b", "c", "d"], edges)).unwrap_err();
            assert_eq!(error.problem(), Problem::GraphCycle);
            assert_eq!(error.issues(), [crate::Issue::pointer(at, detail)]);
        }
    }

    #[test]
    fn an_error_names_ten_nodes_of_a_long_cycle() {
        let round = |count: usize| {
            let bare = (0..count).fold(Pipeline::new("p"), |pipeline, index| {
                pipeline.node(format!("n{index}"), "x")
            });
            (0..count).fold(bare, |pipeline, index| {
                pipeline.edge(format!("n{index}"), format!("n{}", (index + 1) % count))
            })
        };
        for (count, end) in [
            (10, "n8 → n9 → n0"),
            (11, "n8 → n9 → …"),
            (1_000, "n8 → n9 → …"),
        ] {
            let error = Graph::new(&round(count)).unwrap_err();
            let detail = error.to_string();
            assert!(detail.starts_with(&format!("{count} nodes form a cycle: n0 → n1 ")));
            assert!(detail.ends_with(end), "{detail}");
        }
    }
}
