//! The bare work that Floret is compared with: one thread, one SQLite file, group commit.
//!
//! `workload` does the same work with Floret.

use std::path::Path;
use std::sync::mpsc;
use std::thread;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

/// One step, of the same size as a step of Floret.
pub(crate) enum Step {
    /// The row of a run, its event, its share of a rollup.
    Create(i64),
    /// A run starts, with an event.
    Claim(i64),
    /// The row of a node and an event.
    Node { run: i64, node_index: i64 },
    /// A run finishes: its row, the row of a node, an event.
    End(i64),
}

/// A writer thread that answers each step after the commit of its group.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<(Step, oneshot::Sender<()>)>);

impl Writer {
    /// Opens a file with the durability `FULL` or `NORMAL`.
    pub(crate) fn open(path: &Path, synchronous: &str) -> Self {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
                 CREATE TABLE runs(key INTEGER PRIMARY KEY, status INTEGER, body TEXT) STRICT;
                 CREATE TABLE nodes(key INTEGER PRIMARY KEY, status INTEGER, body TEXT) STRICT;
                 CREATE TABLE journal(seq INTEGER PRIMARY KEY, run INTEGER, n INTEGER, body TEXT) STRICT;
                 CREATE INDEX journal_run ON journal(run, seq);
                 CREATE TABLE daily(day INTEGER PRIMARY KEY, count INTEGER) STRICT;
                 INSERT INTO daily VALUES (0, 0);"
            ))
            .unwrap();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || write(&connection, &receiver));
        Self(sender)
    }

    /// Resolves once the step is committed.
    pub(crate) async fn step(&self, step: Step) {
        let (sender, receiver) = oneshot::channel();
        self.0.send((step, sender)).unwrap();
        receiver.await.unwrap();
    }
}

fn write(connection: &Connection, receiver: &mpsc::Receiver<(Step, oneshot::Sender<()>)>) {
    const GROUP_MAX: usize = 256;
    let mut seq = 0;
    while let Ok(first) = receiver.recv() {
        let group: Vec<_> = std::iter::once(first)
            .chain(receiver.try_iter().take(GROUP_MAX))
            .collect();
        connection
            .prepare_cached("BEGIN IMMEDIATE")
            .unwrap()
            .execute([])
            .unwrap();
        for (step, _) in &group {
            seq += 1;
            apply(connection, step, seq);
        }
        connection
            .prepare_cached("UPDATE daily SET count = count + ? WHERE day = 0")
            .unwrap()
            .execute([i64::try_from(group.len()).unwrap()])
            .unwrap();
        connection
            .prepare_cached("COMMIT")
            .unwrap()
            .execute([])
            .unwrap();
        for (_, answer) in group {
            answer.send(()).unwrap();
        }
    }
}

fn apply(connection: &Connection, step: &Step, seq: i64) {
    const RUN: &str =
        r#"{"id":"01a20d69-2efa-7f94-b1b9-42e0ad29773f","params":{},"trigger":"manual"}"#;
    const EVENT: &str = r#"[{"type":"node.completed","status":"success","duration_ms":1,"attempt":1,"timestamp":"2026-01-01T00:00:00Z"}]"#;
    let run = match step {
        Step::Create(run) => {
            let mut insert = connection
                .prepare_cached("INSERT INTO runs VALUES (?, 0, ?)")
                .unwrap();
            insert.execute(params![run, RUN]).unwrap();
            *run
        }
        Step::Claim(run) | Step::End(run) => {
            let mut update = connection
                .prepare_cached("UPDATE runs SET status = status + 1 WHERE key = ?")
                .unwrap();
            update.execute([run]).unwrap();
            *run
        }
        Step::Node { run, .. } => *run,
    };
    let node_index = match step {
        Step::Node { node_index, .. } => Some(*node_index),
        Step::End(_) => Some(0),
        Step::Create(_) | Step::Claim(_) => None,
    };
    if let Some(node_index) = node_index {
        let mut insert = connection
            .prepare_cached("INSERT OR REPLACE INTO nodes VALUES (?, 3, ?)")
            .unwrap();
        insert
            .execute(params![run << 12 | node_index, EVENT])
            .unwrap();
    }
    let mut insert = connection
        .prepare_cached("INSERT INTO journal VALUES (?, ?, 1, ?)")
        .unwrap();
    insert.execute(params![seq, run, EVENT]).unwrap();
}
