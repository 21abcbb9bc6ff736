//! apalis on SQLite, tuned: an insert wakes the worker, which claims as many tasks at once as it
//! may execute. As shipped, an idle worker looks for tasks each 30 s.
//!
//! The setup of apalis turns `synchronous` off for one of its connections. Here it is `NORMAL`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::*;
use apalis_sqlite::callback::HookCallbackListener;
use apalis_sqlite::{Config, SqliteConnectOptions, SqlitePool, SqliteStorage};
use futures::StreamExt;
use peers_work::{Jobs, Peer, Round, count_ends, crate_version};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Interval, interval};

const QUEUE: &str = "jobs";
const FILE: &str = "apalis.db";

struct Apalis {
    storage: SqliteStorage<usize>,
    worker: Option<RunningWorker>,
}

struct RunningWorker {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Apalis {
    async fn open(folder: &Path, in_flight: usize, jobs: Arc<Jobs>) -> Self {
        // The options say which file it is.
        let (pool, inserts) = SqliteStorage::connect_with_callback("sqlite::memory:").unwrap();
        pool.set_connect_options(options(folder));
        SqliteStorage::migrations().run(&pool).await.unwrap();
        // The fetch claims a task: the lock would only be one more update of its row.
        let config = Config::default().queue(QUEUE).lock_tasks(false);
        let storage = SqliteStorage::new(&pool).with_config(config.batch_size(in_flight.max(1)));
        let worker = (in_flight > 0).then(|| {
            tokio::spawn(count_ends(Arc::clone(&jobs), move || ended(pool.clone())));
            start_worker(storage.clone(), inserts, in_flight, jobs)
        });
        Self { storage, worker }
    }
}

fn options(folder: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(folder.join(FILE))
        .create_if_missing(true)
        .pragma("journal_mode", "WAL")
        .pragma("synchronous", "NORMAL")
}

fn start_worker(
    storage: SqliteStorage<usize>,
    inserts: HookCallbackListener,
    in_flight: usize,
    jobs: Arc<Jobs>,
) -> RunningWorker {
    let wake = Wake {
        inserts,
        ticks: interval(Duration::from_millis(1)),
    };
    let worker = WorkerBuilder::new("worker")
        .backend(storage.poll_with_strategy(wake))
        .concurrency(in_flight)
        .build(move |job: usize| {
            let jobs = Arc::clone(&jobs);
            async move { jobs.start(job).await }
        });
    let (stop, stopped) = oneshot::channel();
    let stopped = async { stopped.await.map_err(std::io::Error::other) };
    let task = tokio::spawn(async { worker.run_until(stopped).await.unwrap() });
    RunningWorker { stop, task }
}

/// Wakes the worker at each insert and each millisecond.
///
/// The interval of apalis does not wake it again if it ends during a fetch that finds nothing: it
/// is replaced by an interval that nobody has polled. Thus each source is polled here until it is
/// pending.
struct Wake {
    inserts: HookCallbackListener,
    ticks: Interval,
}

impl PollStrategy for Wake {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut poll = Poll::Pending;
        while self.ticks.poll_tick(cx).is_ready() {
            poll = Poll::Ready(Some(()));
        }
        while let Poll::Ready(Some(())) = self.inserts.poll_next_unpin(cx) {
            poll = Poll::Ready(Some(()));
        }
        poll
    }
}

/// Returns how many tasks have ended.
async fn ended(pool: SqlitePool) -> usize {
    const COUNT: &str = "SELECT count(*) FROM Jobs WHERE status = 'Done'";
    let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&pool).await.unwrap();
    usize::try_from(count).unwrap()
}

impl Peer for Apalis {
    async fn enqueue(&self, job: usize) {
        self.storage.clone().push(job).await.unwrap();
    }

    async fn close(self) {
        if let Some(worker) = self.worker {
            worker.stop.send(()).unwrap();
            worker.task.await.unwrap();
        }
        self.storage.pool().close().await;
    }
}

#[tokio::main]
async fn main() {
    let round = Round::from_arguments(std::env::args().skip(1));
    assert_eq!(round.mode, "tuned");
    let open =
        async |folder: PathBuf, in_flight, jobs| Apalis::open(&folder, in_flight, jobs).await;
    let mut report = round.measure(open).await;
    let lock_file = include_str!("../Cargo.lock");
    report.versions = vec![
        crate_version(lock_file, "apalis"),
        crate_version(lock_file, "apalis-sqlite"),
        crate_version(lock_file, "libsqlite3-sys"),
    ];
    print!("{report}");
}
