//! Graphs of 1,000 nodes in memory: a chain, a fan, and layers. Each peer has a file, and `joinset`
//! has the limit: tasks that are spawned and awaited by hand.

mod dagrs;
mod dagx;
mod floret;
mod joinset;
mod nodes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use peers_work::{Figure, Report};

use nodes::{NODES, Nodes, Shape};

/// How often a round repeats a shape.
const REPEATS: usize = 15;

/// What executes graphs.
trait Executor {
    /// A graph that is built, so that the clock sees its execution only.
    type Built: Send + 'static;

    /// Builds the graph of the nodes.
    async fn build(nodes: &Arc<Nodes>) -> Self::Built;

    /// Executes each node once, after all of its upstreams.
    fn execute(built: Self::Built) -> impl Future<Output = ()> + Send;
}

/// Measures one round of a peer, in microseconds a node.
pub(crate) async fn measure(mode: &str) -> Report {
    let mut report = Report::default();
    for (shape, figure) in [
        (Shape::Chain, Figure::Chain),
        (Shape::Fan, Figure::Fan),
        (Shape::Layered, Figure::Layered),
    ] {
        let mut times = Vec::with_capacity(REPEATS);
        for _ in 0..REPEATS {
            times.push(match mode {
                "joinset" => once::<joinset::JoinSets>(shape).await,
                "floret-memory" => once::<floret::InMemory>(shape).await,
                "dagrs" => once::<dagrs::Dagrs>(shape).await,
                "dagx" => once::<dagx::Dagx>(shape).await,
                other => panic!("no such mode: {other}"),
            });
        }
        times.sort_unstable();
        let nodes = u32::try_from(NODES).unwrap();
        let time = times[REPEATS / 2] / nodes;
        report.add(figure, time.as_secs_f64() * 1e6);
    }
    report
}

async fn once<E: Executor + 'static>(shape: Shape) -> Duration {
    let nodes = Arc::new(Nodes::new(shape));
    let built = E::build(&nodes).await;
    // In a task, because a future outside of the workers is woken on another thread.
    let executed = tokio::spawn(async {
        let begin = Instant::now();
        E::execute(built).await;
        begin.elapsed()
    });
    let time = executed.await.unwrap();
    nodes.check();
    time
}
