//! The cost of a node: runs of graphs of several sizes, from the trigger of the run to its end.
//!
//! The nodes do nothing. The time of a run is divided by the number of its nodes, so that the
//! figure of a small graph has more of what the run itself costs.

use std::time::{Duration, Instant};

use floret::Floret;
use tokio::runtime::Runtime;

use crate::engine::{self, BACKENDS, Backend, SHAPES, Shape, WIDTH};
use crate::figure::{Figure, percentile};
use crate::{Scale, folder, name};

const SIZES: [u32; 5] = [10, 30, 100, 300, 1_000];

pub(crate) fn measure(scale: Scale) -> Figure {
    let mut figure = Figure::new(
        "Cost of a node by the size of its graph",
        "nodes of the graph",
        "µs a node",
    );
    for _ in 0..scale.rounds {
        for backend in BACKENDS {
            let runtime = Runtime::new().unwrap();
            runtime.block_on(round(backend, scale.of(&SIZES), &mut figure));
        }
    }
    figure
}

/// Measures all graphs once, on a fresh store.
async fn round(backend: Backend, sizes: &[u32], figure: &mut Figure) {
    let folder = folder();
    let mut builder = engine::builder(backend, folder.path(), 5).await;
    for shape in SHAPES {
        for nodes in sizes {
            let id = id(shape, *nodes);
            let nodes = usize::try_from(*nodes).unwrap();
            builder = builder.pipeline(engine::graph(&id, shape, nodes));
        }
    }
    let floret = builder.start().await.unwrap();
    for shape in SHAPES {
        for nodes in sizes {
            let time = executed(&floret, id(shape, *nodes), repeats(*nodes)).await;
            let micros = time.as_secs_f64() * 1e6 / f64::from(*nodes);
            figure.add(panel(shape), name(backend), u64::from(*nodes), micros);
        }
    }
    floret.shutdown(Duration::from_secs(10)).await.unwrap();
}

fn id(shape: Shape, nodes: u32) -> String {
    format!("{shape:?}-{nodes}").to_lowercase()
}

const fn panel(shape: Shape) -> &'static str {
    const { assert!(WIDTH == 10) };
    match shape {
        Shape::Chain => "chain",
        Shape::Fan => "fan",
        Shape::Layered => "layers of 10",
    }
}

/// Returns how often a round executes a graph: small ones more often.
fn repeats(nodes: u32) -> u32 {
    (3_000 / nodes).clamp(5, 100)
}

/// Returns the median time of a run, after a first run that is not counted.
async fn executed(floret: &Floret, pipeline: String, repeats: u32) -> Duration {
    let floret = floret.clone();
    // In a task, because a future outside of the workers is woken on another thread.
    let task = tokio::spawn(async move {
        engine::execute(&floret, &pipeline).await;
        let mut times = Vec::new();
        for _ in 0..repeats {
            let begin = Instant::now();
            engine::execute(&floret, &pipeline).await;
            times.push(begin.elapsed());
        }
        percentile(&mut times, 50)
    });
    task.await.unwrap()
}
