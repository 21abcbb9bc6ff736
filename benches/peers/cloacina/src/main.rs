//! cloacina, durable workflows on SQLite: a job is a workflow of one task. As shipped, it polls
//! each 100 ms; here it polls each 10 ms, the shortest interval that it takes.
//!
//! On SQLite, cloacina waits for the end of a task before it starts the next one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloacina::runner::{DefaultRunner, DefaultRunnerConfig};
use cloacina::{Context, Database, Runtime, TaskError, TaskScheduler, task, workflow};
use peers_work::{Jobs, Peer, Round, count_ends, crate_version};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

const PARAM: &str = "job";
const FILE: &str = "cloacina.db";

/// The jobs of the queue that is open. A task is a function and has no state of its own.
static JOBS: Mutex<Option<Arc<Jobs>>> = Mutex::new(None);

#[workflow(name = "single", description = "A job that does nothing")]
mod single {
    use super::{Context, JOBS, PARAM, TaskError, Value, task};

    #[task(id = "nothing", dependencies = [])]
    pub(super) async fn nothing(context: &mut Context<Value>) -> Result<(), TaskError> {
        let job = context.get_required(PARAM)?;
        let jobs = JOBS.lock().unwrap().clone().unwrap();
        jobs.start(job).await;
        Ok(())
    }
}

struct Cloacina {
    scheduler: TaskScheduler,
    runner: Option<DefaultRunner>,
}

impl Cloacina {
    async fn open(folder: &Path, in_flight: usize, jobs: Arc<Jobs>) -> Self {
        let url = format!("sqlite://{}", folder.join(FILE).display());
        let database = Database::new(&url, "cloacina", 1);
        // The connections that opened the file before close in other threads.
        while let Err(why) = database.run_migrations().await {
            assert!(why.ends_with("database is locked"), "{why}");
            sleep(Duration::from_millis(1)).await;
        }
        let runtime = Arc::new(Runtime::new());
        let scheduler = TaskScheduler::new(database.clone()).await.unwrap();
        let scheduler = scheduler.with_runtime(Arc::clone(&runtime));
        let mut runner = None;
        if in_flight > 0 {
            *JOBS.lock().unwrap() = Some(Arc::clone(&jobs));
            let opened =
                DefaultRunner::with_database(database, config(folder, in_flight), Some(runtime));
            runner = Some(opened.await.unwrap());
            let file = folder.join(FILE);
            tokio::spawn(count_ends(jobs, move || ended(file.clone())));
        }
        Self { scheduler, runner }
    }
}

fn config(folder: &Path, in_flight: usize) -> DefaultRunnerConfig {
    DefaultRunnerConfig::builder()
        .scheduler_poll_interval(Duration::from_millis(10))
        .max_concurrent_tasks(in_flight)
        .enable_cron_scheduling(false)
        .enable_trigger_scheduling(false)
        .enable_registry_reconciler(false)
        .registry_storage_path(Some(folder.join("registry")))
        .build()
        .unwrap()
}

/// Returns how many workflows have ended.
async fn ended(file: PathBuf) -> usize {
    const COUNT: &str = "SELECT count(*) FROM workflow_executions WHERE status = 'Completed'";
    let count = || {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.query_row(COUNT, [], |row| row.get::<_, i64>(0))
    };
    let count = spawn_blocking(count).await.unwrap().unwrap();
    usize::try_from(count).unwrap()
}

impl Peer for Cloacina {
    const IN_FLIGHT_MAX: usize = 1;

    async fn enqueue(&self, job: usize) {
        let mut context = Context::new();
        context.insert(PARAM, job.into()).unwrap();
        let scheduled = self
            .scheduler
            .schedule_workflow_execution("single", context);
        scheduled.await.unwrap();
    }

    async fn close(self) {
        if let Some(runner) = self.runner {
            runner.shutdown().await.unwrap();
        }
    }
}

#[tokio::main]
async fn main() {
    let round = Round::from_arguments(std::env::args().skip(1));
    assert_eq!(round.mode, "tuned");
    let open =
        async |folder: PathBuf, in_flight, jobs| Cloacina::open(&folder, in_flight, jobs).await;
    let mut report = round.measure(open).await;
    report.versions = vec![
        crate_version(include_str!("../Cargo.lock"), "cloacina"),
        format!("SQLite {}", rusqlite::version()),
        "one job at a time".to_owned(),
    ];
    print!("{report}");
}
