//! Crashes of a real process, killed with `kill -9` at random moments under load and restarted on
//! the same file.
//!
//! Crashes at each storage call within one process are left to `crash_points`, and loss of power
//! to `damage`.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::followers::{Follower, Kind};
use crate::standalone::{Api, Standalone};

const ROUNDS: u32 = 25;
const CLIENTS: u64 = 8;

/// Waits in real time, because another process does not follow the clock of the test.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of another process cannot be advanced"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Returns a chain whose nodes record the time of each execution. The middle node fails once for
/// each token that starts with `fail`.
fn work(dir: &Path) -> Value {
    let note = format!(
        "echo \"$0 $(date +%s%N)\" >> {}/executions; ",
        dir.display()
    );
    let script = |rest: &str| format!("{note}{rest}");
    let node = |id: &str, rest: &str| {
        json!({"id": id, "type": "command", "config": {
            "command": ["sh", "-c", script(rest), format!("${{run.id}} {id}"), "${param.token}"],
        }})
    };
    let fail_once = format!(
        "cat; case $1 in fail*) test -e {0}/$1 || {{ touch {0}/$1; exit 1; }};; esac",
        dir.display()
    );
    json!({"id": "work", "name": "work", "params": {"token": "none"},
        "nodes": [node("first", "echo '{\"n\": 1}'"), node("middle", &fail_once), node("last", "cat")],
        "edges": [{"from": "first", "to": "middle"}, {"from": "middle", "to": "last"}]})
}

/// Returns a pipeline that each end of a run of `work` starts.
fn after_work() -> Value {
    json!({"id": "after", "name": "after",
        "dependency_rules": [{"pipeline_id": "work", "mode": "any", "state": "completed"}],
        "nodes": [{"id": "only", "type": "command", "config": {"command": ["true"]}}]})
}

/// Asserts that each run of `work` that has started, and then ended, has started one run.
async fn check_started(api: &Api, worked: &[Value]) {
    let ended = worked.iter().filter(|run| run.get("started_at").is_some());
    let mut expected: Vec<_> = ended.map(|run| run["id"].clone().to_string()).collect();
    expected.sort_unstable();
    assert!(expected.len() > 50, "no load: {}", expected.len());
    let mut started = Vec::new();
    for _ in 0..600 {
        settle(api).await;
        let runs = all_runs(api).await.into_iter();
        let after = runs.filter(|run| run["pipeline_id"] == "after");
        started = after
            .map(|run| run["upstream_run_id"].to_string())
            .collect();
        if started.len() >= expected.len() {
            break;
        }
        pause(Duration::from_millis(20)).await;
    }
    started.sort_unstable();
    assert_eq!(started, expected);
}

/// Triggers runs until the server goes away, cancels some and resumes those that fail. Returns the
/// ids of the runs that the server acknowledged.
async fn client(api: Api, seed: u64, round: u32) -> HashSet<String> {
    let mut acknowledged = HashSet::new();
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(round);
    for request in 0_u32.. {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let fails = random >> 60 < 4;
        let token = format!(
            "{}-{seed}-{round}-{request}",
            if fails { "fail" } else { "go" }
        );
        let Ok((status, run)) = api
            .post("/pipelines/work/run", &json!({"params": {"token": token}}))
            .await
        else {
            return acknowledged;
        };
        if status != 202 {
            // The queue may be full, or the server may be about to exit.
            continue;
        }
        let Some(id) = run["id"].as_str().map(str::to_owned) else {
            return acknowledged;
        };
        acknowledged.insert(id.clone());
        if random >> 60 == 15
            && api
                .post(&format!("/runs/{id}/cancel"), &Value::Null)
                .await
                .is_err()
        {
            return acknowledged;
        }
        if fails && !resume_once_failed(&api, &id, &mut acknowledged).await {
            return acknowledged;
        }
    }
    acknowledged
}

/// Waits until a run finishes and resumes it if it failed. Returns false when the server goes away.
async fn resume_once_failed(api: &Api, id: &str, acknowledged: &mut HashSet<String>) -> bool {
    loop {
        let Ok((_, run)) = api.get(&format!("/runs/{id}")).await else {
            return false;
        };
        match run["status"].as_str() {
            Some("pending" | "running") => pause(Duration::from_millis(5)).await,
            Some("failed") => break,
            _ => return true,
        }
    }
    match api.post(&format!("/runs/{id}/resume"), &Value::Null).await {
        Ok((status, run)) if status == 202 => {
            acknowledged.extend(run["id"].as_str().map(str::to_owned));
            true
        }
        Ok(_) => true,
        Err(_) => false,
    }
}

/// Returns all runs of the store, from every page.
async fn all_runs(api: &Api) -> Vec<Value> {
    let mut runs = Vec::new();
    let mut path = "/runs?limit=100".to_owned();
    loop {
        let (status, page) = api.get(&path).await.unwrap();
        assert_eq!(status, 200, "{page}");
        runs.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["cursor"].as_str() {
            Some(cursor) if page["has_next"] == true => {
                path = format!("/runs?limit=100&after={cursor}")
            }
            _ => return runs,
        }
    }
}

/// Waits until no run is pending or running.
async fn settle(api: &Api) {
    for _ in 0..6_000 {
        let (_, running) = api
            .get("/runs?status=running&status=pending&limit=1")
            .await
            .unwrap();
        if running["items"].as_array().is_some_and(Vec::is_empty) {
            return;
        }
        pause(Duration::from_millis(20)).await;
    }
    panic!("runs are still pending or running after two minutes");
}

