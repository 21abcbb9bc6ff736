//! A complete server: the console, the Runs API under `/api`, pipelines from files, and nodes that
//! need no code.
//!
//! `cargo run --example standalone -- --help` lists its options. `floret.rs` has the part that
//! every host writes.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program prints to its user"
)]

mod access;
mod backup;
mod check;
mod command_line;
mod definitions;
mod descriptors;
mod failure;
mod floret;
mod health;
mod http_client;
#[path = "../listener/mod.rs"]
mod listener;
mod log;
mod logs;
mod metrics;
mod one_shot;
mod options;
mod output;
mod server;
mod signals;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::access::Keys;
use crate::command_line::{ServeOptions, Task};
use crate::failure::Failure;
use crate::metrics::{Recorder, WithMetrics};
use crate::signals::Signals;

/// How long blocking threads may keep running after everything else has stopped.
const BLOCKING_GRACE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match command_line::task().and_then(carry_out) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.code()
        }
    }
}

fn carry_out(task: Task) -> Result<ExitCode, Failure> {
    match task {
        Task::Serve(options) => {
            log::to_stderr(options.common.log_format, "info");
            descriptors::raise_limit();
            on_runtime(serve(*options))
        }
        Task::ShowOptions(sources) => {
            output::write(&options::shown(&command_line::command(), &sources))
        }
        Task::Run {
            common,
            host,
            asked,
        } => {
            log::to_stderr(common.log_format, "warn");
            descriptors::raise_limit();
            on_runtime(one_shot::run(&common.db, &host, asked))
        }
        Task::Logs { common, asked } => {
            log::to_stderr(common.log_format, "warn");
            on_runtime(logs::print(&common.db, asked))
        }
        Task::Backup { common, file } => {
            log::to_stderr(common.log_format, "warn");
            on_runtime(backup::backup(&common.db, &file))
        }
        Task::Check { common, host } => {
            log::to_stderr(common.log_format, "warn");
            on_runtime(check::check(&common.db, &host))
        }
        Task::Health(server) => on_runtime(health::print(server)),
        Task::NewKey { name, role, tenant } => access::new_key(&name, role, tenant.as_deref()),
        Task::Completions(shell) => {
            let mut script = Vec::new();
            let mut command = command_line::command();
            let name = command.get_name().to_owned();
            clap_complete::generate(shell, &mut command, name, &mut script);
            output::write(&String::from_utf8_lossy(&script))
        }
    }
}

fn on_runtime(task: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime =
        Runtime::new().map_err(|error| Failure::of("cannot start the async runtime", error))?;
    let result = runtime.block_on(task);
    // Dropping the runtime would wait for node code that does not yield.
    runtime.shutdown_timeout(BLOCKING_GRACE);
    result
}

async fn serve(options: ServeOptions) -> Result<ExitCode, Failure> {
    let ServeOptions {
        server,
        common,
        host,
    } = options;
    let keys = Keys::read(&server)?;
    let signals = Signals::listen(keys.as_ref().and_then(Keys::file).is_some())?;
    let listener = TcpListener::bind(server.listen)
        .await
        .map_err(|error| Failure::of(format!("cannot listen on {}", server.listen), error))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::of("cannot read the address of the listener", error))?;
    let recorder = Recorder::install()?;
    let floret = floret::start(&common.db, &host).await?;
    let runs = access::service(&floret, keys.clone());
    let service = WithMetrics::new(runs, floret.clone(), recorder.clone(), keys.clone());
    println!("listening on http://{address}");
    let beside = async { tokio::join!(check::log(floret.clone()), recorder.keep_up()) };
    tokio::select! {
        served = server::serve(listener, service, &floret, signals, keys) => served?,
        _ = beside => {}
    }
    Ok(ExitCode::SUCCESS)
}
