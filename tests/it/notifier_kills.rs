//! What `kill -9` does to deliveries: a real process whose notifier writes to a file that it syncs,
//! killed under load and started again.
//!
//! The same inside one process, deterministic, is in `notifiers`.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use floret::executor::{Ctx, ExecutorError};
use floret::notifier::{Notifier, NotifierError};
use floret::{Event, Floret, Pipeline};
use parking_lot::Mutex;
use serde_json::{Value, json};

const KILLS: u32 = 5;
const CLIENTS: u32 = 8;
const DIRECTORY: &str = "FLORET_TEST_NOTIFIER_DIR";
const ENTRY: &str = "notifier_kills::the_process_that_is_killed";

/// A file of lines, each on the disk before the next.
struct Lines(Mutex<File>);

impl Lines {
    fn open(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).create(true).open(path);
        Self(Mutex::new(file.unwrap()))
    }

    fn write(&self, line: &Value) -> std::io::Result<()> {
        let mut file = self.0.lock();
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    }
}

/// Writes down what it is brought; every seventh event is refused once.
struct Recorder {
    lines: Lines,
    refused: Mutex<HashSet<u64>>,
}

#[async_trait]
impl Notifier for Recorder {
    async fn notify(&self, event: &Event) -> Result<(), NotifierError> {
        if event.seq.is_multiple_of(7) && self.refused.lock().insert(event.seq) {
            return Err(NotifierError::retryable("not yet"));
        }
        let line = json!({"seq": event.seq, "run": event.run_id, "type": event.kind});
        Ok(self.lines.write(&line)?)
    }

    fn wants(&self, _: &Event) -> bool {
        true
    }
}

async fn one(_: Ctx) -> Result<Vec<Value>, ExecutorError> {
    Ok(vec![json!({"n": 1})])
}

async fn last(_: Ctx, _: Vec<Value>) -> Result<(), ExecutorError> {
    Ok(())
}

async fn start(dir: &Path) -> Floret {
    let pipeline = Pipeline::new("work")
        .node("one", "one")
        .node("last", "last");
    let mut limits = floret::Limits::default();
    limits.notifier_delay = Duration::from_millis(20);
    limits.notifier_linger = Duration::from_millis(20);
    let recorder = Recorder {
        lines: Lines::open(&dir.join("delivered")),
        refused: Mutex::default(),
    };
    let builder = Floret::open(dir.join("runs.db")).await.unwrap();
    builder
        .node("one", one)
        .node("last", last)
        .pipeline(pipeline.after("one"))
        .limits(limits)
        .notifier("recorder", recorder)
        .start()
        .await
        .unwrap()
}

/// No test by itself: the other process of the test below. It triggers runs and writes down those
/// that were acknowledged, until it is killed.
#[ignore = "it is the process that another test kills"]
#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_is_killed() {
    let Some(dir) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let dir = Path::new(&dir);
    let floret = start(dir).await;
    let acknowledged = std::sync::Arc::new(Lines::open(&dir.join("acknowledged")));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (floret, acknowledged) = (floret.clone(), std::sync::Arc::clone(&acknowledged));
        clients.spawn(async move {
            loop {
                let run = floret.run("work").start().await.unwrap();
                acknowledged.write(&json!(run.id())).unwrap();
                run.finished().await.unwrap();
            }
        });
    }
    File::create(dir.join("ready")).unwrap();
    clients.join_all().await;
}

/// Whether a pause of real time is over; a process is killed by the clock on the wall.
#[expect(
    clippy::disallowed_methods,
    reason = "another process cannot be told to turn its clock"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", ENTRY, "--ignored", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Whole lines of a file; the last may have been cut by the kill.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Each run's numbers as they came, and the runs whose end came.
fn received(dir: &Path) -> (HashMap<String, Vec<u64>>, HashSet<String>) {
    let (mut numbers, mut ended) = (HashMap::<_, Vec<_>>::new(), HashSet::new());
    for line in lines(&dir.join("delivered")) {
        let run = line["run"].as_str().unwrap().to_owned();
        if line["type"] == "run.completed" {
            ended.insert(run.clone());
        }
        numbers
            .entry(run)
            .or_default()
            .push(line["seq"].as_u64().unwrap());
    }
    (numbers, ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_of_an_acknowledged_run_is_delivered_in_spite_of_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for round in 0..KILLS {
        let mut child = spawn(dir);
        while !dir.join("ready").exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            pause(Duration::from_millis(2)).await;
        }
        pause(Duration::from_millis(60 + u64::from(round) * 7919 % 300)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        std::fs::remove_file(dir.join("ready")).unwrap();
    }
    let acknowledged: HashSet<_> = lines(&dir.join("acknowledged"))
        .iter()
        .map(|run| run.as_str().unwrap().to_owned())
        .collect();
    assert!(
        acknowledged.len() > 20,
        "only {}: no load",
        acknowledged.len()
    );
    let floret = start(dir).await;
    for _ in 0..6_000 {
        let (_, ended) = received(dir);
        if acknowledged.is_subset(&ended) {
            break;
        }
        pause(Duration::from_millis(20)).await;
    }
    floret.shutdown(Duration::from_secs(10)).await.unwrap();
    let (numbers, ended) = received(dir);
    let missing: Vec<_> = acknowledged.difference(&ended).collect();
    assert!(missing.is_empty(), "their ends never came: {missing:?}");
    let stored = stored(&dir.join("runs.db"));
    for run in &acknowledged {
        let mut first = Vec::new();
        for seq in &numbers[run] {
            if !first.contains(seq) {
                first.push(*seq);
            }
        }
        assert_eq!(first, stored[&run.replace('-', "")], "{run}");
    }
}

/// The numbers of each run's events, as the file has them.
fn stored(file: &Path) -> HashMap<String, Vec<u64>> {
    let connection = rusqlite::Connection::open(file).unwrap();
    let mut statement = connection
        .prepare("SELECT run_id, seq FROM events ORDER BY seq")
        .unwrap();
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    });
    let mut numbers = HashMap::<_, Vec<_>>::new();
    for row in rows.unwrap() {
        let (run, seq) = row.unwrap();
        numbers
            .entry(run)
            .or_default()
            .push(u64::try_from(seq).unwrap());
    }
    numbers
}
