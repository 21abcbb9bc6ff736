//! The options: their names, their defaults and the text of `--help`, once for all three sources.
//!
//! `sources` reads them from the command line, the environment and a file; `contradictions` checks
//! them against each other.
#![expect(clippy::doc_markdown, reason = "these comments are the text of --help")]

mod api_key;
mod contradictions;
mod file;
mod shown;
mod sources;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use floret::storage::Durability;

pub(crate) use self::api_key::ApiKey;
pub(crate) use self::shown::shown;
pub(crate) use self::sources::{Sources, parse};

/// The options of everything that has a log or a store.
#[derive(Debug, Args)]
pub(crate) struct CommonOptions {
    /// Read options from this TOML file: their names without the dashes, such as listen =
    /// "127.0.0.1:9000". A variable takes precedence over the file, and a flag over both
    #[arg(long, value_name = "FILE", env = "FLORET_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Write each line of the log as text, or as one JSON object
    #[arg(
        long,
        value_name = "FORMAT",
        env = "FLORET_LOG_FORMAT",
        value_enum,
        default_value_t = LogFormat::Text
    )]
    pub(crate) log_format: LogFormat,

    /// SQLite file that stores pipelines and runs; created if it does not exist
    #[arg(
        long,
        value_name = "FILE",
        env = "FLORET_DB",
        default_value = "floret.db"
    )]
    pub(crate) db: PathBuf,
}

/// The options of everything that executes pipelines.
#[derive(Debug, Args)]
pub(crate) struct HostOptions {
    /// Store everything in memory instead; all data is lost when the server exits
    #[arg(
        long,
        value_name = "BOOL",
        env = "FLORET_MEMORY",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true"
    )]
    pub(crate) memory: bool,

    /// Protection of acknowledged runs against power loss; a crash of the server loses nothing
    /// either way
    #[arg(
        long,
        value_name = "LEVEL",
        env = "FLORET_DURABILITY",
        value_enum,
        default_value_t = Safety::Full
    )]
    pub(crate) durability: Safety,

    /// Encrypt the secrets of connections, variables, hooks and parameters with the key in this
    /// file: 32 bytes, raw or as 64 hex digits or base64. Without it, FLORET_SECRET_KEY may hold
    /// the key as text
    #[arg(long, value_name = "FILE", env = "FLORET_SECRET_KEY_FILE")]
    pub(crate) secret_key_file: Option<PathBuf>,

    /// Open what an earlier key has encrypted with the key in this file; repeatable, or several
    /// with commas between them. New secrets are encrypted with the other key alone
    #[arg(
        long,
        value_name = "FILE",
        env = "FLORET_OLD_SECRET_KEY_FILE",
        value_delimiter = ','
    )]
    pub(crate) old_secret_key_file: Vec<PathBuf>,

    /// Let the hooks of pipelines call addresses of this machine and of private networks, and over
    /// HTTP without TLS: anyone who may save a pipeline may then send requests there, and read in
    /// the deliveries how an answer that is an error begins
    #[arg(
        long,
        value_name = "BOOL",
        env = "FLORET_ALLOW_PRIVATE_HOOKS",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true"
    )]
    pub(crate) allow_private_hooks: bool,

    /// Let pipelines execute programs (node type command) with the rights of this server: anyone
    /// who may save a pipeline may then do anything
    #[arg(
        long,
        value_name = "BOOL",
        env = "FLORET_ALLOW_COMMANDS",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true"
    )]
    pub(crate) allow_commands: bool,

    /// Let the programs of pipelines inherit this variable of the environment too; repeatable, or
    /// several with commas between them. They inherit PATH, HOME, LANG, TZ and the like, and no
    /// others
    #[arg(
        long,
        value_name = "NAME",
        env = "FLORET_INHERIT_ENV",
        value_delimiter = ','
    )]
    pub(crate) inherit_env: Vec<String>,

    /// Let pipelines read and write the files of this folder, and no others (node types
    /// source_file, sink_file)
    #[arg(long, value_name = "DIR", env = "FLORET_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Number of runs that execute at the same time [default: 5]
    #[arg(
        long,
        value_name = "N",
        env = "FLORET_MAX_CONCURRENT_RUNS",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) max_concurrent_runs: Option<u32>,

    /// Save the definitions in this folder (*.json, in the format of POST /api/pipelines) at the
    /// start, replacing the stored ones with the same ids; what is changed over HTTP stays until
    /// the file changes
    #[arg(long, value_name = "DIR", env = "FLORET_PIPELINES")]
    pub(crate) pipelines: Option<PathBuf>,
}

/// The options of the server, and of what calls it.
#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    /// Address to listen on; port 0 picks a free port
    #[arg(
        long,
        value_name = "ADDR",
        env = "FLORET_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    pub(crate) listen: SocketAddr,

    /// Require "Authorization: Bearer KEY" on every request but GET /api/health, and webhooks,
    /// which have tokens of their own. A key has at least 16 characters unless the address is a
    /// loopback one. Other users can see command lines: prefer FLORET_API_KEY
    #[arg(
        long,
        value_name = "KEY",
        env = "FLORET_API_KEY",
        hide_env_values = true
    )]
    pub(crate) api_key: Option<ApiKey>,

    /// Admit the callers of this file, each with a key and a role: a line NAME ROLE TENANT HASH
    /// for each, as "standalone key" prints it. SIGHUP reads the file again
    #[arg(long, value_name = "FILE", env = "FLORET_API_KEYS")]
    pub(crate) api_keys: Option<PathBuf>,
}

/// The values of `--durability`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Safety {
    /// Flush each commit to the disk before it is acknowledged
    Full,
    /// A power loss may undo the last moments, and corrupts nothing
    Normal,
}

/// The values of `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// For programs: an object with timestamp, level, target, fields and spans
    Json,
}

impl From<Safety> for Durability {
    fn from(safety: Safety) -> Self {
        match safety {
            Safety::Full => Self::Full,
            Safety::Normal => Self::Normal,
        }
    }
}
