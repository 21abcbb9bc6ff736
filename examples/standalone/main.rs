//! A complete server: the Runs API under `/api`, pipelines from files, and nodes that need no code.
//!
//! `cargo run --example standalone -- --help` lists its options. `floret.rs` has the part that
//! every host writes.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program prints to its user"
)]

mod access;
mod definitions;
mod descriptors;
mod failure;
mod floret;
#[path = "../listener/mod.rs"]
mod listener;
mod options;
mod server;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::options::Options;
use crate::server::Signals;

/// How long blocking threads may keep running after everything else has stopped.
const BLOCKING_GRACE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let options = Options::parse();
    log_to_stderr();
    descriptors::raise_limit();
    match run_on_runtime(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.code()
        }
    }
}

fn run_on_runtime(options: Options) -> Result<(), Failure> {
    let runtime =
        Runtime::new().map_err(|error| Failure::of("cannot start the async runtime", error))?;
    let result = runtime.block_on(run(options));
    // Dropping the runtime would wait for node code that does not yield.
    runtime.shutdown_timeout(BLOCKING_GRACE);
    result
}

async fn run(options: Options) -> Result<(), Failure> {
    options.check()?;
    let signals = Signals::listen()?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| Failure::of(format!("cannot listen on {}", options.listen), error))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::of("cannot read the address of the listener", error))?;
    let floret = floret::start(&options).await?;
    let service = access::service(&floret, options.api_key.as_ref());
    println!("listening on http://{address}");
    server::serve(listener, service, &floret, signals).await
}

/// Logs to standard error. Standard output is reserved for the line with the address.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // A line that cannot be written is lost. To report it on standard error would panic.
        .log_internal_errors(false)
        .init();
}
