//! A storage of one's own: it keeps everything in memory, and writes into a file what each step did, before the step counts.
//!
//! `cargo run --example custom_storage` runs a pipeline on it, and shows the file. The storage was written from the guide
//! (`floret::guide::storage`) alone, and takes the whole contract: `cargo test --example custom_storage`.
//!
//! It is made to be read: one lock over plain collections, a copy of all rows a step, linear scans, recounts. So it is
//! for nobody's production: a step's cost grows with everything that is kept, and nothing comes back after a restart.
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
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::{Floret, Pipeline};
use serde_json::Value;

use audited::AuditedStorage;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let trail = folder.path().join("trail.ndjson");
    let squares = Pipeline::new("squares")
        .node("count", "count")
        .node("square", "square")
        .after("count");
    let floret = Floret::builder(AuditedStorage::create(&trail)?)
        .node("count", count)
        .node("square", square)
        .pipeline(squares)
        .start()
        .await?;
    let run = floret.run("squares").start().await?.finished().await?;
    println!("the run: {:?}", run.run.status);
    floret.shutdown(Duration::from_secs(10)).await?;
    for line in std::fs::read_to_string(&trail)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        let events = line["events"].as_array().into_iter().flatten();
        let kinds: Vec<_> = events.filter_map(|event| event["type"].as_str()).collect();
        println!(
            "{:16} {}",
            line["step"].as_str().unwrap_or("?"),
            kinds.join(", ")
        );
    }
    Ok(())
}

async fn count(_: Ctx) -> Result<Vec<u64>, ExecutorError> {
    Ok((1..=3).collect())
}

async fn square(ctx: Ctx, numbers: Vec<u64>) -> Result<Vec<u64>, ExecutorError> {
    ctx.log.info(format!("{} numbers", numbers.len())).await;
    Ok(numbers.iter().map(|number| number * number).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::AuditedStorage;

    floret::storage_contract!(async |folder: &Path| {
        AuditedStorage::create(&folder.join("trail.ndjson")).unwrap()
    });
}
