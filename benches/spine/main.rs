//! Measures the engine, each figure beside a minimal program that does the same bare work.
//!
//! One measurement times Floret and the bare program in turn, so the ratio holds while the speed of
//! the machine drifts: `cargo bench --bench spine`. A ratio is Floret's time divided by the bare
//! program's time; smaller is better.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark asks the time, prints, and stops when something fails"
)]

mod bare;
mod engine;
mod queued;
mod workload;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

use engine::{BACKENDS, Backend, SHAPES};
use workload::timed;

/// The times of Floret and of the bare program, in turn.
#[derive(Default)]
struct Pairs(Vec<(Duration, Duration)>);

impl Pairs {
    fn print(mut self, name: &str) {
        if self.0.is_empty() {
            return;
        }
        let ratio =
            |(floret, bare): &(Duration, Duration)| floret.as_secs_f64() / bare.as_secs_f64();
        self.0.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
        let middle = &self.0[self.0.len() / 2];
        println!(
            "{name}: ratio {:.2} (Floret {:?}, bare {:?}, {} pairs)",
            ratio(middle),
            middle.0,
            middle.1,
            self.0.len()
        );
    }
}

/// Measures `count` operations a round. Criterion reports Floret's time; the ratio is printed.
fn measure<S>(
    criterion: &mut Criterion,
    name: &str,
    mut setup: impl FnMut() -> S,
    mut floret: impl FnMut(&S) -> Duration,
    mut bare: impl FnMut(&S) -> Duration,
) {
    let mut pairs = Pairs::default();
    let state = setup();
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let pair = (floret(&state), bare(&state));
                spent += pair.0;
                pairs.0.push(pair);
            }
            spent
        });
    });
    pairs.print(name);
}

struct State {
    floret: floret::Floret,
    bare: Option<bare::Writer>,
    next: std::cell::Cell<i64>,
    _dir: tempfile::TempDir,
}

impl State {
    fn open(
        runtime: &Runtime,
        backend: Backend,
        runs_max: u32,
        pipelines: Vec<floret::Pipeline>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            floret: runtime.block_on(workload::floret(backend, dir.path(), runs_max, pipelines)),
            bare: workload::bare(backend, dir.path()),
            next: std::cell::Cell::new(1),
            _dir: dir,
        }
    }

    /// Returns integer keys for `count` bare runs.
    fn take(&self, count: usize) -> i64 {
        let first = self.next.get();
        self.next.set(first + i64::try_from(count).unwrap());
        first
    }
}

fn triggers(criterion: &mut Criterion) {
    const COUNT: usize = 1_000;
    let runtime = Runtime::new().unwrap();
    for backend in BACKENDS {
        measure(
            criterion,
            &format!("trigger {COUNT} by 64 waiters, {backend:?}"),
            || State::open(&runtime, backend, 0, vec![workload::single()]),
            |state| runtime.block_on(timed(engine::trigger(&state.floret, COUNT))),
            |state| {
                runtime.block_on(timed(workload::trigger_bare(
                    state.bare.as_ref(),
                    state.take(COUNT),
                    COUNT,
                )))
            },
        );
    }
}

fn drains(criterion: &mut Criterion) {
    const COUNT: usize = 2_000;
    let runtime = Runtime::new().unwrap();
    for backend in BACKENDS {
        measure(
            criterion,
            &format!("drain {COUNT} one-node runs, {backend:?}"),
            || State::open(&runtime, backend, 64, vec![workload::single()]),
            |state| runtime.block_on(timed(workload::drain(&state.floret, COUNT))),
            |state| {
                runtime.block_on(timed(workload::drain_bare(
                    state.bare.as_ref(),
                    state.take(COUNT),
                    COUNT,
                )))
            },
        );
    }
}

fn graphs(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for shape in SHAPES {
        for backend in BACKENDS {
            measure(
                criterion,
                &format!("{shape:?} of {} nodes, {backend:?}", workload::NODES),
                || {
                    State::open(
                        &runtime,
                        backend,
                        5,
                        vec![engine::graph("graph", shape, workload::NODES)],
                    )
                },
                |state| runtime.block_on(timed(engine::execute(&state.floret, "graph"))),
                |state| {
                    runtime.block_on(timed(workload::graph_bare(
                        state.bare.as_ref(),
                        shape,
                        state.take(1),
                    )))
                },
            );
        }
    }
}

criterion_group! {
    name = spine;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    targets = triggers, drains, graphs, queued::beside_a_full_queue
}
criterion_main!(spine);
