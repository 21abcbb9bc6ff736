//! What an embedding host writes, too: storage, node types, limits, pipelines, start.

use floret::nodes::{CommandNode, DataDir, SinkFile, SourceFile};
use floret::storage::{MemoryStorage, SqliteOptions, SqliteStorage};
use floret::{Builder, Clock, Floret, Limits};

use crate::definitions::Definitions;
use crate::failure::Failure;
use crate::options::Options;

pub(crate) async fn start(options: &Options) -> Result<Floret, Failure> {
    let definitions = Definitions::read(options.pipelines.as_deref())?;
    let mut builder = open(options).await?.limits(limits(options));
    if let Some(folder) = &options.data_dir {
        let dir = DataDir::open(folder)
            .map_err(|error| Failure::of(format!("--data-dir {}", folder.display()), error))?;
        builder = builder
            .executor("source_file", SourceFile::new(dir.clone()))
            .executor("sink_file", SinkFile::new(dir));
    }
    if options.allow_commands {
        builder = builder.executor(
            "command",
            CommandNode::new(Clock::system()).hide_env("FLORET_API_KEY"),
        );
    }
    for definition in definitions.iter() {
        builder = builder.pipeline(definition.clone());
    }
    builder
        .start()
        .await
        .map_err(|error| definitions.blame(error))
}

async fn open(options: &Options) -> Result<Builder, Failure> {
    if options.memory {
        return Ok(Floret::builder(MemoryStorage::default()));
    }
    let sqlite = SqliteOptions::default().durability(options.durability.into());
    let storage = SqliteStorage::open_with(&options.db, sqlite)
        .await
        .map_err(|error| Failure::of(format!("--db {}", options.db.display()), error))?;
    Ok(Floret::builder(storage))
}

fn limits(options: &Options) -> Limits {
    let mut limits = Limits::default();
    if let Some(runs) = options.max_concurrent_runs {
        limits.runs_max = runs;
    }
    limits
}
