//! A sink that atomically writes one file in the data directory.
//!
//! `write` encodes the rows, and `replacement` replaces the file.

use std::io::BufWriter;

use async_trait::async_trait;
use encoding_rs::Encoding;
use serde_json::{Map, Value};

use super::blocking::{StopCheck, blocking};
use super::compression::{Compression, Compressor};
use super::config::{ConfigFields, Flag, config_error, without_template_issues};
use super::data_dir::{DataDir, asset_name, file_error, read_path};
use super::encoding::read_output_encoding;
use super::format::Format;
use super::read::{self, Bounds, CsvOptions, ReadError};
use super::schemas;
use super::write::{self, CsvLayout, Text, WriteError};
use crate::error::Issue;
use crate::executor::{Asset, Effect, Executor, ExecutorError, Input, NodeCall, Output};
use crate::limits::DatasetLimits;
use crate::model::{Dataset, Node};

/// The keys of a config. The first ones are those that only a CSV file has.
const KEYS: [&str; 11] = [
    "delimiter",
    "quote",
    "escape",
    "header",
    "null",
    "guard_formulas",
    "path",
    "format",
    "encoding",
    "allow_empty",
    "min_rows",
];
const CSV_KEYS_COUNT: usize = 6;

/// Writes the rows of all upstreams, in the order of its inputs, to a file in a [`DataDir`].
///
/// Writing never changes the text of a value. The [guide](crate::guide::files) lists the keys of
/// the config and what they do.
///
/// The sink writes the file under a temporary name in the same folder, syncs it to disk and then
/// renames it. A reader sees either the old file or the complete new one. The sink creates missing
/// folders. It does not replace a file that has rows by one without rows, unless `allow_empty` is
/// `true`.
#[derive(Debug, Clone)]
pub struct SinkFile {
    dir: DataDir,
}

struct Config<'a> {
    path: &'a str,
    format: Format,
    layout: CsvLayout<'a>,
    encoding: Option<&'static Encoding>,
    allow_empty: Flag,
    min_rows: u64,
}

impl<'a> Config<'a> {
    fn read(config: &'a Map<String, Value>) -> Result<Self, Vec<Issue>> {
        let mut fields = ConfigFields::new(config);
        let path = read_path(&mut fields);
        let format = Format::read(&mut fields, path);
        let layout = CsvLayout::read(&mut fields, format.unwrap_or(Format::Csv));
        if format.is_some_and(|format| !format.is_csv()) {
            fields.refuse_keys(&KEYS[..CSV_KEYS_COUNT], "applies to CSV files only");
        }
        let encoding = read_output_encoding(&mut fields);
        let allow_empty = fields.flag("allow_empty", Flag::Off);
        let min_rows = fields.count("min_rows");
        let config = path.zip(format).map(|(path, format)| Self {
            path,
            format,
            layout,
            encoding,
            allow_empty,
            min_rows,
        });
        fields.finish(config)
    }

    /// Returns whether the file of this dataset has no rows. In CSV, rows without columns are no
    /// records.
    fn leaves_no_rows(&self, dataset: &Dataset) -> bool {
        dataset.len() == 0 || (self.format.is_csv() && dataset.columns().is_empty())
    }

    fn refused(&self, reason: &str) -> ExecutorError {
        ExecutorError::permanent(format!("{} is not written: {reason}", self.path))
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
            refuse_loss(&config, &dir, &dataset, limits, stop)?;
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
        Some(&KEYS)
    }

    fn config_schema(&self) -> Option<Value> {
        Some(schemas::sink_file())
    }

    fn assets(&self, node: &Node) -> Vec<Asset> {
        let path = node.config.get("path").and_then(Value::as_str);
        path.map(|path| Asset::new("file", asset_name(path), true).replaced())
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

/// Refuses rows that would replace a good file by one that lacks them.
fn refuse_loss(
    config: &Config<'_>,
    dir: &DataDir,
    dataset: &Dataset,
    limits: DatasetLimits,
    stop: &StopCheck,
) -> Result<(), ExecutorError> {
    let (found, wanted) = (dataset.row_count(), config.min_rows);
    if found < wanted {
        let reason = format!("its input has {found} rows, and min_rows is {wanted}");
        return Err(config.refused(&reason));
    }
    if config.allow_empty == Flag::Off
        && config.leaves_no_rows(dataset)
        && has_rows(config, dir, limits, stop)?
    {
        return Err(config.refused(
            "a file that has rows is not replaced by one without rows, unless allow_empty is true",
        ));
    }
    Ok(())
}

/// Returns whether the file at the path has rows. A file that cannot be read counts as one.
fn has_rows(
    config: &Config<'_>,
    dir: &DataDir,
    limits: DatasetLimits,
    stop: &StopCheck,
) -> Result<bool, ExecutorError> {
    let file = match dir.open_file(config.path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(_) => return Ok(true),
        Ok(file) => file,
    };
    let (compression, _) = Compression::of_path(config.path);
    let options = CsvOptions::of_written(config.layout.dialect, config.layout.header);
    let bounds = Bounds {
        rows_max: 1,
        limits,
    };
    let read = read::open(file, compression, config.encoding, stop)
        .map_err(ReadError::from)
        .and_then(|text| read::rows(text, config.format, &options, bounds));
    match read {
        Ok(table) => Ok(table.builder.row_count() > 0),
        Err(ReadError::Stopped(error)) => Err(error),
        Err(_) => Ok(true),
    }
}

fn write_file(
    config: &Config<'_>,
    dir: &DataDir,
    attempt_key: &str,
    dataset: &Dataset,
    stop: &StopCheck,
) -> Result<(), ExecutorError> {
    let failed = |error: WriteError| match error {
        WriteError::Io(error) => file_error(config.path, "written", &error),
        WriteError::Row(0, reason) => config.refused(&format!("in the header, {reason}")),
        WriteError::Row(number, reason) => config.refused(&format!("in row {number}, {reason}")),
        WriteError::Stopped(error) => error,
    };
    let replacement = dir.replace(config.path, attempt_key)?;
    let (compression, _) = Compression::of_path(config.path);
    let out = BufWriter::new(replacement.file());
    let mut out = Compressor::new(out, compression).map_err(|error| failed(error.into()))?;
    let mut text = Text::new(&mut out, config.encoding, stop);
    write::rows(dataset, config.format, &config.layout, &mut text).map_err(failed)?;
    out.finish().map_err(|error| failed(error.into()))?;
    // An abandoned attempt must not overwrite the file that a later attempt wrote.
    stop.check()?;
    replacement.commit(config.path)
}
