//! Converts columns to the types that a pipeline asks for. Whatever does not fit is refused.
//!
//! `parse` reads one text. `infer` decides the types of the other columns.

mod parse;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::Dataset;
use super::build::{ColumnBuilder, Room, RowError};
use super::column::{Cell, Column};
use super::infer::infer;
use super::json::write_cell;
use crate::error::quote;
use crate::limits::DatasetLimits;
pub(crate) use parse::ColumnType;

/// What happens to the columns whose type is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherColumns {
    Infer,
    Keep,
}

/// Why a column cannot have the type that the pipeline asks for.
#[derive(Debug)]
pub(crate) enum Misfit {
    /// The index of the row of a value that does not fit, and what is wrong.
    Value(usize, String),
    Dataset(RowError),
}

impl From<RowError> for Misfit {
    fn from(error: RowError) -> Self {
        Self::Dataset(error)
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_, reason) => f.write_str(reason),
            Self::Dataset(error) => error.fmt(f),
        }
    }
}

impl Dataset {
    /// Returns the same rows, with the columns in `types` converted.
    pub(crate) fn with_types(
        &self,
        types: &[(&str, ColumnType)],
        others: OtherColumns,
        limits: DatasetLimits,
    ) -> Result<Self, Misfit> {
        let columns = self.table().iter().map(|column| {
            let given = types.iter().find(|(name, _)| *name == &*column.name);
            match (given, others) {
                (Some((_, kind)), _) => convert(column, self.len(), *kind, limits),
                (None, OtherColumns::Infer) => {
                    Ok(infer(column, self.len(), limits)?.unwrap_or_else(|| column.clone()))
                }
                (None, OtherColumns::Keep) => Ok(column.clone()),
            }
        });
        Ok(Self::from_parts(
            columns.collect::<Result<_, Misfit>>()?,
            self.len(),
        ))
    }
}

fn convert(
    column: &Column,
    rows: usize,
    kind: ColumnType,
    limits: DatasetLimits,
) -> Result<Column, Misfit> {
    let mut room = Room::new(limits);
    let mut builder = ColumnBuilder::new(Arc::clone(&column.name));
    let mut scratch = String::new();
    for row in 0..rows {
        let given = column.cell(row);
        if matches!(given, Cell::Missing | Cell::Null) {
            builder.push(row, given, &mut room)?;
            continue;
        }
        let Some(text) = text_of(given) else {
            return Err(misfit(row, column, "a nested value", kind));
        };
        match kind.cell(&text, &mut scratch) {
            Some(cell) => builder.push(row, cell, &mut room)?,
            None => return Err(misfit(row, column, &quote(&text), kind)),
        }
    }
    Ok(builder.finish(rows, &mut room)?)
}

fn misfit(row: usize, column: &Column, found: &str, kind: ColumnType) -> Misfit {
    let name = quote(&column.name);
    let mut reason = format!("the column {name} has {found}, which is not of the type {kind}");
    if found == "\"\"" {
        reason.push_str(" (an empty text is null if nulls has \"\")");
    }
    Misfit::Value(row, reason)
}

/// Returns the text of a value that is not nested.
fn text_of(cell: Cell<'_>) -> Option<Cow<'_, str>> {
    match cell {
        Cell::Text(text) => Some(Cow::Borrowed(text)),
        Cell::Json(text) if text.starts_with(['[', '{']) => None,
        Cell::Json(text) if text.starts_with('"') => {
            serde_json::from_str(text).ok().map(Cow::Owned)
        }
        Cell::Json(text) => Some(Cow::Borrowed(text)),
        Cell::Int(_)
        | Cell::UInt(_)
        | Cell::Float(_)
        | Cell::Bool(_)
        | Cell::Missing
        | Cell::Null => {
            let mut text = Vec::new();
            write_cell(&mut text, cell).ok()?;
            String::from_utf8(text).ok().map(Cow::Owned)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Returns the JSON texts of a column of these values with this type.
    fn converted(values: &Value, kind: &str) -> Result<Vec<String>, String> {
        let rows = values.as_array().unwrap().iter();
        let rows = rows.map(|value| json!({"a": value}).as_object().unwrap().clone());
        let dataset = Dataset::from_rows(rows.collect()).unwrap();
        let kind = ColumnType::parse(kind).unwrap();
        let typed = dataset
            .with_types(
                &[("a", kind)],
                OtherColumns::Infer,
                DatasetLimits::default(),
            )
            .map_err(|misfit| misfit.to_string())?;
        Ok((0..typed.len())
            .map(|row| {
                let mut text = Vec::new();
                write_cell(&mut text, typed.table()[0].cell(row)).unwrap();
                String::from_utf8(text).unwrap()
            })
            .collect())
    }

    #[test]
    fn values_of_any_kind_are_converted_and_nulls_stay() {
        assert_eq!(
            converted(&json!(["19.9", null, 7, 2.5]), "decimal(12,2)").unwrap(),
            ["19.90", "null", "7.00", "2.50"]
        );
        assert_eq!(
            converted(&json!([1, "x", true, [1], null]), "text").unwrap_err(),
            "the column \"a\" has a nested value, which is not of the type text"
        );
        assert_eq!(
            converted(&json!([1.5, "x", true]), "text").unwrap(),
            ["\"1.5\"", "\"x\"", "\"true\""]
        );
    }

    #[test]
    fn a_value_that_does_not_fit_is_named() {
        assert_eq!(
            converted(&json!(["1", "abc"]), "integer").unwrap_err(),
            "the column \"a\" has \"abc\", which is not of the type integer"
        );
        assert_eq!(
            converted(&json!([""]), "decimal(5,2)").unwrap_err(),
            "the column \"a\" has \"\", which is not of the type decimal(5,2) \
             (an empty text is null if nulls has \"\")"
        );
    }
}
