//! dagx: tasks whose inputs are known to the compiler, hence a type for each number of upstreams.

use std::sync::Arc;

use dagx::{DagRunner, Task, TaskHandle, task};

use super::Executor;
use super::nodes::{NODES, Nodes};

pub(super) struct Dagx;

/// What a node gives to its downstreams.
type Done = u8;

struct Source(usize, Arc<Nodes>);
struct AfterOne(usize, Arc<Nodes>);
struct AfterEight(usize, Arc<Nodes>);

#[task]
impl Source {
    async fn run(&self) -> Done {
        self.1.execute(self.0);
        0
    }
}

#[task]
impl AfterOne {
    async fn run(&self, _upstream: &Done) -> Done {
        self.1.execute(self.0);
        0
    }
}

#[task]
impl AfterEight {
    #[expect(clippy::too_many_arguments, reason = "an argument an upstream")]
    async fn run(
        &self,
        _a: &Done,
        _b: &Done,
        _c: &Done,
        _d: &Done,
        _e: &Done,
        _f: &Done,
        _g: &Done,
        _h: &Done,
    ) -> Done {
        self.1.execute(self.0);
        0
    }
}

impl Executor for Dagx {
    type Built = DagRunner;

    async fn build(nodes: &Arc<Nodes>) -> DagRunner {
        let dag = DagRunner::new();
        let mut handles: Vec<TaskHandle<Done>> = Vec::with_capacity(NODES);
        for node in 0..NODES {
            let nodes = Arc::clone(nodes);
            let handle = match &handles[nodes.upstreams(node)] {
                [] => dag.add_task(Source(node, nodes)).into(),
                [one] => dag.add_task(AfterOne(node, nodes)).depends_on(one),
                [a, b, c, d, e, f, g, h] => dag
                    .add_task(AfterEight(node, nodes))
                    .depends_on((a, b, c, d, e, f, g, h)),
                other => panic!("no task type for {} upstreams", other.len()),
            };
            handles.push(handle);
        }
        dag
    }

    async fn execute(dag: DagRunner) {
        let spawn = |task| drop(tokio::spawn(task));
        dag.run(spawn).await.unwrap();
    }
}
