//! Reads the log of a run from the file of a store, and changes nothing in it.

use std::path::Path;
use std::process::ExitCode;

use floret::query::LogLine;
use floret::storage::SqliteStorage;
use floret::{Error, ErrorKind, Floret};

use super::{AskedLog, shown};
use crate::failure::Failure;
use crate::output;

/// Prints the stored lines.
pub(super) async fn print(db: &Path, asked: AskedLog) -> Result<ExitCode, Failure> {
    let failed = |error: Error| not_read(db, &error);
    let storage = SqliteStorage::open_read_only(db).await.map_err(failed)?;
    let client = Floret::builder(storage).read_only().await.map_err(failed)?;
    let mut logs = client.run_by_id(asked.run).logs().level(asked.level);
    if let Some(node) = asked.node {
        logs = logs.node(node);
    }
    let mut reader = logs.stream().await.map_err(failed)?;
    while let Some(lines) = reader.next().await.map_err(failed)? {
        let text: String = lines.iter().map(text).collect();
        output::write(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(line: &LogLine) -> String {
    let time = line.timestamp.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let level = line.level.as_str();
    shown(
        &time,
        level,
        line.node_id.as_ref().map(|node| node.as_str()),
        &line.message,
    )
}

fn not_read(db: &Path, error: &Error) -> Failure {
    let failure = Failure::of(format!("--db {}", db.display()), error);
    match error.kind() {
        ErrorKind::StoreInUse { .. } => Failure::new(format!(
            "{failure}: ask the server that has it open, with --server URL"
        )),
        _ => failure,
    }
}
