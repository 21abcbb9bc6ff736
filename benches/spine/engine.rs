//! The measured Floret: its backend, its pipelines of nodes that do nothing, and the runs that many
//! tasks trigger.
//!
//! `charts` uses it too. What is measured is left to the benches.

use std::future::Future;
use std::path::Path;

use floret::executor::{Ctx, ExecutorError};
use floret::storage::{Durability, MemoryStorage, SqliteOptions, SqliteStorage};
use floret::{Builder, Floret, Limits, Pipeline, RunStatus};
use tokio::task::JoinSet;

/// The storage of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Memory,
    Normal,
    Full,
}

pub(crate) const BACKENDS: [Backend; 3] = [Backend::Memory, Backend::Normal, Backend::Full];

/// The shape of a graph.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Chain,
    Fan,
    Layered,
}

pub(crate) const SHAPES: [Shape; 3] = [Shape::Chain, Shape::Fan, Shape::Layered];

/// The nodes of a layer.
pub(crate) const WIDTH: usize = 10;

async fn nothing(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

async fn endless(_: Ctx) -> Result<(), ExecutorError> {
    std::future::pending().await
}

/// Opens the storage of a Floret that can execute `runs_max` runs at the same time.
pub(crate) async fn builder(backend: Backend, dir: &Path, runs_max: u32) -> Builder {
    let mut limits = Limits::default();
    limits.runs_max = runs_max;
    limits.queued_pipeline_max = 10_000_000;
    limits.queued_max = 10_000_000;
    let builder = match backend {
        Backend::Memory => Floret::builder(MemoryStorage::default()),
        Backend::Normal => sqlite(dir, Durability::Normal).await,
        Backend::Full => sqlite(dir, Durability::Full).await,
    };
    builder
        .limits(limits)
        .node("nothing", nothing)
        .node("endless", endless)
}

async fn sqlite(dir: &Path, durability: Durability) -> Builder {
    let options = SqliteOptions::default().durability(durability);
    Floret::builder(
        SqliteStorage::open_with(dir.join("floret.db"), options)
            .await
            .unwrap(),
    )
}

/// A pipeline of one node that executes endlessly. Its limit is one run, so all others wait.
pub(crate) fn at_its_limit() -> Pipeline {
    Pipeline::new("single")
        .node("only", "endless")
        .max_concurrent_runs(1)
}

/// A pipeline of nodes that do nothing.
pub(crate) fn graph(id: &str, shape: Shape, nodes: usize) -> Pipeline {
    let node = |index: usize| format!("n{index}");
    let mut pipeline = (0..nodes).fold(Pipeline::new(id), |pipeline, index| {
        pipeline.node(node(index), "nothing")
    });
    for index in 1..nodes {
        pipeline = match shape {
            Shape::Chain => pipeline.edge(node(index - 1), node(index)),
            Shape::Fan => pipeline.edge(node(0), node(index)),
            Shape::Layered if index < WIDTH => pipeline,
            Shape::Layered => {
                let above = (index / WIDTH - 1) * WIDTH;
                (above..above + WIDTH).fold(pipeline, |pipeline, upstream| {
                    pipeline.edge(node(upstream), node(index))
                })
            }
        };
    }
    pipeline
}

/// Triggers `count` runs of the pipeline `single` from 64 tasks.
pub(crate) async fn trigger(floret: &Floret, count: usize) {
    spread(count, 64, |_| {
        let floret = floret.clone();
        async move {
            floret.run("single").start().await.unwrap();
        }
    })
    .await;
}

/// Executes one run of the pipeline.
pub(crate) async fn execute(floret: &Floret, pipeline: &str) {
    let run = floret.run(pipeline).start().await.unwrap();
    let detail = run.finished().await.unwrap();
    assert_eq!(detail.run.status, RunStatus::Success);
}

/// Does `count` operations, `width` at a time.
pub(crate) async fn spread<F: Future<Output = ()> + Send + 'static>(
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
