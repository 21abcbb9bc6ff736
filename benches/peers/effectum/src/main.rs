//! effectum, a queue of jobs on SQLite: as shipped, or on a file that is already in WAL mode.
//!
//! As shipped, effectum sets a pragma that SQLite does not know, so its file keeps a rollback
//! journal. In both modes it sets `synchronous` to `NORMAL`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use effectum::{Error, Job, JobRunner, Queue, RunningJob, Worker};
use peers_work::{Jobs, Peer, Round, crate_version};
use rusqlite::Connection;

const KIND: &str = "nothing";
const FILE: &str = "effectum.db";

struct Effectum {
    queue: Queue,
    worker: Option<Worker>,
}

impl Effectum {
    async fn open(folder: &Path, in_flight: usize, jobs: Arc<Jobs>) -> Self {
        let queue = Queue::new(&folder.join(FILE)).await.unwrap();
        let worker = match u16::try_from(in_flight).unwrap() {
            0 => None,
            in_flight => Some(
                Worker::builder(&queue, jobs)
                    .max_concurrency(in_flight)
                    .jobs([JobRunner::builder(KIND, execute).build()])
                    .build()
                    .await
                    .unwrap(),
            ),
        };
        Self { queue, worker }
    }
}

async fn execute(job: RunningJob, jobs: Arc<Jobs>) -> Result<(), Error> {
    let number = job.json_payload()?;
    jobs.start(number).await;
    // It returns after the commit.
    job.complete(()).await?;
    jobs.end(number);
    Ok(())
}

impl Peer for Effectum {
    async fn enqueue(&self, job: usize) {
        let job = Job::builder(KIND).json_payload(&job).unwrap();
        job.add_to(&self.queue).await.unwrap();
    }

    async fn close(self) {
        self.queue.close(Duration::from_secs(60)).await.unwrap();
        drop(self.worker);
    }
}

/// Sets the journal mode of the file, which outlives the connection.
fn set_journal_mode(folder: &Path, mode: &str) {
    let connection = Connection::open(folder.join(FILE)).unwrap();
    let set = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let set = connection.pragma_update_and_check(None, "journal_mode", mode, set);
    assert_eq!(set.unwrap(), mode);
}

fn journal_mode(folder: &Path) -> String {
    let connection = Connection::open(folder.join(FILE)).unwrap();
    connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap()
}

#[tokio::main]
async fn main() {
    let round = Round::from_arguments(std::env::args().skip(1));
    let mode = match round.mode.as_str() {
        "shipped" => None,
        "wal" => Some("wal"),
        other => panic!("no such mode: {other}"),
    };
    let open = async |folder: PathBuf, in_flight, jobs| {
        if let Some(mode) = mode {
            set_journal_mode(&folder, mode);
        }
        Effectum::open(&folder, in_flight, jobs).await
    };
    let mut report = round.measure(open).await;
    report.versions = vec![
        crate_version(include_str!("../Cargo.lock"), "effectum"),
        format!("SQLite {}", rusqlite::version()),
        format!("journal mode {}", journal_mode(&round.folder.join("16"))),
    ];
    print!("{report}");
}
