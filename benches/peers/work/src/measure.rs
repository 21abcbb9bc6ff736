//! The three measurements: durable triggers, the drain of a full queue, and an idle trigger until
//! its start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::{Figure, Jobs, Report};

/// How many tasks enqueue at the same time.
const WAITERS: usize = 64;

/// A queue of jobs that do nothing.
pub trait Peer: Send + Sync + 'static {
    /// How many jobs the peer can execute at the same time.
    const IN_FLIGHT_MAX: usize = usize::MAX;

    /// Enqueues a job by its number. Returns once the job is as durable as the peer makes it.
    fn enqueue(&self, job: usize) -> impl Future<Output = ()> + Send;

    /// Closes the queue, so that its file can be opened again.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// How much work one round has.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The jobs that are enqueued and drained.
    pub jobs: usize,
    /// The jobs that are enqueued one by one while nothing else happens.
    pub singles: usize,
}

/// Measures one round of a peer. Panics if a job is lost or executes twice.
pub(crate) async fn measure<P: Peer>(
    folder: &Path,
    load: Load,
    open: impl AsyncFn(PathBuf, usize, Arc<Jobs>) -> P,
) -> Report {
    let mut report = Report::default();
    for (in_flight, figure) in [(16, Figure::Drain16), (64, Figure::Drain64)] {
        let folder = new_folder(folder, &in_flight.to_string());
        report.add(Figure::Trigger, trigger(&folder, load.jobs, &open).await);
        report.add(figure, drain(&folder, load.jobs, in_flight, &open).await);
    }
    let folder = new_folder(folder, "idle");
    report.add(Figure::Idle, idle(&folder, load.singles, &open).await);
    report
}

fn new_folder(folder: &Path, name: &str) -> PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).expect("the folder is new");
    folder
}

/// Returns the durable triggers a second, while nothing executes.
async fn trigger<P: Peer>(
    folder: &Path,
    jobs: usize,
    open: &impl AsyncFn(PathBuf, usize, Arc<Jobs>) -> P,
) -> f64 {
    let peer = Arc::new(open(folder.to_owned(), 0, Arc::new(Jobs::new(0))).await);
    let next = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let mut waiters = JoinSet::new();
    for _ in 0..WAITERS {
        let (peer, next) = (Arc::clone(&peer), Arc::clone(&next));
        waiters.spawn(async move {
            loop {
                let job = next.fetch_add(1, Ordering::Relaxed);
                if job >= jobs {
                    break;
                }
                peer.enqueue(job).await;
            }
        });
    }
    waiters.join_all().await;
    let rate = rate(jobs, begin.elapsed());
    close(peer).await;
    rate
}

/// Returns the jobs a second from the moment when the first jobs may go on until the last end is
/// durable. It opens the file that [`trigger`] has filled, so a trigger that was lost fails here.
async fn drain<P: Peer>(
    folder: &Path,
    count: usize,
    in_flight: usize,
    open: &impl AsyncFn(PathBuf, usize, Arc<Jobs>) -> P,
) -> f64 {
    let jobs = Arc::new(Jobs::new(count));
    let peer = open(folder.to_owned(), in_flight, Arc::clone(&jobs)).await;
    let first = in_flight.min(P::IN_FLIGHT_MAX).min(count);
    jobs.wait_for_starts(first).await;
    let begin = Instant::now();
    jobs.open_gate();
    jobs.wait_for_ends(count).await;
    let rate = rate(count, begin.elapsed());
    peer.close().await;
    jobs.check();
    rate
}

/// Returns the median time in microseconds from a trigger to the start of its job.
async fn idle<P: Peer>(
    folder: &Path,
    count: usize,
    open: &impl AsyncFn(PathBuf, usize, Arc<Jobs>) -> P,
) -> f64 {
    /// Long enough for what a peer does after the end of a job.
    const PAUSE: Duration = Duration::from_millis(2);
    let jobs = Arc::new(Jobs::new(count));
    let peer = open(folder.to_owned(), 16, Arc::clone(&jobs)).await;
    jobs.open_gate();
    let mut times = Vec::with_capacity(count);
    for job in 0..count {
        tokio::time::sleep(PAUSE).await;
        let begin = Instant::now();
        peer.enqueue(job).await;
        jobs.wait_for_ends(job + 1).await;
        times.push(jobs.started_at(job).duration_since(begin));
    }
    peer.close().await;
    jobs.check();
    times.sort_unstable();
    times[count / 2].as_secs_f64() * 1e6
}

async fn close<P: Peer>(peer: Arc<P>) {
    let peer = Arc::into_inner(peer).expect("every waiter has ended");
    peer.close().await;
}

#[expect(clippy::cast_precision_loss, reason = "a count of jobs is small")]
fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
