//! Asks a server for the log of a run, page by page, and follows it until the run has finished.
//!
//! The stream of events says when there is something new; the log itself comes from its route, so
//! that its lines are the same with and without `--follow`.

use std::fmt::Write;
use std::process::ExitCode;

use serde::Deserialize;

use super::{AskedLog, shown};
use crate::failure::Failure;
use crate::http_client::{HttpClient, ServerUrl};
use crate::output;

/// A page of a log, as the API has it.
#[derive(Deserialize)]
struct LogPage {
    items: Vec<LogItem>,
    has_next: bool,
    cursor: Option<String>,
}

/// A line of a log, as the API has it.
#[derive(Deserialize)]
struct LogItem {
    node_id: Option<String>,
    level: String,
    message: String,
    timestamp: String,
}

/// A run, as the API has it.
#[derive(Deserialize)]
struct ServedRun {
    finished_at: Option<String>,
}

/// Prints the lines, and with `--follow` those that the run still writes.
pub(super) async fn print(server: ServerUrl, asked: AskedLog) -> Result<ExitCode, Failure> {
    let client = HttpClient::new(server, asked.api_key.clone());
    if !asked.follows {
        print_pages(&client, &asked, "0".to_owned()).await?;
        return Ok(ExitCode::SUCCESS);
    }
    // The stream comes before the look at the run, so that its end is not missed.
    let run = asked.run;
    let mut events = client.open(&format!("/events?run_id={run}")).await?;
    let found: ServedRun = client.get(&format!("/runs/{run}")).await?;
    let mut has_finished = found.finished_at.is_some();
    let mut cursor = print_pages(&client, &asked, "0".to_owned()).await?;
    while !has_finished {
        let Some(block) = events.next_events().await? else {
            return Err(Failure::new("the server has ended the stream of events"));
        };
        has_finished = ["run.completed", "run.failed", "run.cancelled"]
            .iter()
            .any(|kind| block.contains(&format!("\"type\":\"{kind}\"")));
        cursor = print_pages(&client, &asked, cursor).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the lines after a cursor. Returns the cursor after them.
async fn print_pages(
    client: &HttpClient,
    asked: &AskedLog,
    mut cursor: String,
) -> Result<String, Failure> {
    loop {
        let mut path = format!(
            "/runs/{}/logs?level={}&after={cursor}",
            asked.run,
            asked.level.as_str()
        );
        if let Some(node) = &asked.node {
            // A node's id needs no encoding.
            path += &format!("&node_id={node}");
        }
        let page: LogPage = client.get(&path).await?;
        let mut text = String::new();
        for line in &page.items {
            let node = line.node_id.as_deref();
            let line = shown(&line.timestamp, &line.level, node, &line.message);
            // Writing to a text cannot fail.
            let _ = text.write_str(&line);
        }
        output::write(&text)?;
        cursor = page.cursor.unwrap_or(cursor);
        if !page.has_next {
            return Ok(cursor);
        }
    }
}
