//! A source that reads one file in the data directory.
//!
//! `read` decodes each format.

use std::io::{BufReader, Read};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::blocking::{StopCheck, blocking};
use super::config::{ConfigFields, Flag, config_error, without_template_issues};
use super::data_dir::{DataDir, read_path};
use super::format::Format;
use super::read;
use crate::error::Issue;
use crate::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use crate::limits::DatasetLimits;
use crate::model::{Dataset, Node};

/// Reads a file in a [`DataDir`].
///
/// Its config has `path`, `format` (`csv`, `ndjson` or `json`) and, for CSV, `infer` (true by
/// default). By default, the extension of the file selects the format.
///
/// In a CSV file the first line names the columns, and an empty field is null. Types are inferred
/// over the whole file. A column stays text if a number would not preserve one of its values
/// (`007`, `+1`, too many digits). With `infer: false` all columns stay text. An NDJSON file has
/// one JSON object per line; a JSON file is one array of objects.
#[derive(Debug, Clone)]
pub struct SourceFile {
    dir: DataDir,
}

struct Config<'a> {
    path: &'a str,
    format: Format,
    infer: Flag,
}

impl<'a> Config<'a> {
    fn read(config: &'a Map<String, Value>) -> Result<Self, Vec<Issue>> {
        let mut fields = ConfigFields::new(config);
        let path = read_path(&mut fields);
        let format = Format::read(
            &mut fields,
            path,
            &[Format::Csv, Format::Ndjson, Format::Json],
        );
        let infer = fields.flag("infer", Flag::On);
        let config = path.zip(format).map(|(path, format)| Self {
            path,
            format,
            infer,
        });
        fields.finish(config)
    }
}

impl SourceFile {
    /// Creates a source that reads files of this directory.
    #[must_use]
    pub const fn new(dir: DataDir) -> Self {
        Self { dir }
    }
}

#[async_trait]
impl Executor for SourceFile {
    async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        let (dir, ctx) = (self.dir.clone(), call.ctx);
        let (node, limit) = (ctx.node.clone(), ctx.row_limit);
        let limits = ctx.dataset_limits;
        let dataset = blocking(&ctx, move |stop| {
            let config = Config::read(&node.config).map_err(|issues| config_error(&issues))?;
            let file = dir.open_file(config.path)?;
            load(&config, file, limit, limits, stop)
        });
        Ok(Output::Dataset(dataset.await?))
    }

    fn effect(&self, _node: &Node) -> Effect {
        Effect::Source
    }

    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue> {
        let issues = Config::read(config).err().unwrap_or_default();
        without_template_issues(config, issues)
    }

    fn config_keys(&self) -> Option<&[&str]> {
        Some(&["path", "format", "infer"])
    }

    fn assets(&self, node: &Node) -> Vec<Asset> {
        let path = node.config.get("path").and_then(Value::as_str);
        path.map(|path| Asset::new("file", path, false))
            .into_iter()
            .collect()
    }
}

fn load(
    config: &Config<'_>,
    file: impl Read,
    limit: Option<usize>,
    limits: DatasetLimits,
    stop: &StopCheck,
) -> Result<Dataset, ExecutorError> {
    let rows = limit.unwrap_or(usize::MAX);
    let failed = |error: read::ReadError| error.into_executor_error(config.path);
    match config.format {
        Format::Csv => {
            let texts = read::csv(file, rows, limits, stop).map_err(failed)?;
            match config.infer {
                Flag::On => texts
                    .infer_types(limits)
                    .map_err(|error| ExecutorError::permanent(error.to_string())),
                Flag::Off => Ok(texts),
            }
        }
        Format::Ndjson => read::ndjson(BufReader::new(file), rows, limits, stop).map_err(failed),
        Format::Json => read::json(BufReader::new(file), rows, limits, stop).map_err(failed),
    }
}
