//! The encoding of a dataset: an Arrow IPC stream with LZ4, followed by the SHA-256 of the stream.
//!
//! An Arrow reader stops before the digest. Decoding checks the digest first, because the Arrow
//! reader trusts the lengths in the stream, and a damaged length could exhaust the memory.
//! `storage` stores the bytes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, NullArray, RecordBatch, RecordBatchOptions};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use sha2::{Digest, Sha256};

use super::Dataset;
use super::column::{Cells, Column, Gap};
use super::concat::concat_arrays;
use crate::error::{Error, Result};

/// The rows of a batch. The number is small, so that encoding needs little memory in addition to
/// the dataset.
const BATCH_ROWS: usize = 65_536;
const DIGEST_BYTES: usize = 32;

/// The keys and values in the metadata of a field.
const GAP: &str = "floret.gap";
const GAP_MISSING: &str = "missing";
const FORM: &str = "floret.form";
const FORM_JSON: &str = "json";

pub(super) fn encode(dataset: &Dataset) -> Result<Vec<u8>> {
    let mut bytes = write(dataset)
        .map_err(|error| Error::internal("a dataset cannot be encoded").with_source(error))?;
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    Ok(bytes)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Dataset> {
    let (stream, digest) = bytes
        .split_last_chunk::<DIGEST_BYTES>()
        .ok_or_else(|| damaged("it is too short"))?;
    if Sha256::digest(stream).as_slice() != digest {
        return Err(damaged("its digest differs"));
    }
    read(stream).map_err(|error| damaged("it is not a dataset").with_source(error))
}

fn damaged(why: &str) -> Error {
    Error::internal(format!("a stored dataset is damaged: {why}"))
}

fn write(dataset: &Dataset) -> Result<Vec<u8>, ArrowError> {
    let options =
        IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
    let schema = Arc::new(Schema::new(
        dataset.table().iter().map(to_field).collect::<Vec<_>>(),
    ));
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options)?;
    for from in (0..dataset.len()).step_by(BATCH_ROWS) {
        let count = BATCH_ROWS.min(dataset.len() - from);
        writer.write(&to_batch(dataset, &schema, from, count)?)?;
    }
    writer.into_inner()
}

fn to_field(column: &Column) -> Field {
    let form = column.cells.is_json().then_some(FORM_JSON);
    let gap = match column.gap {
        Gap::Null => None,
        Gap::Missing => Some(GAP_MISSING),
    };
    let metadata: HashMap<_, _> = [(FORM, form), (GAP, gap)]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
        .collect();
    Field::new(&*column.name, column.cells.data_type(), true).with_metadata(metadata)
}

fn to_batch(
    dataset: &Dataset,
    schema: &SchemaRef,
    from: usize,
    count: usize,
) -> Result<RecordBatch, ArrowError> {
    let arrays = dataset.table().iter().map(|column| {
        column.cells.array().map_or_else(
            || Arc::new(NullArray::new(count)) as ArrayRef,
            |array| array.slice(from, count),
        )
    });
    RecordBatch::try_new_with_options(
        Arc::clone(schema),
        arrays.collect(),
        &RecordBatchOptions::new().with_row_count(Some(count)),
    )
}

fn read(stream: &[u8]) -> Result<Dataset, ArrowError> {
    let reader = StreamReader::try_new(stream, None)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut names = HashSet::new();
    let columns = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(column_index, field)| {
            if !names.insert(field.name()) {
                return Err(invalid_schema("a column is given twice"));
            }
            let parts: Vec<&dyn Array> = batches
                .iter()
                .map(|batch| &**batch.column(column_index))
                .collect();
            to_column(field, &parts, rows)
        });
    Ok(Dataset::from_parts(
        columns.collect::<Result<_, _>>()?,
        rows,
    ))
}

fn to_column(field: &Field, parts: &[&dyn Array], rows: usize) -> Result<Column, ArrowError> {
    let is_json = field
        .metadata()
        .get(FORM)
        .is_some_and(|form| form == FORM_JSON);
    let is_missing = field
        .metadata()
        .get(GAP)
        .is_some_and(|gap| gap == GAP_MISSING);
    let cells = match field.data_type() {
        DataType::Null => Some(Cells::Gaps(rows)),
        kind => Cells::from_array(&*concat_arrays(parts, kind)?, is_json),
    };
    Ok(Column {
        name: Arc::from(field.name().as_str()),
        cells: cells.ok_or_else(|| invalid_schema("a column has an unsupported type"))?,
        gap: if is_missing { Gap::Missing } else { Gap::Null },
    })
}

fn invalid_schema(why: &str) -> ArrowError {
    ArrowError::SchemaError(why.to_owned())
}
