//! The measured work, done by Floret and by the bare programs.
//!
//! `main` times and prints it.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use floret::executor::{Ctx, ExecutorError};
use floret::storage::{Durability, MemoryStorage, SqliteOptions, SqliteStorage};
use floret::{Floret, Limits, Pipeline};
use tokio::task::JoinSet;

use crate::bare::{Step, Writer};

/// The storage of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Memory,
    Normal,
    Full,
}

pub(crate) const BACKENDS: [Backend; 3] = [Backend::Memory, Backend::Normal, Backend::Full];

/// The shape of a graph of 1,000 nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Chain,
    Fan,
    Layered,
}

pub(crate) const NODES: usize = 1_000;

async fn nothing(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

async fn endless(_: Ctx) -> Result<(), ExecutorError> {
    std::future::pending().await
}

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
    let mut limits = Limits::default();
    limits.runs_max = runs_max;
    limits.queued_pipeline_max = 10_000_000;
    limits.queued_max = 10_000_000;
    let builder = match backend {
        Backend::Memory => Floret::builder(MemoryStorage::default()),
        Backend::Normal => sqlite(dir, Durability::Normal).await,
        Backend::Full => sqlite(dir, Durability::Full).await,
    };
    let builder = builder
        .limits(limits)
        .node("nothing", nothing)
        .node("endless", endless);
    pipelines
        .into_iter()
        .fold(builder, floret::Builder::pipeline)
        .start()
        .await
        .unwrap()
}

async fn sqlite(dir: &Path, durability: Durability) -> floret::Builder {
    let options = SqliteOptions::default().durability(durability);
    Floret::builder(
        SqliteStorage::open_with(dir.join("floret.db"), options)
            .await
            .unwrap(),
    )
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

/// A pipeline of 1,000 nodes that do nothing.
pub(crate) fn graph(shape: Shape) -> Pipeline {
    const WIDTH: usize = 10;
    let id = |index: usize| format!("n{index}");
    let mut pipeline = (0..NODES).fold(Pipeline::new("graph"), |pipeline, index| {
        pipeline.node(id(index), "nothing")
    });
    for index in 1..NODES {
        pipeline = match shape {
            Shape::Chain => pipeline.edge(id(index - 1), id(index)),
            Shape::Fan => pipeline.edge(id(0), id(index)),
            Shape::Layered if index < WIDTH => pipeline,
            Shape::Layered => {
                let above = (index / WIDTH - 1) * WIDTH;
                (above..above + WIDTH).fold(pipeline, |pipeline, upstream| {
                    pipeline.edge(id(upstream), id(index))
                })
            }
        };
    }
    pipeline
}

/// Triggers `count` runs from 64 waiters.
pub(crate) async fn trigger(floret: &Floret, count: usize) {
    spread(count, 64, |_| {
        let floret = floret.clone();
        async move {
            floret.run("single").start().await.unwrap();
        }
    })
    .await;
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
        async move {
            floret
                .run("single")
                .start()
                .await
                .unwrap()
                .finished()
                .await
                .unwrap();
        }
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

/// Executes one run of the graph.
pub(crate) async fn run_graph(floret: &Floret) {
    floret
        .run("graph")
        .start()
        .await
        .unwrap()
        .finished()
        .await
        .unwrap();
}

/// Does the same work, bare: one task for each node, and one committed row for each node before its
/// downstream starts.
pub(crate) async fn graph_bare(writer: Option<&Writer>, shape: Shape, run: i64) {
    let width = match shape {
        Shape::Chain => 1,
        Shape::Fan => NODES,
        Shape::Layered => 10,
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

/// Does `count` operations, `width` at a time.
async fn spread<F: Future<Output = ()> + Send + 'static>(
    count: usize,
    width: usize,
    operation: impl Fn(usize) -> F,
) {
    let mut tasks = JoinSet::new();
    for index in 0..count {
        if tasks.len() == width {
            tasks.join_next().await.unwrap().unwrap();
        }
        tasks.spawn(operation(index));
    }
    tasks.join_all().await;
}
