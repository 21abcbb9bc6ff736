//! Measures the memory that hostile inputs take until their limit refuses them.
//!
//! Each input has a process of its own, whose peak is printed beside the refusal:
//! `cargo bench --bench bombs`. The tests assert the refusals, `limit_tests` and `byte_bounds`
//! among them.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops when something fails"
)]

use std::path::Path;
use std::process::Command;

use floret::nodes::{CommandNode, DataDir, SourceFile};
use floret::storage::{RunDetail, SqliteStorage};
use floret::testing::scratch;
use floret::{Clock, Floret, Node, Pipeline, Problem};
use serde_json::{Value, json};

/// A name and the pipeline's one node.
type Bomb = (&'static str, fn(&Path) -> Node);

const BOMBS: &[Bomb] = &[
    ("nothing", |_| program("true")),
    ("a line of 300,000 keys", |folder| {
        let keys = (0..300_000).map(|index| format!("\"k{index}\":1"));
        let line = format!("{{{}}}\n", keys.collect::<Vec<_>>().join(","));
        file(folder, "wide.ndjson", &line)
    }),
    ("100,000 sparse rows of 4,096 columns", |folder| {
        let rows = (0..100_000).map(|index| format!("{{\"k{}\":1}}\n", index % 4_096));
        file(folder, "sparse.ndjson", &rows.collect::<String>())
    }),
    ("an array with an endless text", |folder| {
        let text = format!("[{{\"a\":\"{}", "x".repeat(100 << 20));
        file(folder, "endless.json", &text)
    }),
    ("an endless program", |_| {
        program("yes '{\"a\": \"0123456789\"}'")
    }),
    ("an endless line of a program", |_| {
        program("yes | tr -d '\\n'")
    }),
    ("an endless log", |_| {
        program("yes >&2").config("timeout", 2)
    }),
    ("the largest preview and profile", |folder| {
        let row: String = (0..4_096)
            .map(|index| format!("\"k{index}\":\"{}\",", "x".repeat(1_000)))
            .collect();
        let row = format!("{{{}}}\n", row.trim_end_matches(','));
        file(folder, "large.ndjson", &row.repeat(50))
    }),
];

fn program(script: &str) -> Node {
    Node::new("load", "command").config("command", json!(["sh", "-c", script]))
}

/// Writes a file and returns the node that reads it.
fn file(folder: &Path, name: &str, text: &str) -> Node {
    std::fs::write(folder.join(name), text).unwrap();
    Node::new("load", "source_file").config("path", name)
}

async fn start(folder: &Path, node: Node) -> Floret {
    let storage = SqliteStorage::open(folder.join("floret.db")).await.unwrap();
    let pipeline = Pipeline::new("bomb").with(node);
    Floret::builder(storage)
        .executor(
            "source_file",
            SourceFile::new(DataDir::open(folder).unwrap()),
        )
        .executor("command", CommandNode::new(Clock::system()))
        .pipeline(pipeline)
        .start()
        .await
        .unwrap()
}

/// Executes one bomb in this process.
fn explode(number: usize) {
    let (name, node) = BOMBS[number];
    let folder = scratch();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The file of a node is written in this process, too.
    let node = node(folder.path());
    let before = peak_mib();
    let outcome = runtime.block_on(async {
        let floret = start(folder.path(), node).await;
        let run = floret.run("bomb").start().await.unwrap();
        summary(&run.finished().await.unwrap())
    });
    println!(
        "{name}: {} MiB (before: {before} MiB): {outcome}",
        peak_mib()
    );
}

/// Starts a run and a backfill with parameters of 4 MB, in this process.
fn large_params() {
    let folder = scratch();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let before = peak_mib();
    runtime.block_on(async {
        let floret = start(folder.path(), program("true")).await;
        let large = "x".repeat(4 << 20);
        let refused = floret.run("bomb").param("a", large.clone()).start().await;
        assert_eq!(refused.unwrap_err().problem(), Problem::ParamsTooLarge);
        let dates = "2020-01-01".parse().unwrap()..="2022-09-26".parse().unwrap();
        let refused = floret
            .backfill("bomb", dates)
            .param("a", large)
            .start()
            .await;
        assert_eq!(refused.unwrap_err().problem(), Problem::ParamsTooLarge);
    });
    println!(
        "a backfill of 1,000 dates with 4 MB of parameters: {} MiB (before: {before} MiB): refused",
        peak_mib()
    );
}

fn summary(detail: &RunDetail) -> String {
    let error = detail.nodes[0].error.clone().unwrap_or_default();
    format!("{} {}", json!(detail.run.status), Value::from(error))
}

/// Returns the peak of this process's memory, or 0 where the system does not report it.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let chosen = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix("--bomb="));
    if let Some(number) = chosen {
        match number.parse::<usize>() {
            Ok(number) => explode(number),
            Err(_) => large_params(),
        }
        return;
    }
    // `cargo test` builds benches and runs them without `--bench`.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let numbers = (0..BOMBS.len()).map(|number| number.to_string());
    for bomb in numbers.chain(["params".to_owned()]) {
        let status = Command::new(std::env::current_exe().unwrap())
            .arg(format!("--bomb={bomb}"))
            .status();
        assert!(status.unwrap().success(), "bomb {bomb}");
    }
}
