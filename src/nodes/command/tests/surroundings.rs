//! The environment and the folder of a program.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{execute, listen, shell};
use crate::clock::Clock;
use crate::executor::{Executor, NodeCall};
use crate::nodes::tests::{call, rows};
use crate::nodes::{CommandNode, DataDir};

/// Returns the environment of a program.
async fn environment(node: &CommandNode, call: NodeCall) -> BTreeMap<String, String> {
    let lines = log_of(node, call).await;
    let pairs = lines.iter().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Executes a node and returns the lines of its log.
async fn log_of(node: &CommandNode, mut call: NodeCall) -> Vec<String> {
    let mut heard = listen(&mut call);
    node.execute(call).await.unwrap();
    let mut lines = Vec::new();
    while let Some(line) = heard.recv().await {
        lines.push(line);
    }
    lines
}

fn env_call(config: Value) -> NodeCall {
    let mut call = call(config, []);
    let command = json!(["env"]);
    call.ctx.node.config.insert("command".to_owned(), command);
    call.ctx
        .node
        .config
        .insert("output".to_owned(), json!("log"));
    call
}

#[tokio::test]
async fn the_attempt_and_the_parameters_are_in_the_environment() {
    let mut call = env_call(json!({"env": {"MODE": "fast", "N": 7, "ON": true}}));
    call.ctx.attempt = 3;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    call.ctx = call.ctx.with_traceparent(parent.parse().unwrap());
    for (name, value) in [
        ("date", "2024-01-15"),
        ("shop id", "a b"),
        ("Größe", "7"),
        ("x-y", "1"),
        ("x_y", "2"),
        ("nul", "a\0b"),
    ] {
        call.ctx.params.insert(name.to_owned(), value.to_owned());
    }
    let key = call.ctx.attempt_key.clone();
    let lines = log_of(&CommandNode::new(Clock::system()), call).await;
    for line in [
        "FLORET_PARAM_DATE=2024-01-15",
        "FLORET_PARAM_SHOP_ID=a b",
        "FLORET_PARAM_GR__E=7",
        "FLORET_ATTEMPT=3",
        &format!("FLORET_ATTEMPT_KEY={key}"),
        "FLORET_NODE_ID=node",
        &format!("TRACEPARENT={parent}"),
        "MODE=fast",
        "N=7",
        "ON=true",
        "FLORET_PARAM_X_Y is not set, since it would stand for each of the parameters x-y, x_y",
        "FLORET_PARAM_NUL is not set, since the parameter nul contains a NUL character",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line}: {lines:?}");
    }
}

#[tokio::test]
async fn a_program_inherits_only_what_programs_need_and_what_the_host_adds() {
    // Set by cargo for every test.
    const CARGO: &str = "CARGO_PKG_NAME";
    let node = CommandNode::new(Clock::system());
    let found = environment(&node, env_call(json!({}))).await;
    assert_eq!(found.get("PATH"), std::env::var("PATH").ok().as_ref());
    assert_eq!(found.get(CARGO), None, "{found:?}");
    let found = environment(&node.clone().inherit_env(CARGO), env_call(json!({}))).await;
    assert_eq!(found.get(CARGO).map(String::as_str), Some("floret"));
    let own = env_call(json!({"env": {"PATH": "/bin:/usr/bin", "LANG": "xx"}}));
    let found = environment(&node, own).await;
    assert_eq!(found["PATH"], "/bin:/usr/bin");
    assert_eq!(found["LANG"], "xx");
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
#[tokio::test]
async fn a_program_starts_in_a_folder_of_the_data_directory() {
    let outer = tempfile::tempdir().unwrap();
    let data = outer.path().join("data");
    std::fs::create_dir_all(data.join("in/deep")).unwrap();
    std::fs::write(data.join("in/deep/file"), "found").unwrap();
    std::os::unix::fs::symlink(outer.path(), data.join("out")).unwrap();
    let node = CommandNode::new(Clock::system()).data_dir(DataDir::open(&data).unwrap());
    let run = async |cwd: &str| {
        let script = "printf '{\"text\": \"%s\"}' \"$(cat file)\"";
        let config = json!({"command": ["sh", "-c", script], "cwd": cwd});
        let output = node.execute(call(config, [])).await?;
        Ok::<_, crate::executor::ExecutorError>(json!(rows(output))[0]["text"].clone())
    };
    assert_eq!(run("in/deep").await.unwrap(), "found");
    assert_eq!(
        run("in/../in").await.unwrap_err().message(),
        "cwd is a folder inside the data directory; \"in/../in\" is not a relative path without .."
    );
    for outside in ["out", "missing"] {
        let error = run(outside).await.unwrap_err();
        assert!(error.message().contains(outside), "{error}");
        let secret = outer.path().to_str().unwrap();
        assert!(!error.message().contains(secret), "{error}");
    }
    // A moved directory stays the same directory.
    std::fs::rename(&data, outer.path().join("moved")).unwrap();
    assert_eq!(run("in/deep").await.unwrap(), "found");
}

#[tokio::test]
async fn a_program_without_a_folder_starts_in_that_of_the_host() {
    let here = std::env::current_dir().unwrap();
    let output = execute(shell("printf '{\"at\": \"%s\"}' \"$(pwd -P)\"", [])).await;
    let at = json!(rows(output.unwrap()))[0]["at"].clone();
    assert_eq!(at, here.canonicalize().unwrap().to_str().unwrap());
}
