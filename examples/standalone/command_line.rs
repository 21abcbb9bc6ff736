//! The command line: serves without a subcommand, and has one for each other task.
#![expect(clippy::doc_markdown, reason = "these comments are the text of --help")]

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use crate::access::Role;
use crate::failure::Failure;
use crate::options::{CommonOptions, HostOptions, ServerOptions, Sources, parse};

/// Runs data pipelines and serves their Runs API under /api.
///
/// Once it listens, it prints "listening on http://ADDR" to standard output and nothing else. The
/// log goes to standard error (set RUST_LOG to info, warn or floret=debug).
///
/// Each option can be given as a flag, as a variable of the environment or in the file of --config.
/// A flag takes precedence over a variable, a variable over the file, and the file over the
/// default.
#[derive(Debug, Parser)]
#[command(
    name = "standalone",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "\
Without --api-key and --api-keys the server listens only on the loopback address and serves only the hosts localhost, 127.0.0.1 and [::1].
SIGINT and SIGTERM shut it down: nothing new starts, executing nodes have 10 s to finish, and unfinished runs continue at the next start.
The exit code is 0 after a shutdown, 1 if the server cannot start or shut down, and 2 if an option is wrong.

  curl -X POST http://127.0.0.1:8080/api/pipelines/penguins/run
  curl http://127.0.0.1:8080/api/runs"
)]
struct CommandLine {
    #[command(flatten)]
    serve: ServeOptions,

    #[command(subcommand)]
    task: Option<Subtask>,
}

/// The options of the server.
#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Subcommand)]
enum Subtask {
    /// Print each option of the server with its value and its source, and exit
    ///
    /// The output is a file for --config. Secrets are shown as "***".
    Options(Box<ServeOptions>),

    /// Make a key for --api-keys
    ///
    /// Its line goes to standard output, and the key itself to standard error, once.
    Key {
        /// The name of the caller, which its runs have as "created_by"
        name: String,
        /// What the caller may do
        role: Role,
        /// Let the caller see and change only what belongs to this tenant
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
    },

    /// Print a script that completes this command line in a shell, and exit
    Completions {
        /// The shell that reads the script
        shell: Shell,
    },
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Task {
    Serve(Box<ServeOptions>),
    ShowOptions(Box<Sources>),
    NewKey {
        name: String,
        role: Role,
        tenant: Option<String>,
    },
    Completions(Shell),
}

/// Parses the command line with the environment and the file. Exits if it is wrong.
pub(crate) fn task() -> Result<Task, Failure> {
    let sources = parse(&CommandLine::command())?;
    let CommandLine { serve, task } = CommandLine::from_arg_matches(&sources.matches)
        .map_err(|error| Failure::usage(error.to_string()))?;
    Ok(match task {
        None => Task::Serve(Box::new(settled(serve, &sources)?)),
        Some(Subtask::Options(_)) => Task::ShowOptions(Box::new(sources)),
        Some(Subtask::Key { name, role, tenant }) => Task::NewKey { name, role, tenant },
        Some(Subtask::Completions { shell }) => Task::Completions(shell),
    })
}

fn settled(options: ServeOptions, sources: &Sources) -> Result<ServeOptions, Failure> {
    options.server.check()?;
    Ok(ServeOptions {
        host: sources.settle(options.host)?,
        ..options
    })
}

/// Returns the description of the command line.
pub(crate) fn command() -> clap::Command {
    CommandLine::command()
}
