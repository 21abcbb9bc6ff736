//! The floor: the least that a durable queue does. One SQLite table, two small updates a job, one
//! thread that writes, and one commit for up to 256 steps.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use peers_work::{Jobs, Peer};
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

const GROUP_MAX: usize = 256;

enum Step {
    Enqueue(usize, oneshot::Sender<()>),
    End(usize),
    Close,
}

/// A minimal queue. It is dropped after [`Peer::close`] only.
pub(crate) struct Floor {
    steps: mpsc::Sender<Step>,
    writer: JoinHandle<()>,
}

impl Floor {
    /// Opens the file in a folder with the durability `NORMAL` or `FULL`.
    pub(crate) fn open(
        folder: &Path,
        synchronous: &str,
        in_flight: usize,
        jobs: Arc<Jobs>,
    ) -> Self {
        let connection = Connection::open(folder.join("floor.db")).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
                 CREATE TABLE IF NOT EXISTS jobs(
                     key INTEGER PRIMARY KEY, status INTEGER NOT NULL, body TEXT NOT NULL) STRICT;"
            ))
            .unwrap();
        let (steps, received) = mpsc::channel();
        let writer = Writer {
            waiting: waiting(&connection),
            connection,
            free: in_flight,
            jobs,
            steps: steps.clone(),
            runtime: Handle::current(),
        };
        let writer = thread::spawn(move || writer.run(&received));
        Self { steps, writer }
    }
}

impl Peer for Floor {
    async fn enqueue(&self, job: usize) {
        let (answer, committed) = oneshot::channel();
        self.steps.send(Step::Enqueue(job, answer)).unwrap();
        committed.await.unwrap();
    }

    async fn close(self) {
        self.steps.send(Step::Close).unwrap();
        let writer = self.writer;
        tokio::task::spawn_blocking(|| writer.join().unwrap())
            .await
            .unwrap();
    }
}

/// Returns the jobs that an earlier program has left.
fn waiting(connection: &Connection) -> VecDeque<usize> {
    let mut select = connection
        .prepare("SELECT key FROM jobs WHERE status < 2 ORDER BY key")
        .unwrap();
    let keys = select.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    keys.map(|key| usize::try_from(key.unwrap()).unwrap())
        .collect()
}

struct Writer {
    connection: Connection,
    waiting: VecDeque<usize>,
    /// How many more jobs may execute.
    free: usize,
    jobs: Arc<Jobs>,
    steps: mpsc::Sender<Step>,
    runtime: Handle,
}

impl Writer {
    fn run(mut self, received: &mpsc::Receiver<Step>) {
        self.commit(Vec::new());
        while let Ok(first) = received.recv() {
            let rest = received.try_iter().take(GROUP_MAX - 1);
            let mut group: Vec<_> = std::iter::once(first).chain(rest).collect();
            let count = group.len();
            group.retain(|step| !matches!(step, Step::Close));
            let is_closing = group.len() < count;
            self.commit(group);
            if is_closing {
                return;
            }
        }
    }

    /// Writes a group of steps and the claims that they make possible, then answers.
    fn commit(&mut self, group: Vec<Step>) {
        self.execute("BEGIN IMMEDIATE", []);
        for step in &group {
            match step {
                Step::Enqueue(job, _) => {
                    let insert = "INSERT INTO jobs VALUES (?, 0, ?)";
                    self.execute(insert, (key(*job), body(*job)));
                    self.waiting.push_back(*job);
                }
                Step::End(job) => {
                    self.execute("UPDATE jobs SET status = 2 WHERE key = ?", [key(*job)]);
                    self.free += 1;
                }
                Step::Close => {}
            }
        }
        let count = self.free.min(self.waiting.len());
        let claimed: Vec<_> = self.waiting.drain(..count).collect();
        self.free -= count;
        for job in &claimed {
            self.execute("UPDATE jobs SET status = 1 WHERE key = ?", [key(*job)]);
        }
        self.execute("COMMIT", []);
        self.answer(group, claimed);
    }

    fn answer(&self, group: Vec<Step>, claimed: Vec<usize>) {
        for step in group {
            match step {
                Step::Enqueue(_, answer) => answer.send(()).unwrap(),
                Step::End(job) => self.jobs.end(job),
                Step::Close => {}
            }
        }
        for job in claimed {
            let (jobs, steps) = (Arc::clone(&self.jobs), self.steps.clone());
            self.runtime.spawn(async move {
                jobs.start(job).await;
                steps.send(Step::End(job)).unwrap();
            });
        }
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) {
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        statement.execute(params).unwrap();
    }
}

/// What a job carries: without it, the table would be no queue.
fn body(job: usize) -> String {
    format!(
        r#"{{"id":"01a20d69-2efa-7f94-b1b9-42e0ad29773f","kind":"nothing","params":{{"job":"{job}"}}}}"#
    )
}

fn key(job: usize) -> i64 {
    i64::try_from(job).unwrap()
}
