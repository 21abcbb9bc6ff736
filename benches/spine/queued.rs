//! Measures a pipeline beside another one with 100,000 queued runs at its limit. The queued runs
//! must not slow the first pipeline from trigger to start.
//!
//! The bare program is the same Floret without the queue.

use std::time::Duration;

use criterion::Criterion;
use floret::{Floret, Pipeline};
use tokio::runtime::Runtime;

use crate::engine::{self, BACKENDS, Backend};
use crate::workload::{self, timed};

const QUEUED: usize = 100_000;

/// Measures one run from its trigger to its end, with and without a full queue beside it.
pub(crate) fn beside_a_full_queue(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for backend in BACKENDS {
        let dirs = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let full = runtime.block_on(open(backend, dirs.0.path(), QUEUED));
        let empty = runtime.block_on(open(backend, dirs.1.path(), 0));
        crate::measure(
            criterion,
            &format!("trigger to end beside {QUEUED} queued runs, {backend:?}"),
            || (),
            |()| once(&runtime, &full),
            |()| once(&runtime, &empty),
        );
    }
}

fn once(runtime: &Runtime, floret: &Floret) -> Duration {
    const ROUNDS: usize = 20;
    runtime.block_on(timed(async {
        for _ in 0..ROUNDS {
            engine::execute(floret, "free").await;
        }
    }))
}

/// Builds a Floret in which one pipeline waits at its limit: a run that never finishes holds its
/// slot.
async fn open(backend: Backend, dir: &std::path::Path, queued: usize) -> Floret {
    let free = Pipeline::new("free").node("only", "nothing");
    let floret = workload::floret(backend, dir, 5, vec![engine::at_its_limit(), free]).await;
    engine::trigger(&floret, queued).await;
    floret
}
