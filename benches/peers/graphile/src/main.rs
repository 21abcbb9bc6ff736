//! `graphile_worker`, a queue of jobs on PostgreSQL, with what its guide recommends for throughput:
//! a local queue, and ends in batches. Without a PostgreSQL it measures nothing and says why.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobComplete, JobSpec, LocalQueueConfig, TaskHandler, Worker,
    WorkerContext, WorkerOptions, WorkerUtils,
};
use peers_work::{Jobs, Peer, Report, Round, crate_version};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::task::JoinHandle;

/// The environment variable with the URL of a PostgreSQL.
const URL: &str = "FLORET_BENCH_POSTGRES";

/// A PostgreSQL with default settings has 100.
const CONNECTIONS: u32 = 32;

#[derive(Serialize, Deserialize)]
struct Nothing {
    job: usize,
}

impl TaskHandler for Nothing {
    const IDENTIFIER: &'static str = "nothing";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let jobs = context.get_ext::<Arc<Jobs>>().unwrap();
        jobs.start(self.job).await;
    }
}

struct Graphile {
    utils: WorkerUtils,
    running: Option<RunningWorker>,
}

struct RunningWorker {
    worker: Arc<Worker>,
    task: JoinHandle<()>,
}

impl Graphile {
    async fn open(pool: PgPool, schema: &str, in_flight: usize, jobs: Arc<Jobs>) -> Self {
        let options = options(in_flight.max(1), jobs);
        let worker = options.pg_pool(pool).schema(schema).init().await.unwrap();
        let utils = worker.create_utils();
        let running = (in_flight > 0).then(|| {
            let worker = Arc::new(worker);
            let runs = Arc::clone(&worker);
            let task = tokio::spawn(async move { runs.run().await.unwrap() });
            RunningWorker { worker, task }
        });
        Self { utils, running }
    }
}

fn options(in_flight: usize, jobs: Arc<Jobs>) -> WorkerOptions {
    WorkerOptions::default()
        .concurrency(in_flight)
        .poll_interval(Duration::from_millis(500))
        .local_queue(LocalQueueConfig::default().with_size(100))
        .complete_job_batch_delay(Duration::from_millis(5))
        .listen_os_shutdown_signals(false)
        .define_job::<Nothing>()
        .add_extension(Arc::clone(&jobs))
        // It is called after the commit.
        .on(JobComplete, move |ended| {
            let ended = Nothing::deserialize(ended.job.payload()).unwrap();
            jobs.end(ended.job);
            std::future::ready(())
        })
}

impl Peer for Graphile {
    async fn enqueue(&self, job: usize) {
        let added = self.utils.add_job(Nothing { job }, JobSpec::default());
        added.await.unwrap();
    }

    async fn close(self) {
        if let Some(running) = self.running {
            running.worker.request_shutdown();
            running.task.await.unwrap();
        }
    }
}

#[tokio::main]
async fn main() {
    let round = Round::from_arguments(std::env::args().skip(1));
    assert_eq!(round.mode, "tuned");
    let report = match connect().await {
        Ok(pool) => measure(&round, &pool).await,
        Err(why) => left_out(&why),
    };
    print!("{report}");
}

/// Returns connections whose commits wait for the disk, or why there are none.
async fn connect() -> Result<PgPool, String> {
    let url = std::env::var(URL).map_err(|_| format!("{URL} is not set"))?;
    let options: PgConnectOptions = url.parse().map_err(|error| format!("{URL}: {error}"))?;
    // A pool would try again and again, and then name no reason.
    let tried = PgConnection::connect_with(&options).await;
    tried.map_err(|error| format!("no PostgreSQL answers at {URL}: {error}"))?;
    Ok(PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect_lazy_with(options.options([("synchronous_commit", "on")])))
}

fn left_out(why: &str) -> Report {
    eprintln!("graphile is left out: {why}");
    Report {
        versions: vec![format!("left out: {why}")],
        ..Report::default()
    }
}

async fn measure(round: &Round, pool: &PgPool) -> Report {
    let open = async |folder: PathBuf, in_flight, jobs| {
        let schema = schema(&round.folder, &folder);
        Graphile::open(pool.clone(), &schema, in_flight, jobs).await
    };
    let mut report = round.measure(open).await;
    drop_schemas(round, pool).await;
    let lock_file = include_str!("../Cargo.lock");
    report.versions = vec![crate_version(lock_file, "graphile_worker")];
    for setting in ["server_version", "synchronous_commit", "fsync"] {
        let value = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
        let value: String = value.fetch_one(pool).await.unwrap();
        report.versions.push(format!("{setting} {value}"));
    }
    report
}

/// Returns the schema that stands for a folder of a round.
fn schema(round: &Path, folder: &Path) -> String {
    let [round, name] = [round, folder].map(|path| path.file_name().unwrap().display());
    format!("floret_peers_{}_{round}_{name}", std::process::id()).replace('.', "")
}

async fn drop_schemas(round: &Round, pool: &PgPool) {
    for folder in std::fs::read_dir(&round.folder).unwrap() {
        let schema = schema(&round.folder, &folder.unwrap().path());
        let statement = AssertSqlSafe(format!("DROP SCHEMA \"{schema}\" CASCADE"));
        sqlx::query(statement).execute(pool).await.unwrap();
    }
}
