//! A custom storage backend: it keeps everything in memory, and records each step in a file before
//! the step takes effect.
//!
//! `cargo run --example custom_storage` runs a pipeline on it and prints the file. The backend was
//! written from the guide (`floret::guide::storage`) alone and passes the whole contract:
//! `cargo test --example custom_storage`.
//!
//! The code is written to be read: one lock over plain collections, a copy of all rows for each
//! step, linear scans and recounts. It is not for production, because the cost of a step grows with
//! everything that is stored, and nothing survives a restart.
#![expect(clippy::print_stdout, reason = "a program prints its result")]

mod audit;
mod audited;
mod backfills;
mod creation;
mod definitions;
mod dependencies;
mod events;
mod finish;
mod journal;
mod keys;
mod node_runs;
mod pages;
mod queue;
mod rows;
mod runs;
mod schedules;
mod system;
mod versioned;
mod versions;
mod waiting;

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::{Floret, Pipeline};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use audited::AuditedStorage;

#[derive(Serialize, Deserialize)]
struct Number {
    value: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    print!(
        "{}",
        run_and_report(&folder.path().join("trail.ndjson")).await?
    );
    Ok(())
}

/// Runs a pipeline, and reports its status and the events of each step.
async fn run_and_report(trail: &Path) -> Result<String, Box<dyn Error>> {
    let squares = Pipeline::new("squares")
        .node("count", "count")
        .node("square", "square")
        .after("count");
    let floret = Floret::builder(AuditedStorage::create(trail)?)
        .node("count", count)
        .node("square", square)
        .pipeline(squares)
        .start()
        .await?;
    let run = floret.run("squares").start().await?.finished().await?;
    let mut report = format!("run status: {:?}\n", run.run.status);
    floret.shutdown(Duration::from_secs(10)).await?;
    for line in std::fs::read_to_string(trail)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        let events = line["events"].as_array().into_iter().flatten();
        let kinds: Vec<_> = events.filter_map(|event| event["type"].as_str()).collect();
        let step = line["step"].as_str().unwrap_or("?");
        writeln!(report, "{step:16} {}", kinds.join(", "))?;
    }
    Ok(report)
}

async fn count(_: Ctx) -> Result<Vec<Number>, ExecutorError> {
    Ok((1..=3).map(|value| Number { value }).collect())
}

async fn square(ctx: Ctx, numbers: Vec<Number>) -> Result<Vec<Number>, ExecutorError> {
    ctx.log.info(format!("{} numbers", numbers.len())).await;
    let squares = numbers.iter().map(|number| number.value * number.value);
    Ok(squares.map(|value| Number { value }).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::AuditedStorage;

    floret::storage_contract!(async |folder: &Path| {
        AuditedStorage::create(&folder.join("trail.ndjson")).unwrap()
    });

    #[tokio::test]
    async fn the_trail_has_every_step_of_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let report = super::run_and_report(&folder.path().join("trail.ndjson"))
            .await
            .unwrap();
        assert!(report.starts_with("run status: Success\n"), "{report}");
        let is_event =
            |word: &&str| word.starts_with("run.") || word.starts_with("node.") || *word == "log";
        let events: Vec<_> = report.split([' ', ',', '\n']).filter(is_event).collect();
        let expected = [
            "run.created",
            "run.started",
            "node.started",
            "node.completed",
            "node.started",
            "log",
            "node.completed",
            "run.completed",
        ];
        assert_eq!(events, expected, "{report}");
    }
}
