//! dagrs: nodes that wait for a message from each upstream.

use std::sync::Arc;

use async_trait::async_trait;
use dagrs::{
    Action, Content, DefaultNode, EnvVar, Graph, InChannels, Node, NodeTable, OutChannels, Output,
};

use super::Executor;
use super::nodes::{NODES, Nodes};

pub(super) struct Dagrs;

struct Execute {
    node: usize,
    nodes: Arc<Nodes>,
}

#[async_trait]
impl Action for Execute {
    async fn run(
        &self,
        inputs: &mut InChannels,
        outputs: &mut OutChannels,
        _: Arc<EnvVar>,
    ) -> Output {
        inputs.map(|input| drop(input.unwrap())).await;
        self.nodes.execute(self.node);
        for sent in outputs.broadcast(Content::new(())).await {
            sent.unwrap();
        }
        Output::empty()
    }
}

impl Executor for Dagrs {
    type Built = Graph;

    async fn build(nodes: &Arc<Nodes>) -> Graph {
        let mut table = NodeTable::default();
        let mut graph = Graph::new();
        let mut ids = Vec::with_capacity(NODES);
        for node in 0..NODES {
            let nodes = Arc::clone(nodes);
            let action = Execute { node, nodes };
            let node = DefaultNode::with_action(node.to_string(), action, &mut table);
            ids.push(node.id());
            graph.add_node(node).unwrap();
        }
        for node in 0..NODES {
            for upstream in nodes.upstreams(node) {
                graph.add_edge(ids[upstream], [ids[node]]).unwrap();
            }
        }
        graph.set_env(EnvVar::new(table));
        graph
    }

    async fn execute(mut graph: Graph) {
        let report = graph.async_start().await.unwrap();
        assert_eq!(report.node_succeeded, NODES);
    }
}
