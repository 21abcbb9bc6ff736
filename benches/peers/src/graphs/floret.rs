//! Floret on its memory backend, with default limits. The clock runs from the trigger until
//! `finished` returns, so it includes the queue, the journal and the events.

use std::sync::Arc;

use floret::executor::{Ctx, ExecutorError};
use floret::storage::MemoryStorage;
use floret::{Floret, Pipeline, RunStatus};

use super::Executor;
use super::nodes::{NODES, Nodes};

pub(super) struct InMemory;

impl Executor for InMemory {
    type Built = Floret;

    async fn build(nodes: &Arc<Nodes>) -> Floret {
        let mut pipeline = Pipeline::new("graph");
        for node in 0..NODES {
            pipeline = pipeline.node(node.to_string(), "nothing");
        }
        for node in 0..NODES {
            for upstream in nodes.upstreams(node) {
                pipeline = pipeline.edge(upstream.to_string(), node.to_string());
            }
        }
        let nodes = Arc::clone(nodes);
        Floret::builder(MemoryStorage::default())
            .node("nothing", move |ctx: Ctx| {
                nodes.execute(ctx.node.id.parse().unwrap());
                async { Ok::<_, ExecutorError>(()) }
            })
            .pipeline(pipeline)
            .start()
            .await
            .unwrap()
    }

    async fn execute(floret: Floret) {
        let run = floret.run("graph").start().await.unwrap();
        let detail = run.finished().await.unwrap();
        assert_eq!(detail.run.status, RunStatus::Success);
    }
}
