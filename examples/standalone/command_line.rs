//! The command line: serves without a subcommand, and has one for each other task.
#![expect(clippy::doc_markdown, reason = "these comments are the text of --help")]

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use floret::{Level, NodeId, RunId};

use crate::access::Role;
use crate::failure::Failure;
use crate::http_client::ServerUrl;
use crate::logs::AskedLog;
use crate::one_shot::{OneShot, ProgressForm};
use crate::options::{ApiKey, CommonOptions, HostOptions, ServerOptions, Sources, parse};

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
    /// The output is a file for --config. A secret is a comment in it, with "***" for its text.
    Options(Box<ServeOptions>),

    /// Execute one run of a pipeline in this process, show its progress, and exit by its status
    ///
    /// The exit code is 0 after a success, 1 if the run failed, 2 if there is no such pipeline or a
    /// parameter is wrong, 130 if Ctrl-C cancelled it and 143 if SIGTERM did. The first signal lets
    /// executing nodes finish, the second stops them. The run is stored as any other, and other
    /// unfinished runs of the store go on meanwhile. No schedule fires. With --memory nothing is
    /// stored.
    Run {
        /// The id or slug of the pipeline
        pipeline: String,
        /// A parameter of the run; repeatable. Users of the machine see it: give no secret
        #[arg(long, value_name = "NAME=VALUE", value_parser = parse_param)]
        param: Vec<(String, String)>,
        /// Show the nodes as lines, or as lines with a bar below them
        #[arg(long, value_name = "FORM", value_enum, default_value_t = ProgressForm::Auto)]
        progress: ProgressForm,
        #[command(flatten)]
        common: CommonOptions,
        #[command(flatten)]
        host: Box<HostOptions>,
    },

    /// Print the log of a run
    ///
    /// Without --server it is read from the file of --db, which no server may have open: a store
    /// belongs to one process. While a server runs, ask the server.
    Logs {
        /// The id of the run
        run: RunId,
        /// Also print the lines that the run still writes, until it has finished; needs --server,
        /// since only the server learns of them
        #[arg(long, requires = "server")]
        follow: bool,
        /// Ask this server, such as http://127.0.0.1:8080
        #[arg(long, value_name = "URL")]
        server: Option<ServerUrl>,
        /// The key for the server. Other users can see command lines: prefer FLORET_API_KEY
        #[arg(
            long,
            value_name = "KEY",
            env = "FLORET_API_KEY",
            hide_env_values = true
        )]
        api_key: Option<ApiKey>,
        /// Only the lines of this node
        #[arg(long, value_name = "ID")]
        node: Option<NodeId>,
        /// Only lines of this level and above: debug, info, warning or error
        #[arg(long, default_value = "debug", value_parser = parse_level)]
        level: Level,
        #[command(flatten)]
        common: CommonOptions,
    },

    /// Copy the store into a new file and check the copy, while the server runs or not
    ///
    /// The copy is complete: it has everything that was acknowledged before the call. A file is
    /// never overwritten. Encryption keys are not part of it.
    Backup {
        /// The new file
        file: PathBuf,
        #[command(flatten)]
        common: CommonOptions,
    },

    /// Check the store: its file, its pipelines, and whether the key opens its secrets
    ///
    /// Give the options of the server, since they decide which node types there are. Nothing is
    /// changed. The exit code is 0 if no problem was found, and 1 otherwise.
    Check {
        #[command(flatten)]
        common: CommonOptions,
        #[command(flatten)]
        host: Box<HostOptions>,
    },

    /// Ask a server whether it is healthy; the exit code is 0 if it is, and 1 otherwise
    Health {
        /// The server
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
        server: ServerUrl,
    },

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
    Run {
        common: CommonOptions,
        host: Box<HostOptions>,
        asked: OneShot,
    },
    Logs {
        common: CommonOptions,
        asked: AskedLog,
    },
    Backup {
        common: CommonOptions,
        file: PathBuf,
    },
    Check {
        common: CommonOptions,
        host: Box<HostOptions>,
    },
    Health(ServerUrl),
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
        Some(Subtask::Run {
            pipeline,
            param,
            progress,
            common,
            host,
        }) => Task::Run {
            common,
            host: Box::new(sources.settle(*host)?),
            asked: OneShot {
                pipeline,
                params: param,
                progress,
            },
        },
        Some(Subtask::Logs {
            run,
            follow,
            server,
            api_key,
            node,
            level,
            common,
        }) => Task::Logs {
            common,
            asked: AskedLog {
                run,
                node,
                level,
                follows: follow,
                server,
                api_key,
            },
        },
        Some(Subtask::Backup { file, common }) => Task::Backup { common, file },
        Some(Subtask::Check { common, host }) => Task::Check {
            common,
            host: Box::new(sources.settle(*host)?),
        },
        Some(Subtask::Health { server }) => Task::Health(server),
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

fn parse_param(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("a parameter is NAME=VALUE".to_owned()),
    }
}

fn parse_level(text: &str) -> Result<Level, String> {
    let mut levels = Level::ALL.into_iter();
    levels
        .find(|level| level.as_str() == text)
        .ok_or_else(|| "a level is debug, info, warning or error".to_owned())
}
