//! The measured work, done by Floret and by the bare programs.
//!
//! `main` times and prints it. `engine` has the measured Floret.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use floret::{Builder, Floret, Pipeline};
use tokio::task::JoinSet;

use crate::bare::{Step, Writer};
use crate::engine::{self, Backend, Shape, WIDTH, spread};

/// The nodes of a graph.
pub(crate) const NODES: usize = 1_000;

/// Returns how long some work takes.
pub(crate) async fn timed(work: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    work.await;
    start.elapsed()
}

/// Opens a Floret that can execute `runs_max` runs at the same time.
pub(crate) async fn floret(
    backend: Backend,
    dir: &Path,
    runs_max: u32,
    pipelines: Vec<Pipeline>,
) -> Floret {
    let builder = engine::builder(backend, dir, runs_max).await;
    let builder = pipelines.into_iter().fold(builder, Builder::pipeline);
    builder.start().await.unwrap()
}

/// Opens the bare writer of a backend. Memory has none.
pub(crate) fn bare(backend: Backend, dir: &Path) -> Option<Writer> {
    match backend {
        Backend::Memory => None,
        Backend::Normal => Some(Writer::open(&dir.join("bare.db"), "NORMAL")),
        Backend::Full => Some(Writer::open(&dir.join("bare.db"), "FULL")),
    }
}

/// A pipeline of one node.
pub(crate) fn single() -> Pipeline {
    Pipeline::new("single").node("only", "nothing")
}

/// Does the same work as `trigger`, bare.
pub(crate) async fn trigger_bare(writer: Option<&Writer>, first: i64, count: usize) {
    spread(count, 64, |index| {
        let writer = writer.cloned();
        async move {
            if let Some(writer) = writer {
                writer
                    .step(Step::Create(first + i64::try_from(index).unwrap()))
                    .await;
            }
        }
    })
    .await;
}

/// Triggers `count` runs and waits until all have finished.
pub(crate) async fn drain(floret: &Floret, count: usize) {
    spread(count, 64, |_| {
        let floret = floret.clone();
        async move { engine::execute(&floret, "single").await }
    })
    .await;
}

/// Does the same work as `drain`, bare: three steps a run, 64 runs at the same time.
pub(crate) async fn drain_bare(writer: Option<&Writer>, first: i64, count: usize) {
    spread(count, 64, |index| {
        let writer = writer.cloned();
        async move {
            let Some(writer) = writer else { return };
            let run = first + i64::try_from(index).unwrap();
            writer.step(Step::Create(run)).await;
            writer.step(Step::Claim(run)).await;
            writer.step(Step::End(run)).await;
        }
    })
    .await;
}

/// Does the same work, bare: one task for each node, and one committed row for each node before its
/// downstream starts.
pub(crate) async fn graph_bare(writer: Option<&Writer>, shape: Shape, run: i64) {
    let width = match shape {
        Shape::Chain => 1,
        Shape::Fan => NODES,
        Shape::Layered => WIDTH,
    };
    let mut index = 0;
    while index < NODES {
        let mut layer = JoinSet::new();
        for node_index in index..(index + width).min(NODES) {
            let writer = writer.cloned();
            layer.spawn(async move {
                if let Some(writer) = writer {
                    writer
                        .step(Step::Node {
                            run,
                            node_index: i64::try_from(node_index).unwrap(),
                        })
                        .await;
                }
            });
        }
        index += width;
        layer.join_all().await;
    }
}
