//! A storage of one's own: it keeps everything in memory, and writes into a file what each step
//! did, before the step counts.
//!
//! `cargo run --example custom_storage` runs a pipeline on it, and shows the file. The storage was
//! written from the guide (`floret::guide::storage`) alone, and takes the whole contract:
//! `cargo test --example custom_storage`.
//!
//! It is made to be read: one lock over plain collections, a copy of all rows a step, linear scans,
//! recounts. So it is for nobody's production: a step's cost grows with everything that is kept,
//! and nothing comes back after a restart.
#![expect(
    clippy::print_stdout,
    reason = "a program speaks to whoever started it"
)]

mod audited;
mod backfills;
mod creation;
mod definitions;
mod ends;
mod journal;
mod notices;
mod pages;
mod queue;
mod rows;
mod runs;
mod schedules;
mod shelf;
mod system;

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
    print!("{}", told(&folder.path().join("trail.ndjson")).await?);
    Ok(())
}

/// Runs a pipeline, and tells how it ended and what each step wrote.
async fn told(trail: &Path) -> Result<String, Box<dyn Error>> {
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
    let mut told = format!("the run: {:?}\n", run.run.status);
    floret.shutdown(Duration::from_secs(10)).await?;
    for line in std::fs::read_to_string(trail)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        let events = line["events"].as_array().into_iter().flatten();
        let kinds: Vec<_> = events.filter_map(|event| event["type"].as_str()).collect();
        let step = line["step"].as_str().unwrap_or("?");
        writeln!(told, "{step:16} {}", kinds.join(", "))?;
    }
    Ok(told)
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
    async fn every_step_of_a_run_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let told = super::told(&folder.path().join("trail.ndjson"))
            .await
            .unwrap();
        assert!(told.starts_with("the run: Success\n"), "{told}");
        let is_event =
            |word: &&str| word.starts_with("run.") || word.starts_with("node.") || *word == "log";
        let events: Vec<_> = told.split([' ', ',', '\n']).filter(is_event).collect();
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
        assert_eq!(events, expected, "{told}");
    }
}
