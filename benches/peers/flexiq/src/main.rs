//! flexiq, a queue of jobs on SQLite, tuned: an enqueue wakes the worker, which claims as many jobs
//! at once as it may execute. As shipped, it polls each 50 ms and claims one job at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flexiq::{FlexiQ, Outcome, SchedulerConfig, WorkerHandle};
use peers_work::{Jobs, Peer, Round, count_ends, crate_version};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// The jobs of the queue that is open. A task is a function and has no state of its own.
static JOBS: Mutex<Option<Arc<Jobs>>> = Mutex::new(None);

/// flexiq calls it on a blocking thread.
#[flexiq::task]
fn nothing(job: u64) -> Outcome<()> {
    let jobs = JOBS.lock().unwrap().clone().unwrap();
    Handle::current().block_on(jobs.start(usize::try_from(job).unwrap()));
    Ok(())
}

struct Flexiq {
    queue: FlexiQ,
    worker: Option<WorkerHandle>,
}

impl Flexiq {
    fn open(folder: &Path, in_flight: usize, jobs: Arc<Jobs>) -> Self {
        let queue = FlexiQ::open(folder.join("flexiq.db").to_str().unwrap()).unwrap();
        let worker = (in_flight > 0).then(|| {
            *JOBS.lock().unwrap() = Some(Arc::clone(&jobs));
            let worker = start_worker(&queue, in_flight);
            let queue = queue.clone();
            tokio::spawn(count_ends(jobs, move || ended(queue.clone())));
            worker
        });
        Self { queue, worker }
    }
}

fn start_worker(queue: &FlexiQ, in_flight: usize) -> WorkerHandle {
    let config = SchedulerConfig {
        poll_interval: Duration::from_millis(1),
        batch_size: Some(in_flight),
        max_in_flight: Some(in_flight),
        ..SchedulerConfig::default()
    };
    let worker = queue.worker().register::<nothing>().num_workers(in_flight);
    let worker = worker.scheduler_config(config).push_dispatch(true);
    worker.spawn().unwrap()
}

/// Returns how many jobs have ended.
async fn ended(queue: FlexiQ) -> usize {
    let stats = spawn_blocking(move || queue.stats().unwrap())
        .await
        .unwrap();
    usize::try_from(stats.completed).unwrap()
}

impl Peer for Flexiq {
    async fn enqueue(&self, job: usize) {
        let queue = self.queue.clone();
        let job = nothing::call(u64::try_from(job).unwrap());
        let enqueued = spawn_blocking(move || queue.enqueue(job)).await.unwrap();
        drop(enqueued.unwrap());
    }

    async fn close(self) {
        if let Some(worker) = self.worker {
            let closed = spawn_blocking(move || worker.shutdown()).await.unwrap();
            closed.unwrap();
        }
    }
}

#[tokio::main]
async fn main() {
    let round = Round::from_arguments(std::env::args().skip(1));
    assert_eq!(round.mode, "tuned");
    let open = async |folder: PathBuf, in_flight, jobs| Flexiq::open(&folder, in_flight, jobs);
    let mut report = round.measure(open).await;
    let lock_file = include_str!("../Cargo.lock");
    report.versions = vec![
        crate_version(lock_file, "flexiq"),
        crate_version(lock_file, "libsqlite3-sys"),
    ];
    print!("{report}");
}
