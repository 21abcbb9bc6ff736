//! Prints the log of a run: from the file of a store that nobody has open, or from a server.
//!
//! `stored` reads the file and `served` asks a server, which alone learns of new lines.

mod served;
mod stored;

use std::path::Path;
use std::process::ExitCode;

use floret::{Level, NodeId, RunId};

use crate::failure::Failure;
use crate::http_client::ServerUrl;
use crate::options::ApiKey;
use crate::output::one_line;

/// The lines that are asked for.
#[derive(Debug)]
pub(crate) struct AskedLog {
    pub(crate) run: RunId,
    pub(crate) node: Option<NodeId>,
    pub(crate) level: Level,
    pub(crate) follows: bool,
    pub(crate) server: Option<ServerUrl>,
    pub(crate) api_key: Option<ApiKey>,
}

/// Prints the lines.
pub(crate) async fn print(db: &Path, asked: AskedLog) -> Result<ExitCode, Failure> {
    match asked.server.clone() {
        Some(server) => served::print(server, asked).await,
        None => stored::print(db, asked).await,
    }
}

/// Returns a line as it is printed. `time` is in UTC, as RFC 3339.
fn shown(time: &str, level: &str, node: Option<&str>, message: &str) -> String {
    let (level, message) = (level.to_uppercase(), one_line(message));
    match node {
        Some(node) => format!("{time} {level} [{node}] {message}\n"),
        None => format!("{time} {level} {message}\n"),
    }
}
