//! A source that reads one file in the data directory.
//!
//! `read` decodes each format, and `model::dataset` converts the types.

use std::fs::File;

use async_trait::async_trait;
use encoding_rs::Encoding;
use serde_json::{Map, Value};

use super::blocking::{StopCheck, blocking};
use super::column_types::{check_names, read_types};
use super::compression::Compression;
use super::config::{ConfigFields, Flag, config_error, without_template_issues};
use super::data_dir::{DataDir, asset_name, file_error, read_path};
use super::encoding::read_encoding;
use super::format::Format;
use super::read::{self, Bounds, CsvOptions, ReadError, Table, WholeFile};
use super::schemas;
use crate::error::Issue;
use crate::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use crate::limits::DatasetLimits;
use crate::model::{ColumnType, Dataset, Misfit, Node, OtherColumns};

/// The keys of a config. The first ones are those that only a CSV file has.
const KEYS: [&str; 16] = [
    "delimiter",
    "quote",
    "escape",
    "comment",
    "header",
    "skip_lines",
    "nulls",
    "duplicate_names",
    "ragged",
    "infer",
    "path",
    "format",
    "encoding",
    "types",
    "allow_empty",
    "min_rows",
];
const CSV_KEYS_COUNT: usize = 10;

/// Reads a file in a [`DataDir`].
///
/// Reading never changes the text of a value, unless `types` asks for a type. What a format does
/// not allow is an error that names the line. The [guide](crate::guide::files) lists the keys of
/// the config and what they do.
///
/// In a CSV file the first line names the columns. An empty field is null, and a quoted empty field
/// is an empty text. A column becomes numbers or booleans by itself only if each of them prints its
/// text back exactly, so `007`, `19.90` and `1E5` stay text. An NDJSON file has one JSON object per
/// line; a JSON file is one array of objects.
#[derive(Debug, Clone)]
pub struct SourceFile {
    dir: DataDir,
}

struct Config<'a> {
    path: &'a str,
    format: Format,
    csv: CsvOptions<'a>,
    encoding: Option<&'static Encoding>,
    types: Vec<(&'a str, ColumnType)>,
    others: OtherColumns,
    allow_empty: Flag,
    min_rows: u64,
}

impl<'a> Config<'a> {
    fn read(config: &'a Map<String, Value>) -> Result<Self, Vec<Issue>> {
        let mut fields = ConfigFields::new(config);
        let path = read_path(&mut fields);
        let format = Format::read(&mut fields, path);
        let csv = CsvOptions::read(&mut fields, format.unwrap_or(Format::Csv));
        if format.is_some_and(|format| !format.is_csv()) {
            fields.refuse_keys(&KEYS[..CSV_KEYS_COUNT], "applies to CSV files only");
        }
        let others = match fields.flag("infer", Flag::On) {
            Flag::On if format.is_some_and(Format::is_csv) => OtherColumns::Infer,
            Flag::On | Flag::Off => OtherColumns::Keep,
        };
        let encoding = read_encoding(&mut fields);
        let types = read_types(&mut fields);
        let allow_empty = fields.flag("allow_empty", Flag::Off);
        let min_rows = fields.count("min_rows");
        let config = path.zip(format).map(|(path, format)| Self {
            path,
            format,
            csv,
            encoding,
            types,
            others,
            allow_empty,
            min_rows,
        });
        fields.finish(config)
    }

    /// Returns the error of an attempt whose file has content that is not accepted.
    fn refused(&self, reason: &str) -> ExecutorError {
        ExecutorError::permanent(format!("{}: {reason}", self.path))
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
        let (node, limit, limits) = (ctx.node.clone(), ctx.row_limit, ctx.dataset_limits);
        let loaded = blocking(&ctx, move |stop| {
            let config = Config::read(&node.config).map_err(|issues| config_error(&issues))?;
            let file = dir
                .open_file(config.path)
                .map_err(|error| file_error(config.path, "read", &error))?;
            load(
                &config,
                file,
                Bounds {
                    rows_max: limit.unwrap_or(usize::MAX),
                    limits,
                },
                stop,
            )
        });
        let (dataset, notes) = loaded.await?;
        for note in notes {
            ctx.log.warning(note).await;
        }
        Ok(Output::Dataset(dataset))
    }

    fn effect(&self, _node: &Node) -> Effect {
        Effect::Source
    }

    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue> {
        let issues = Config::read(config).err().unwrap_or_default();
        without_template_issues(config, issues)
    }

    fn config_keys(&self) -> Option<&[&str]> {
        Some(&KEYS)
    }

    fn config_schema(&self) -> Option<Value> {
        Some(schemas::source_file())
    }

    fn assets(&self, node: &Node) -> Vec<Asset> {
        let path = node.config.get("path").and_then(Value::as_str);
        path.map(|path| Asset::new("file", asset_name(path), false))
            .into_iter()
            .collect()
    }
}

/// Reads a file. Returns its rows and what is odd in it.
fn load(
    config: &Config<'_>,
    file: File,
    bounds: Bounds,
    stop: &StopCheck,
) -> Result<(Dataset, Vec<String>), ExecutorError> {
    let failed = |error: ReadError| error.into_executor_error(config.path);
    let (compression, _) = Compression::of_path(config.path);
    let text = WholeFile::new(file)
        .and_then(|file| read::open(file, compression, config.encoding, stop))
        .map_err(|error| failed(error.into()))?;
    let table = read::rows(text, config.format, &config.csv, bounds).map_err(failed)?;
    if !table.has_content && config.allow_empty == Flag::Off {
        return Err(config.refused("it is empty: set allow_empty to true if it may be"));
    }
    let (dataset, mut notes) = convert(config, table, bounds.limits)?;
    let is_cut = dataset.len() >= bounds.rows_max;
    if config.others == OtherColumns::Infer {
        notes.extend(bounds.inference_note(dataset.len()));
    }
    if !is_cut && dataset.row_count() < config.min_rows {
        let (found, wanted) = (dataset.row_count(), config.min_rows);
        return Err(config.refused(&format!("it has {found} rows, and min_rows is {wanted}")));
    }
    Ok((dataset, notes))
}

/// Converts the columns of a file to their types.
fn convert(
    config: &Config<'_>,
    table: Table,
    limits: DatasetLimits,
) -> Result<(Dataset, Vec<String>), ExecutorError> {
    let Table {
        builder,
        lines,
        mut notes,
        has_content,
        ..
    } = table;
    let texts = builder
        .finish()
        .map_err(|error| config.refused(&error.to_string()))?;
    let missing = check_names(&config.types, &texts.columns());
    if config.format.is_csv() && has_content && !missing.is_empty() {
        return Err(config.refused(&missing.join("; ")));
    }
    notes.extend(missing);
    let typed = texts.with_types(&config.types, config.others, limits);
    let dataset = typed.map_err(|misfit| match &misfit {
        Misfit::Value(row, reason) => {
            let place = lines.place(*row);
            ExecutorError::permanent(format!("{place} of {}: {reason}", config.path))
        }
        Misfit::Dataset(_) => config.refused(&misfit.to_string()),
    })?;
    Ok((dataset, notes))
}
