//! durare, durable workflows on SQLite: a job is a workflow without steps in a queue. As shipped, a
//! queue polls each second; here it polls each millisecond.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use durare::{DurableContext, DurableEngine, Error, WorkflowOptions, WorkflowQueue};
use peers_work::{Jobs, Peer, Round, count_ends, crate_version};
use sqlx::SqlitePool;

const WORKFLOW: &str = "nothing";
const QUEUE: &str = "jobs";

struct Durare {
    engine: DurableEngine,
    pool: SqlitePool,
}

impl Durare {
    async fn open(folder: &Path, in_flight: usize, jobs: Arc<Jobs>) -> Self {
        let url = format!("sqlite://{}", folder.join("durare.db").display());
        let mut builder = DurableEngine::connect(&url).await.unwrap();
        let workflow_jobs = Arc::clone(&jobs);
        builder.register(WORKFLOW, move |_: DurableContext, job: usize| {
            let jobs = Arc::clone(&workflow_jobs);
            async move {
                jobs.start(job).await;
                Ok::<_, Error>(())
            }
        });
        let queue = WorkflowQueue::new(QUEUE).base_polling_interval(Duration::from_millis(1));
        builder.register_queue(queue.worker_concurrency(in_flight.max(1)));
        let engine = builder.build().await.unwrap();
        let pool = SqlitePool::connect(&url).await.unwrap();
        if in_flight > 0 {
            engine.launch().await.unwrap();
            let pool = pool.clone();
            tokio::spawn(count_ends(jobs, move || ended(pool.clone())));
        }
        Self { engine, pool }
    }
}

/// Returns how many workflows have ended.
async fn ended(pool: SqlitePool) -> usize {
    const COUNT: &str = "SELECT count(*) FROM workflow_status WHERE status = 'SUCCESS'";
    let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&pool).await.unwrap();
    usize::try_from(count).unwrap()
}

impl Peer for Durare {
    async fn enqueue(&self, job: usize) {
        let options = WorkflowOptions::default().queue(QUEUE);
        let started = self.engine.start::<_, ()>(WORKFLOW, job, options);
        drop(started.await.unwrap());
    }

    async fn close(self) {
        self.engine.shutdown(Duration::from_secs(10)).await.unwrap();
        self.pool.close().await;
    }
}

#[tokio::main]
async fn main() {
    let round = Round::from_arguments(std::env::args().skip(1));
    assert_eq!(round.mode, "tuned");
    let open =
        async |folder: PathBuf, in_flight, jobs| Durare::open(&folder, in_flight, jobs).await;
    let mut report = round.measure(open).await;
    let lock_file = include_str!("../Cargo.lock");
    report.versions = vec![
        crate_version(lock_file, "durare"),
        crate_version(lock_file, "libsqlite3-sys"),
    ];
    print!("{report}");
}
