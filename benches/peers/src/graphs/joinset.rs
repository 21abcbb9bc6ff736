//! The limit: a task for each node, spawned layer by layer by code that knows the shape.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Executor;
use super::nodes::{NODES, Nodes, Shape, WIDTH};

pub(super) struct JoinSets;

impl Executor for JoinSets {
    type Built = Arc<Nodes>;

    async fn build(nodes: &Arc<Nodes>) -> Arc<Nodes> {
        Arc::clone(nodes)
    }

    async fn execute(nodes: Arc<Nodes>) {
        let mut first = 0;
        while first < NODES {
            let count = match nodes.shape {
                Shape::Chain => 1,
                Shape::Fan if first == 0 => 1,
                Shape::Fan => NODES,
                Shape::Layered => WIDTH,
            };
            let layer = first..(first + count).min(NODES);
            first = layer.end;
            let mut tasks = JoinSet::new();
            for node in layer {
                let nodes = Arc::clone(&nodes);
                tasks.spawn(async move { nodes.execute(node) });
            }
            tasks.join_all().await;
        }
    }
}
