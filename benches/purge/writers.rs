//! The other writers: tasks that start runs and wait for their ends.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use floret::{Floret, RunStatus};
use tokio::task::JoinSet;

use crate::store::pipeline_id;

const WRITERS: u64 = 4;

/// The pause of a writer after each run.
const PAUSE: Duration = Duration::from_millis(5);

/// What the writers waited for, one time for each run.
#[derive(Default)]
pub(crate) struct Waits {
    /// From the call that triggers a run until the run is durable.
    pub(crate) triggers: Vec<Duration>,
    /// From that call until the end of the run.
    pub(crate) ends: Vec<Duration>,
}

/// Lets the writers write until something else is over. Returns what they waited for, and how long
/// the other took.
pub(crate) async fn write_during(
    floret: &Floret,
    other: impl Future<Output = ()>,
) -> (Waits, Duration) {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for number in 0..WRITERS {
        tasks.spawn(write(floret.clone(), number, Arc::clone(&is_over)));
    }
    let begin = Instant::now();
    other.await;
    let time = begin.elapsed();
    is_over.store(true, Ordering::Relaxed);
    let mut all = Waits::default();
    for waits in tasks.join_all().await {
        all.triggers.extend(waits.triggers);
        all.ends.extend(waits.ends);
    }
    (all, time)
}

async fn write(floret: Floret, number: u64, is_over: Arc<AtomicBool>) -> Waits {
    let pipeline = pipeline_id(number);
    let mut waits = Waits::default();
    while !is_over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let run = floret.run(pipeline.as_str()).start().await.unwrap();
        waits.triggers.push(begin.elapsed());
        let detail = run.finished().await.unwrap();
        waits.ends.push(begin.elapsed());
        assert_eq!(detail.run.status, RunStatus::Success);
        tokio::time::sleep(PAUSE).await;
    }
    waits
}
