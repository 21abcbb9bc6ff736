//! A sink that atomically writes one file in the data directory.
//!
//! `write` encodes the rows, and `replacement` replaces the file.

use std::io::BufWriter;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::blocking::{StopCheck, blocking};
use super::config::{ConfigFields, config_error, without_template_issues};
use super::data_dir::{DataDir, file_error, read_path};
use super::format::Format;
use super::write::{self, WriteError};
use crate::error::Issue;
use crate::executor::{Asset, Effect, Executor, ExecutorError, Input, NodeCall, Output};
use crate::limits::DatasetLimits;
use crate::model::{Dataset, Node};

/// Writes the rows of all upstreams, in the order of its inputs, to a file in a [`DataDir`].
///
/// Its config has `path` and `format` (`csv` or `ndjson`). By default, the extension of the file
/// selects the format.
///
/// The sink writes the file under a temporary name in the same folder, syncs it to disk and then
/// renames it. A reader sees either the old file or the complete new one. The sink creates missing
/// folders. In a CSV file, a null becomes an empty field, and a nested value becomes JSON.
#[derive(Debug, Clone)]
pub struct SinkFile {
    dir: DataDir,
}

struct Config<'a> {
    path: &'a str,
    format: Format,
}

impl<'a> Config<'a> {
    fn read(config: &'a Map<String, Value>) -> Result<Self, Vec<Issue>> {
        let mut fields = ConfigFields::new(config);
        let path = read_path(&mut fields);
        let format = Format::read(&mut fields, path, &[Format::Csv, Format::Ndjson]);
        let config = path.zip(format).map(|(path, format)| Self { path, format });
        fields.finish(config)
    }
}

impl SinkFile {
    /// Creates a sink that writes into this directory.
    #[must_use]
    pub const fn new(dir: DataDir) -> Self {
        Self { dir }
    }
}

#[async_trait]
impl Executor for SinkFile {
    async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        let NodeCall { ctx, inputs } = call;
        let limits = ctx.dataset_limits;
        let (dir, node, key) = (self.dir.clone(), ctx.node.clone(), ctx.attempt_key.clone());
        let summary = blocking(&ctx, move |stop| {
            let config = Config::read(&node.config).map_err(|issues| config_error(&issues))?;
            let dataset = concatenate(&inputs, limits)?;
            write_file(&config, &dir, &key, &dataset, stop)?;
            Ok(format!(
                "wrote {} rows to {}",
                dataset.row_count(),
                config.path
            ))
        });
        ctx.log.info(summary.await?).await;
        Ok(Output::Nothing)
    }

    fn effect(&self, _node: &Node) -> Effect {
        Effect::Sink
    }

    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue> {
        let issues = Config::read(config).err().unwrap_or_default();
        without_template_issues(config, issues)
    }

    fn config_keys(&self) -> Option<&[&str]> {
        Some(&["path", "format"])
    }

    fn assets(&self, node: &Node) -> Vec<Asset> {
        let path = node.config.get("path").and_then(Value::as_str);
        path.map(|path| Asset::new("file", path, true))
            .into_iter()
            .collect()
    }
}

fn concatenate(inputs: &[Input], limits: DatasetLimits) -> Result<Dataset, ExecutorError> {
    let datasets: Vec<_> = inputs
        .iter()
        .filter_map(|input| input.dataset.clone())
        .collect();
    Dataset::concat_within(&datasets, limits)
        .map_err(|error| ExecutorError::permanent(error.to_string()))
}

fn write_file(
    config: &Config<'_>,
    dir: &DataDir,
    attempt_key: &str,
    dataset: &Dataset,
    stop: &StopCheck,
) -> Result<(), ExecutorError> {
    let replacement = dir.replace(config.path, attempt_key)?;
    let mut out = BufWriter::new(replacement.file());
    let written = match config.format {
        Format::Csv => write::csv(dataset, &mut out, stop),
        Format::Ndjson | Format::Json => write::ndjson(dataset, &mut out, stop),
    };
    written.map_err(|error| match error {
        WriteError::Io(error) => file_error(config.path, "written", &error),
        WriteError::Stopped(error) => error,
    })?;
    drop(out);
    // An abandoned attempt must not overwrite the file that a later attempt wrote.
    stop.check()?;
    replacement.commit(config.path)
}
