//! The command line options.
#![expect(clippy::doc_markdown, reason = "these comments are the text of --help")]

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use floret::storage::Durability;

use crate::failure::Failure;

/// Runs data pipelines and serves their Runs API under /api.
///
/// Once it listens, it prints "listening on http://ADDR" to standard output and nothing else. The
/// log goes to standard error (set RUST_LOG to info, warn or floret=debug).
#[derive(Debug, Parser)]
#[command(
    name = "standalone",
    version,
    after_help = "\
Without --api-key the server listens only on the loopback address and serves only the hosts localhost, 127.0.0.1 and [::1].
SIGINT and SIGTERM shut it down: nothing new starts, executing nodes have 10 s to finish, and unfinished runs continue at the next start.
The exit code is 0 after a shutdown, 1 if the server cannot start or shut down, and 2 if an option is wrong.

  curl -X POST http://127.0.0.1:8080/api/pipelines/penguins/run
  curl http://127.0.0.1:8080/api/runs"
)]
pub(crate) struct Options {
    /// Address to listen on; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// SQLite file that stores pipelines and runs; created if it does not exist
    #[arg(long, value_name = "FILE", default_value = "floret.db")]
    pub(crate) db: PathBuf,

    /// Store everything in memory instead; all data is lost when the server exits
    #[arg(long, conflicts_with_all = ["db", "durability"])]
    pub(crate) memory: bool,

    /// Protection of acknowledged runs against power loss; a crash of the server loses nothing
    /// either way
    #[arg(long, value_enum, default_value_t = Safety::Full)]
    pub(crate) durability: Safety,

    /// Require "Authorization: Bearer KEY" on every request but GET /api/health. A key has at least
    /// 16 characters unless the address is a loopback one. Other users can see command lines:
    /// prefer FLORET_API_KEY
    #[arg(
        long,
        value_name = "KEY",
        env = "FLORET_API_KEY",
        hide_env_values = true
    )]
    pub(crate) api_key: Option<ApiKey>,

    /// Encrypt secrets of connections and variables with the key in this file: 32 bytes, raw or as
    /// 64 hex digits or base64. Without it, FLORET_SECRET_KEY may hold the key as text
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_key_file: Option<PathBuf>,

    /// Let pipelines execute programs (node type command) with the rights of this server: anyone
    /// who may save a pipeline may then do anything
    #[arg(long)]
    pub(crate) allow_commands: bool,

    /// Let the programs of pipelines inherit this variable of the environment too; repeatable. They
    /// inherit PATH, HOME, LANG, TZ and the like, and no others
    #[arg(long, value_name = "NAME", requires = "allow_commands")]
    pub(crate) inherit_env: Vec<String>,

    /// Let pipelines read and write the files of this folder, and no others (node types
    /// source_file, sink_file)
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Number of runs that execute at the same time [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_concurrent_runs: Option<u32>,

    /// Save the definitions in this folder (*.json, in the format of POST /api/pipelines) at the
    /// start, replacing the stored ones with the same ids; what is changed over HTTP stays until
    /// the file changes
    #[arg(long, value_name = "DIR")]
    pub(crate) pipelines: Option<PathBuf>,
}

/// The values of `--durability`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Safety {
    /// Flush each commit to the disk before it is acknowledged
    Full,
    /// A power loss may undo the last moments, and corrupts nothing
    Normal,
}

/// The fewest characters of a key that callers on other machines could guess.
const KEY_CHARACTERS_MIN: usize = 16;

/// A key for the header `Authorization`. Its `Debug` output hides it.
#[derive(Clone)]
pub(crate) struct ApiKey(String);

impl Options {
    /// Checks the options against each other.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let address = self.listen;
        match &self.api_key {
            Some(key) => key.check(address),
            None if address.ip().is_loopback() => Ok(()),
            None => Err(Failure::usage(format!(
                "{address} is not a loopback address: without --api-key, everyone who can reach it could do everything"
            ))),
        }
    }
}

impl From<Safety> for Durability {
    fn from(safety: Safety) -> Self {
        match safety {
            Safety::Full => Self::Full,
            Safety::Normal => Self::Normal,
        }
    }
}

impl ApiKey {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Checks that the key fits into a header and cannot be guessed. No message contains it.
    fn check(&self, address: SocketAddr) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Err(Failure::usage("--api-key: a key is not empty"));
        }
        if !self.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage(
                "--api-key: a key is visible ASCII without blanks, since it goes into a header",
            ));
        }
        let count = self.0.len();
        if count < KEY_CHARACTERS_MIN && !address.ip().is_loopback() {
            return Err(Failure::usage(format!(
                "--api-key: {address} is not a loopback address, so a key needs at least {KEY_CHARACTERS_MIN} characters; this one has {count}"
            )));
        }
        Ok(())
    }
}

impl FromStr for ApiKey {
    type Err = Infallible;

    /// Takes any text: the parser of the command line would print a text that is refused here.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
