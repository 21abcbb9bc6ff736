//! Adds values of JSON texts to columns. No digit is lost: a number that 64 bits do not print back
//! exactly stays text.
//!
//! `nested` reads arrays and objects.

use super::nested::compact;
use super::{number_error, reason};
use crate::model::dataset::build::{DatasetBuilder, RowError};
use crate::model::dataset::column::Cell;
use crate::model::dataset::number;

impl DatasetBuilder {
    /// Adds a value to the current row, from its JSON text without surrounding white space. The
    /// text MUST be valid JSON, except that strings may have invalid surrogates.
    pub(super) fn push_json_value(
        &mut self,
        column_index: usize,
        text: &str,
    ) -> Result<(), RowError> {
        match text.as_bytes() {
            [b'"', ..] => self.push_string(column_index, text),
            [b'n', ..] => self.push(column_index, Cell::Null),
            [b't', ..] => self.push(column_index, Cell::Bool(true)),
            [b'f', ..] => self.push(column_index, Cell::Bool(false)),
            [b'[' | b'{', ..] => {
                let compacted = compact(text)?;
                self.push(column_index, Cell::Json(&compacted))
            }
            _ => self.push_number(column_index, text),
        }
    }

    fn push_string(&mut self, column_index: usize, text: &str) -> Result<(), RowError> {
        match text.get(1..text.len().saturating_sub(1)) {
            Some(plain) if !plain.contains('\\') => self.push(column_index, Cell::Text(plain)),
            Some(_) | None => {
                let text: String =
                    serde_json::from_str(text).map_err(|error| RowError::new(reason(&error)))?;
                self.push(column_index, Cell::Text(&text))
            }
        }
    }

    fn push_number(&mut self, column_index: usize, text: &str) -> Result<(), RowError> {
        match number::exact_cell(text) {
            Some(cell) => self.push(column_index, cell),
            None if number::finite(text).is_some() => self.push(column_index, Cell::Json(text)),
            None => Err(number_error(text)),
        }
    }
}
