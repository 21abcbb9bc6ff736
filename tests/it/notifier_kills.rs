//! Deliveries under `kill -9`: a real process whose notifier appends to a synced file is killed
//! under load and restarted.
//!
//! Deterministic tests in one process are in `notifiers`.

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

/// A file of lines, each synced to the disk before the next.
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

/// A notifier that records each event in a file. It refuses every seventh event once.
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

/// The process that the test below kills. It triggers runs and records the acknowledged ones.
#[ignore = "another test starts and kills this process"]
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

/// Waits for a span of real time, because a process is killed in real time.
#[expect(
    clippy::disallowed_methods,
    reason = "another process does not share a manual clock"
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

/// Returns the complete lines of a file. A kill may have truncated the last one.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Returns the delivered sequence numbers of each run, in order, and the runs whose last event
/// came.
fn received(dir: &Path) -> (HashMap<String, Vec<u64>>, HashSet<String>) {
    let (mut numbers, mut finished) = (HashMap::<_, Vec<_>>::new(), HashSet::new());
    for line in lines(&dir.join("delivered")) {
        let run = line["run"].as_str().unwrap().to_owned();
        if line["type"] == "run.completed" {
            finished.insert(run.clone());
        }
        numbers
            .entry(run)
            .or_default()
            .push(line["seq"].as_u64().unwrap());
    }
    (numbers, finished)
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_event_of_an_acknowledged_run() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for round in 0..KILLS {
        let mut child = spawn(dir);
        while !dir.join("ready").exists() {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the process exited early"
            );
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
        "only {} runs were acknowledged",
        acknowledged.len()
    );
    let floret = start(dir).await;
    for _ in 0..6_000 {
        let (_, finished) = received(dir);
        if acknowledged.is_subset(&finished) {
            break;
        }
        pause(Duration::from_millis(20)).await;
    }
    floret.shutdown(Duration::from_secs(10)).await.unwrap();
    let (numbers, finished) = received(dir);
    let missing: Vec<_> = acknowledged.difference(&finished).collect();
    assert!(
        missing.is_empty(),
        "the last events of these runs never came: {missing:?}"
    );
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

/// Returns the sequence numbers of each run's stored events.
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
