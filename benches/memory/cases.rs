//! The cases, each with its goal: what is measured between which two moments.

use std::fmt;
use std::pin::Pin;

use floret::{Limits, Pipeline, RunStatus};

use crate::engine::{Backend, Engine};
use crate::process::{Memory, peak_rss};

const KIB: f64 = 1_024.0;
const MIB: f64 = KIB * KIB;

/// The runs of a case with many runs.
const RUNS: u32 = 10_000;
/// The nodes of the large run: as many as the default limits allow.
const NODES: u32 = 1_000;

type Measuring = Pin<Box<dyn Future<Output = Vec<Figure>>>>;

/// One process.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) measure: fn(Backend) -> Measuring,
}

pub(crate) const CASES: [Case; 6] = [
    Case {
        name: "idle",
        measure: |backend| Box::pin(idle(backend)),
    },
    Case {
        name: "queued",
        measure: |backend| Box::pin(queued(backend)),
    },
    Case {
        name: "finished",
        measure: |backend| Box::pin(finished(backend)),
    },
    Case {
        name: "nodes",
        measure: |backend| Box::pin(nodes(backend, Limits::default())),
    },
    Case {
        name: "nodes-at-once",
        measure: |backend| Box::pin(nodes(backend, all_nodes_at_once())),
    },
    Case {
        name: "burst",
        measure: |backend| Box::pin(burst(backend)),
    },
];

/// A line of the table. It displays as its fields between tabs.
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    goal: &'static str,
    rss: Option<f64>,
    live: Option<f64>,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: Option<f64>| value.map_or_else(String::new, |it| it.to_string());
        let (rss, live) = (shown(self.rss), shown(self.live));
        write!(
            f,
            "{}\t{}\t{}\t{rss}\t{live}",
            self.name, self.unit, self.goal
        )
    }
}

impl Figure {
    /// The growth between two moments, in this unit.
    #[expect(
        clippy::cast_precision_loss,
        reason = "no process of a benchmark has petabytes"
    )]
    fn growth(name: &str, unit: (&'static str, f64), goal: &'static str, of: [Memory; 2]) -> Self {
        let grown = |before: u64, after: u64| (after as f64 - before as f64) / unit.1;
        let [before, after] = of;
        Self {
            name: name.to_owned(),
            unit: unit.0,
            goal,
            rss: before.rss.zip(after.rss).map(|(a, b)| grown(a, b)),
            live: Some(grown(before.live, after.live)),
        }
    }

    /// The memory at one moment, in MiB.
    fn size(name: &str, memory: Memory) -> Self {
        let empty = Memory {
            rss: memory.rss.map(|_| 0),
            live: 0,
        };
        Self::growth(name, ("MiB", MIB), "–", [empty, memory])
    }

    /// A resident set as a multiple of an earlier one.
    #[expect(
        clippy::cast_precision_loss,
        reason = "no process of a benchmark has petabytes"
    )]
    fn multiple(name: &str, goal: &'static str, before: Option<u64>, now: Option<u64>) -> Self {
        Self {
            name: name.to_owned(),
            unit: "×",
            goal,
            rss: before.zip(now).map(|(a, b)| b as f64 / a as f64),
            live: None,
        }
    }
}

fn single() -> Pipeline {
    Pipeline::new("single").node("only", "nothing")
}

async fn idle(backend: Backend) -> Vec<Figure> {
    let host = Memory::settled().await;
    let engine = Engine::start(backend, Limits::default(), vec![single()]).await;
    let idle = Memory::settled().await;
    drop(engine);
    let unit = ("MiB", MIB);
    vec![
        Figure::size("host: a tokio runtime", host),
        Figure::growth("idle engine over the host", unit, "10", [host, idle]),
    ]
}

async fn queued(backend: Backend) -> Vec<Figure> {
    let mut limits = Limits::default();
    limits.runs_max = 0;
    let engine = Engine::start(backend, limits, vec![single()]).await;
    let steps = [("10,000 queued runs", "1,024"), ("10,000 more", "1,024")];
    growths(&steps, async || engine.trigger("single", RUNS).await).await
}

/// The memory backend keeps the newest 10,000 finished runs, so it is full after the first ones.
async fn finished(backend: Backend) -> Vec<Figure> {
    let engine = Engine::start(backend, limits_of_64_runs(), vec![single()]).await;
    let steps = [
        ("first 10,000 finished runs", "–"),
        ("second 10,000", "0"),
        ("third 10,000", "0"),
    ];
    growths(&steps, async || engine.execute("single", RUNS).await).await
}

/// Measures by how much each step, which has a name and a goal, grows the memory for each run.
async fn growths(steps: &[(&str, &'static str)], work: impl AsyncFn()) -> Vec<Figure> {
    let unit = ("bytes a run", f64::from(RUNS));
    let mut before = Memory::settled().await;
    let mut figures = Vec::new();
    for (name, goal) in steps {
        work().await;
        let after = Memory::settled().await;
        figures.push(Figure::growth(name, unit, goal, [before, after]));
        before = after;
    }
    figures
}

fn limits_of_64_runs() -> Limits {
    let mut limits = Limits::default();
    limits.runs_max = 64;
    limits
}

fn all_nodes_at_once() -> Limits {
    let mut limits = Limits::default();
    limits.nodes_run_max = NODES;
    limits.nodes_engine_max = NODES;
    limits
}

/// A run whose nodes wait at a gate, as many as the limits let execute. The others wait.
async fn nodes(backend: Backend, limits: Limits) -> Vec<Figure> {
    let large = (0..NODES).fold(Pipeline::new("large"), |pipeline, index| {
        pipeline.node(format!("n{index}"), "held")
    });
    let executing = limits.nodes_run_max;
    let engine = Engine::start(backend, limits, vec![single(), large]).await;
    // What the first run of a process takes once is no cost of a node.
    engine.execute("single", 1).await;
    let idle = Memory::settled().await;
    let run = engine.floret.run("large").start().await.unwrap();
    engine.gate.arrived(executing).await;
    let working = Memory::settled().await;
    engine.gate.open();
    let detail = run.finished().await.unwrap();
    assert_eq!(detail.run.status, RunStatus::Success);
    let name = format!("a run of {NODES} nodes, {executing} of them executing");
    let unit = ("bytes a node", f64::from(NODES));
    vec![Figure::growth(&name, unit, "2,048", [idle, working])]
}

/// Two bursts of runs of two nodes, 64 at a time. The memory backend keeps the runs, so it has no
/// goal.
async fn burst(backend: Backend) -> Vec<Figure> {
    let goal = match backend {
        Backend::Sqlite => "1.5",
        Backend::Memory => "–",
    };
    let double = Pipeline::new("double")
        .node("first", "nothing")
        .node("second", "nothing")
        .edge("first", "second");
    let engine = Engine::start(backend, limits_of_64_runs(), vec![double]).await;
    let idle = Memory::settled().await;
    engine.execute("double", RUNS).await;
    let peak = peak_rss();
    let after = Memory::below(allowed(idle)).await;
    engine.execute("double", RUNS).await;
    let again = Memory::below(allowed(after)).await;
    vec![
        Figure::size("idle before a burst", idle),
        Figure::size("after 10,000 runs of two nodes", after),
        Figure::multiple("their peak, × idle", "–", idle.rss, peak),
        Figure::multiple("after them, × idle", goal, idle.rss, after.rss),
        Figure::multiple("after 10,000 more, × the first", goal, after.rss, again.rss),
    ]
}

/// The resident set that a burst may leave.
fn allowed(before: Memory) -> u64 {
    before.rss.unwrap_or_default() / 2 * 3
}