/// Asserts that no node started to execute after its committed finish time.
async fn check_executions(api: &Api, dir: &Path, runs: &[Value]) {
    let mut newest: HashMap<(String, String), i64> = HashMap::new();
    for line in std::fs::read_to_string(dir.join("executions"))
        .unwrap()
        .lines()
    {
        let mut words = line.split(' ');
        let (run, node, nanos) = (
            words.next().unwrap(),
            words.next().unwrap(),
            words.next().unwrap(),
        );
        let started = nanos.parse::<i64>().unwrap() / 1_000_000;
        let newest = newest
            .entry((run.to_owned(), node.to_owned()))
            .or_insert(started);
        *newest = started.max(*newest);
    }
    for run in runs {
        let id = run["id"].as_str().unwrap();
        let (_, run) = api.get(&format!("/runs/{id}")).await.unwrap();
        for node in run["node_runs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|node| node["status"] == "success")
        {
            let key = (id.to_owned(), node["node_id"].as_str().unwrap().to_owned());
            let finished_at =
                chrono::DateTime::parse_from_rfc3339(node["finished_at"].as_str().unwrap())
                    .unwrap();
            let started = newest
                .get(&key)
                .unwrap_or_else(|| panic!("{key:?} succeeded and was never executed"));
            assert!(
                *started <= finished_at.timestamp_millis(),
                "{key:?} was executed again after its checkpoint"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_to_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("runs.db");
    let pipelines = dir.path().join("pipelines");
    std::fs::create_dir(&pipelines).unwrap();
    std::fs::write(pipelines.join("work.json"), work(dir.path()).to_string()).unwrap();
    std::fs::write(pipelines.join("after.json"), after_work().to_string()).unwrap();
    let arguments = [
        "--db",
        file.to_str().unwrap(),
        "--allow-commands",
        "--pipelines",
        pipelines.to_str().unwrap(),
    ];
    let mut acknowledged = HashSet::new();
    let mut followers = vec![
        Follower::new(Kind::WebSocket),
        Follower::new(Kind::ServerSentEvents),
    ];
    for round in 0..ROUNDS {
        let server = Standalone::start(&arguments);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|seed| client(server.api.clone(), seed, round))
            .collect();
        let clients = clients.into_iter().collect::<tokio::task::JoinSet<_>>();
        let following = followers
            .drain(..)
            .map(|follower| follower.follow(server.api.clone()));
        let following = following.collect::<tokio::task::JoinSet<_>>();
        pause(Duration::from_millis(20 + u64::from(round) * 7919 % 480)).await;
        server.kill();
        for of_client in clients.join_all().await {
            acknowledged.extend(of_client);
        }
        followers = following.join_all().await;
    }
    for follower in followers {
        assert!(follower.last > 500, "no load: {follower:?}");
    }
    let server = Standalone::start(&arguments);
    settle(&server.api).await;
    let runs = all_runs(&server.api).await;
    let stored: HashSet<_> = runs
        .iter()
        .map(|run| run["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        acknowledged.len() > 50,
        "only {} runs were acknowledged: no load",
        acknowledged.len()
    );
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let poisoned = runs.iter().filter(|run| {
        run["error"]
            .as_str()
            .is_some_and(|error| error.starts_with("poisoned"))
    });
    assert_eq!(
        poisoned.count(),
        0,
        "a kill from outside must not poison a run"
    );
    let worked: Vec<_> = runs
        .into_iter()
        .filter(|run| run["pipeline_id"] == "work")
        .collect();
    check_executions(&server.api, dir.path(), &worked).await;
    check_started(&server.api, &worked).await;
    server.kill();
    check_file(&file);
}

/// Asserts that SQLite finds no damage in the file.
fn check_file(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let integrity: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok");
}

/// Executes a run that kills the server beside seven slow runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_kills_the_process_is_poisoned_at_its_third_crash_and_other_runs_succeed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("runs.db");
    let pipelines = dir.path().join("pipelines");
    std::fs::create_dir(&pipelines).unwrap();
    let one = |id: &str, script: String| json!({"id": id, "name": id, "nodes": [{"id": "only", "type": "command", "config": {"command": ["sh", "-c", script]}}]});
    let kills = format!("echo >> {}/kills; kill -9 $PPID", dir.path().display());
    std::fs::write(
        pipelines.join("killer.json"),
        one("killer", kills).to_string(),
    )
    .unwrap();
    std::fs::write(
        pipelines.join("slow.json"),
        one("slow", "sleep 1".to_owned()).to_string(),
    )
    .unwrap();
    let arguments = [
        "--db",
        file.to_str().unwrap(),
        "--allow-commands",
        "--pipelines",
        pipelines.to_str().unwrap(),
        "--max-concurrent-runs",
        "8",
    ];
    let mut server = Standalone::start(&arguments);
    let mut slow = Vec::new();
    for _ in 0..7 {
        let (status, run) = server
            .api
            .post("/pipelines/slow/run", &Value::Null)
            .await
            .unwrap();
        assert_eq!(status, 202);
        slow.push(run["id"].as_str().unwrap().to_owned());
    }
    // The server may exit before it responds.
    drop(server.api.post("/pipelines/killer/run", &Value::Null).await);
    for _ in 0..3 {
        server.wait();
        server = Standalone::start(&arguments);
    }
    settle(&server.api).await;
    assert!(!server.has_exited());
    let (_, killers) = server.api.get("/pipelines/killer/runs").await.unwrap();
    assert_eq!(killers[0]["status"], "failed", "{killers}");
    assert!(
        killers[0]["error"]
            .as_str()
            .unwrap()
            .starts_with("poisoned"),
        "{killers}"
    );
    assert_eq!(
        std::fs::read_to_string(dir.path().join("kills"))
            .unwrap()
            .lines()
            .count(),
        3
    );
    for id in slow {
        let (_, run) = server.api.get(&format!("/runs/{id}")).await.unwrap();
        assert_eq!(run["status"], "success", "{run}");
    }
}
