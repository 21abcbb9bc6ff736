//! What the programs of the standalone example can see of its process, and when they execute.
//!
//! How their output is read is tested in `src/nodes/command`.
#![cfg(target_os = "linux")]

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use crate::harness::with_timeout;
use crate::standalone::Standalone;

/// A user without rights. For root, no file under /proc is unreadable.
const NOBODY: u32 = 65_534;

/// Runs a script as a node, and returns the run when it has ended.
async fn run_script(server: &Standalone, script: &str) -> Value {
    let config = json!({"command": ["sh", "-c", script], "output": "log"});
    let definition = json!({
        "name": "look", "nodes": [{"id": "look", "type": "command", "config": config}],
    });
    let (status, saved) = server.api.post("/pipelines", &definition).await.unwrap();
    assert_eq!(status, 201, "{saved}");
    let path = format!("/pipelines/{}/run", saved["id"].as_str().unwrap());
    let (status, run) = server.api.post(&path, &Value::Null).await.unwrap();
    assert_eq!(status, 202, "{run}");
    let path = format!("/runs/{}", run["id"].as_str().unwrap());
    let ended = async {
        loop {
            let (_, run) = server.api.get(&path).await.unwrap();
            if run.get("finished_at").is_some() {
                return run;
            }
        }
    };
    with_timeout(script, ended).await
}

#[tokio::test]
async fn a_program_reads_neither_the_environment_nor_the_memory_of_the_server() {
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let arguments = ["--memory", "--allow-commands"];
    let server = Standalone::start_as(&arguments, is_root.then_some(NOBODY));
    for file in ["environ", "mem", "maps"] {
        let run = run_script(&server, &format!("cat /proc/$PPID/{file}")).await;
        assert_eq!(run["status"], "failed", "{file}: {run}");
        let error = run["error"].as_str().unwrap();
        assert!(error.contains("Permission denied"), "{file}: {error}");
    }
    let script = "env | grep -v '^FLORET_\\(RUN_ID\\|NODE_ID\\|ATTEMPT\\|ATTEMPT_KEY\\|PARAM_DATE\\)=' | grep '^FLORET\\|^RUST_LOG'";
    let run = run_script(&server, script).await;
    let error = run["error"].as_str().unwrap();
    assert!(error.ends_with("exit code 1"), "{error}");
}

#[tokio::test]
async fn a_dry_run_executes_every_program_that_does_not_say_it_is_a_sink() {
    let server = Standalone::start_as(&["--memory", "--allow-commands"], None);
    let nodes = [
        ("silent", None),
        ("reader", Some("source")),
        ("writer", Some("sink")),
    ];
    let nodes = nodes.map(|(id, effect)| {
        let mut config = json!({"command": ["echo", "{\"a\": 1}"]});
        if let Some(effect) = effect {
            config["effect"] = json!(effect);
        }
        json!({"id": id, "type": "command", "config": config})
    });
    let definition = json!({"name": "look", "nodes": nodes});
    let (status, saved) = server.api.post("/pipelines", &definition).await.unwrap();
    assert_eq!(status, 201, "{saved}");
    let path = format!("/pipelines/{}/dry-run", saved["id"].as_str().unwrap());
    let (status, found) = server.api.post(&path, &Value::Null).await.unwrap();
    assert_eq!(status, 200, "{found}");
    for (id, expected) in [
        ("silent", "success"),
        ("reader", "success"),
        ("writer", "skipped"),
    ] {
        assert_eq!(found[id]["status"], expected, "{id}: {found}");
    }
    assert_eq!(found["silent"]["rows"], json!([{"a": 1}]));
}
