//! Hooks under `kill -9`: a real process whose runs call hooks is killed under load and restarted.
//!
//! `notifier_kills` has the same for a notifier of the host, and compares every event.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::notifier::HookPolicy;
use floret::{Floret, Hook, Pipeline, SecretKey};

use crate::harness::{Received, Receiver};

const KILLS: u32 = 5;
const CLIENTS: u32 = 4;
const DIRECTORY: &str = "FLORET_TEST_HOOKS_DIR";
const PORT: &str = "FLORET_TEST_HOOKS_PORT";
const ENTRY: &str = "hook_kills::the_process_that_is_killed";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn one(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

async fn start(dir: &Path, port: u16) -> Floret {
    let hook = |path: &str| {
        let url = format!("http://127.0.0.1:{port}/{path}");
        Hook::webhook(url).secret(SECRET)
    };
    let pipeline = Pipeline::new("work")
        .node("one", "one")
        .on_start(hook("start"))
        .on_success(hook("success"));
    let mut limits = floret::Limits::default();
    limits.notifier_linger = Duration::from_millis(20);
    let builder = Floret::open(dir.join("runs.db")).await.unwrap();
    builder
        .node("one", one)
        .pipeline(pipeline)
        .hooks(HookPolicy::default().allow_http().allow_private())
        .secret_key(SecretKey::from_bytes([7; 32]))
        .limits(limits)
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
    let port = std::env::var(PORT).unwrap().parse().unwrap();
    let floret = start(dir, port).await;
    let mut clients = tokio::task::JoinSet::new();
    let file = dir.join("acknowledged");
    for _ in 0..CLIENTS {
        let floret = floret.clone();
        let opened = OpenOptions::new().append(true).create(true).open(&file);
        let mut acknowledged = opened.unwrap();
        clients.spawn(async move {
            loop {
                let run = floret.run("work").start().await.unwrap();
                let line = format!("{}\n", run.id());
                acknowledged.write_all(line.as_bytes()).unwrap();
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

fn spawn(dir: &Path, port: u16) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", ENTRY, "--ignored", "--nocapture"])
        .env(DIRECTORY, dir)
        .env(PORT, port.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Returns the runs of each request to a path, in the order of arrival.
fn runs_of(received: &[Received], path: &str) -> Vec<String> {
    let of_path = received.iter().filter(|it| it.path == path);
    of_path
        .map(|it| it.body()["data"]["run_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_call_of_an_acknowledged_run() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (receiver, port, _serving) = Receiver::start([200]).await;
    for round in 0..KILLS {
        let mut child = spawn(dir, port);
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
    let text = std::fs::read_to_string(dir.join("acknowledged")).unwrap();
    let acknowledged: HashSet<_> = text
        .lines()
        .filter(|line| line.len() == 36)
        .map(str::to_owned)
        .collect();
    assert!(
        acknowledged.len() > 20,
        "only {} runs were acknowledged",
        acknowledged.len()
    );
    let floret = start(dir, port).await;
    for _ in 0..3_000 {
        let arrived = receiver.arrived();
        let is_complete = ["/start", "/success"].iter().all(|path| {
            let called: HashSet<_> = runs_of(&arrived, path).into_iter().collect();
            acknowledged.is_subset(&called)
        });
        if is_complete {
            break;
        }
        pause(Duration::from_millis(20)).await;
    }
    floret.shutdown(Duration::from_secs(10)).await.unwrap();
    let received = receiver.arrived();
    for path in ["/start", "/success"] {
        let called: HashSet<_> = runs_of(&received, path).into_iter().collect();
        let missing: Vec<_> = acknowledged.difference(&called).collect();
        assert!(missing.is_empty(), "{path} was not called for {missing:?}");
    }
    assert_starts_have_smaller_numbers(&received);
}

/// Asserts that the numbers show that each run has started before its end. A call that is tried
/// again may arrive later, or, for a run that nobody knows, not before the end of the test.
fn assert_starts_have_smaller_numbers(received: &[Received]) {
    let number_of = |path: &str| -> HashMap<String, u64> {
        let of_path = received.iter().filter(|it| it.path == path);
        let bodies = of_path.map(|it| it.body()["data"].clone());
        bodies
            .map(|data| (data["run_id"].to_string(), data["seq"].as_u64().unwrap()))
            .collect()
    };
    let started = number_of("/start");
    for (run, ended) in number_of("/success") {
        let is_before = started.get(&run).is_none_or(|started| *started < ended);
        assert!(is_before, "{run} ended before it started");
    }
}
