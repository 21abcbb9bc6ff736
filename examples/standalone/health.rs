//! Asks a server whether it is healthy, for the health check of a container.

use std::process::ExitCode;

use serde::Deserialize;

use crate::failure::Failure;
use crate::http_client::{HttpClient, ServerUrl};
use crate::output;

/// The answer of a server that is healthy.
#[derive(Deserialize)]
struct Health {
    status: String,
}

/// Prints the health of the server. A server that is not healthy or does not answer is a failure.
pub(crate) async fn print(server: ServerUrl) -> Result<ExitCode, Failure> {
    let health: Health = HttpClient::new(server, None).get("/health").await?;
    output::write(&format!("{}\n", output::one_line(&health.status)))
}
