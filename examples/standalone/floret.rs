//! The part that every host writes: storage, node types, limits, pipelines, start.

use std::path::{Path, PathBuf};

use floret::nodes::{CommandNode, DataDir, SinkFile, SourceFile, hide_process};
use floret::notifier::HookPolicy;
use floret::storage::{MemoryStorage, SqliteOptions, SqliteStorage};
use floret::{Builder, Clock, Floret, Limits, SecretKey};

use crate::definitions::Definitions;
use crate::failure::Failure;
use crate::options::HostOptions;

/// The environment variable that may hold the key for secrets.
const SECRET_KEY: &str = "FLORET_SECRET_KEY";

/// Starts the Floret that the options describe, with the schedules of its pipelines.
pub(crate) async fn start(db: &Path, options: &HostOptions) -> Result<Floret, Failure> {
    start_with(db, options, |builder| builder).await
}

/// Starts the same Floret, after a closure has changed its builder.
pub(crate) async fn start_with(
    db: &Path,
    options: &HostOptions,
    change: impl FnOnce(Builder) -> Builder,
) -> Result<Floret, Failure> {
    let definitions = Definitions::read(options.pipelines.as_deref())?;
    let builder = open(db, options).await?;
    let builder = describe(builder, options, &definitions)?;
    change(builder)
        .start()
        .await
        .map_err(|error| definitions.failure(error))
}

/// Adds limits, node types, keys and pipelines to a builder.
pub(crate) fn describe(
    builder: Builder,
    options: &HostOptions,
    definitions: &Definitions,
) -> Result<Builder, Failure> {
    let mut builder = builder.limits(limits(options));
    let data_dir = data_dir(options)?;
    if let Some(dir) = &data_dir {
        builder = builder
            .executor("source_file", SourceFile::new(dir.clone()))
            .executor("sink_file", SinkFile::new(dir.clone()));
    }
    if options.allow_commands {
        builder = builder.executor("command", command_node(options, data_dir)?);
    }
    if let Some(key) = secret_key(options)? {
        builder = builder.secret_key(key);
    }
    for file in &options.old_secret_key_file {
        builder = builder.old_secret_key(read_key("--old-secret-key-file", file)?);
    }
    if options.allow_private_hooks {
        builder = builder.hooks(HookPolicy::default().allow_private().allow_http());
    }
    // A file is where a pipeline begins: what an operator changes stays until the file changes.
    builder = builder.allow_pipeline_edits();
    for definition in definitions.iter() {
        builder = builder.pipeline(definition.clone());
    }
    Ok(builder)
}

fn data_dir(options: &HostOptions) -> Result<Option<DataDir>, Failure> {
    let open = |folder: &PathBuf| {
        DataDir::open(folder)
            .map_err(|error| Failure::of(format!("--data-dir {}", folder.display()), error))
    };
    options.data_dir.as_ref().map(open).transpose()
}

/// The programs cannot read the secrets of this process, neither as variables nor under /proc.
fn command_node(options: &HostOptions, data_dir: Option<DataDir>) -> Result<CommandNode, Failure> {
    hide_process().map_err(|error| {
        Failure::new(format!(
            "the process cannot be hidden from programs: {error}"
        ))
    })?;
    let mut node = CommandNode::new(Clock::system());
    for name in &options.inherit_env {
        node = node.inherit_env(name);
    }
    Ok(match data_dir {
        Some(dir) => node.data_dir(dir),
        None => node,
    })
}

async fn open(db: &Path, options: &HostOptions) -> Result<Builder, Failure> {
    if options.memory {
        return Ok(Floret::builder(MemoryStorage::default()));
    }
    let sqlite = SqliteOptions::default().durability(options.durability.into());
    let storage = SqliteStorage::open_with(db, sqlite)
        .await
        .map_err(|error| Failure::of(format!("--db {}", db.display()), error))?;
    Ok(Floret::builder(storage))
}

/// The file takes precedence over the environment variable.
fn secret_key(options: &HostOptions) -> Result<Option<SecretKey>, Failure> {
    match &options.secret_key_file {
        Some(file) => read_key("--secret-key-file", file).map(Some),
        None => SecretKey::from_env(SECRET_KEY).map_err(|error| Failure::new(error.to_string())),
    }
}

fn read_key(option: &str, file: &Path) -> Result<SecretKey, Failure> {
    SecretKey::from_file(file)
        .map_err(|error| Failure::new(format!("{option} {}: {error}", file.display())))
}

fn limits(options: &HostOptions) -> Limits {
    let mut limits = Limits::default();
    if let Some(runs) = options.max_concurrent_runs {
        limits.runs_max = runs;
    }
    limits
}
