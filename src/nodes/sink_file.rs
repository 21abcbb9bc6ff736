//! A sink that atomically writes one file in the data directory.
//!
//! `write` encodes the rows, and `replacement` replaces the file.

use std::io::{BufWriter, Read};

use async_trait::async_trait;
use encoding_rs::Encoding;
use serde_json::{Map, Value};

use super::blocking::{StopCheck, blocking};
use super::compression::{Compression, Compressor};
use super::config::{ConfigFields, Flag, config_error, without_template_issues};
use super::data_dir::{DataDir, asset_name, file_error, read_path};
use super::encoding::read_output_encoding;
use super::format::Format;
use super::read;
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
/// folders. It does not replace a file that has rows by one without rows and columns, unless
/// `allow_empty` is set.
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

    /// Returns whether the file of these rows shows neither a row nor a column.
    fn leaves_nothing(&self, dataset: &Dataset) -> bool {
        let shows_columns =
            self.format.is_csv() && self.layout.header == Flag::On && !dataset.columns().is_empty();
        dataset.len() == 0 && !shows_columns
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
            refuse_loss(&config, &dir, &dataset, stop)?;
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
    stop: &StopCheck,
) -> Result<(), ExecutorError> {
    let (found, wanted) = (dataset.row_count(), config.min_rows);
    if found < wanted {
        let reason = format!("its input has {found} rows, and min_rows is {wanted}");
        return Err(config.refused(&reason));
    }
    if config.allow_empty == Flag::Off
        && config.leaves_nothing(dataset)
        && has_rows(dir, config.path, stop)
    {
        return Err(config.refused(
            "its input has no rows, and the file that it would replace has some: set allow_empty \
             to true if it may be replaced",
        ));
    }
    Ok(())
}

/// Returns whether the file shows rows or columns. A file that cannot be read counts as one.
fn has_rows(dir: &DataDir, path: &str, stop: &StopCheck) -> bool {
    let file = match dir.open_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return false,
        Err(_) => return true,
        Ok(file) => file,
    };
    let (compression, _) = Compression::of_path(path);
    let mut start = Vec::new();
    // Longer than an empty array, whatever blanks it has around it.
    let read = read::open(file, compression, None, stop)
        .and_then(|text| text.take(64).read_to_end(&mut start));
    read.is_err() || !matches!(start.trim_ascii(), b"" | b"[]")
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
