//! Writes rows as CSV, so that a source reads the same texts and nulls back.
//!
//! A null is an empty field and an empty text a quoted one. Other values are verbatim; a nested
//! value is its JSON text.

use std::io::{self, Write};

use super::options::CsvLayout;
use super::output::{Text, WriteError};
use crate::model::{Cell, Dataset, is_number_text, write_cell};
use crate::nodes::config::Flag;
use crate::spreadsheet::{GUARD, may_be_formula};

/// Writes a header and one record per row.
pub(super) fn write<W: Write>(
    dataset: &Dataset,
    layout: &CsvLayout<'_>,
    text: &mut Text<'_, W>,
) -> Result<(), WriteError> {
    let columns = dataset.columns();
    if columns.is_empty() {
        return Ok(());
    }
    let mut record = Record::new(layout, columns.len() == 1);
    if layout.header == Flag::On {
        for name in &columns {
            record.push(Cell::Text(name))?;
        }
        text.write(0, record.finish())?;
    }
    for row in 0..dataset.len() {
        let number = row.saturating_add(1);
        record.start(number);
        for cell in dataset.cells(row) {
            record.push(cell)?;
        }
        text.write(number, record.finish())?;
    }
    Ok(())
}

/// A record that is being written.
struct Record<'a> {
    layout: &'a CsvLayout<'a>,
    is_only_column: bool,
    number: usize,
    text: String,
    is_first: bool,
    field: Vec<u8>,
}

impl<'a> Record<'a> {
    const fn new(layout: &'a CsvLayout<'a>, is_only_column: bool) -> Self {
        Self {
            layout,
            is_only_column,
            number: 0,
            text: String::new(),
            is_first: true,
            field: Vec::new(),
        }
    }

    fn start(&mut self, number: usize) {
        self.number = number;
        self.text.clear();
        self.is_first = true;
    }

    fn push(&mut self, cell: Cell<'_>) -> Result<(), WriteError> {
        if !std::mem::replace(&mut self.is_first, false) {
            self.text.push(char::from(self.layout.dialect.delimiter));
        }
        if matches!(cell, Cell::Missing | Cell::Null) {
            return self.push_null();
        }
        let mut field = std::mem::take(&mut self.field);
        field.clear();
        write_field(&mut field, cell)?;
        let pushed = match std::str::from_utf8(&field) {
            Ok(text) => {
                let is_guarded = self.layout.guard_formulas == Flag::On
                    && may_be_formula(text)
                    && !is_number_text(text);
                self.push_text(text, is_guarded)
            }
            Err(_) => Err(self.refused("it is not UTF-8")),
        };
        self.field = field;
        pushed
    }

    fn push_null(&mut self) -> Result<(), WriteError> {
        if !self.is_only_column || !self.layout.null.is_empty() {
            self.text.push_str(self.layout.null);
            return Ok(());
        }
        // A blank line is no record.
        let Some(quote) = self.layout.dialect.quote else {
            return Err(self.refused("a null of the only column would be a blank line: set null"));
        };
        self.text.extend([char::from(quote), char::from(quote)]);
        Ok(())
    }

    fn push_text(&mut self, text: &str, is_guarded: bool) -> Result<(), WriteError> {
        let dialect = &self.layout.dialect;
        let (quote, escape) = (dialect.quote, dialect.escape);
        let is_special = |byte: u8| {
            matches!(byte, b'\r' | b'\n')
                || byte == dialect.delimiter
                || Some(byte) == quote
                || Some(byte) == escape
        };
        let has_special = text.bytes().any(is_special);
        let needs_quotes = text.is_empty() || text == self.layout.null || has_special;
        let mark = if needs_quotes { quote } else { None };
        if quote.is_none() {
            self.check_unquoted(text, has_special)?;
        }
        self.text.extend(mark.map(char::from));
        if is_guarded {
            self.text.push(GUARD);
        }
        for character in text.chars() {
            let byte = u8::try_from(character).ok().filter(u8::is_ascii);
            match byte {
                Some(byte) if mark.is_some() && Some(byte) == quote => {
                    self.text.push(character);
                }
                Some(byte) if Some(byte) == escape => self.text.push(character),
                Some(byte) if mark.is_none() && is_special(byte) => {
                    self.text.extend(escape.map(char::from));
                }
                Some(_) | None => {}
            }
            self.text.push(character);
        }
        self.text.extend(mark.map(char::from));
        Ok(())
    }

    /// Refuses a text that a source would not read back if it has no quotes.
    fn check_unquoted(&self, text: &str, has_special: bool) -> Result<(), WriteError> {
        let is_escaped = has_special && self.layout.dialect.escape.is_some();
        if has_special && !is_escaped {
            return Err(self.refused("a text needs quotes, and quote is false"));
        }
        if text.is_empty() && self.is_only_column {
            return Err(self.refused(
                "an empty text of the only column would be a blank line, and quote is false",
            ));
        }
        // The name of a column is never null.
        if self.number > 0 && text == self.layout.null && !is_escaped {
            return Err(self.refused(
                "a text that is equal to null needs quotes, and quote is false: set null to \
                 another text",
            ));
        }
        Ok(())
    }

    fn refused(&self, reason: &str) -> WriteError {
        WriteError::Row(self.number, reason.to_owned())
    }

    /// Ends the record and returns its text.
    fn finish(&mut self) -> &str {
        self.text.push('\n');
        &self.text
    }
}

fn write_field(field: &mut Vec<u8>, cell: Cell<'_>) -> io::Result<()> {
    match cell {
        Cell::Missing | Cell::Null => Ok(()),
        Cell::Text(text) => field.write_all(text.as_bytes()),
        // A text in a column of mixed kinds is stored as JSON, but written as text.
        Cell::Json(text) if text.starts_with('"') => {
            let text: String = serde_json::from_str(text)?;
            field.write_all(text.as_bytes())
        }
        Cell::Int(_) | Cell::UInt(_) | Cell::Float(_) | Cell::Bool(_) | Cell::Json(_) => {
            write_cell(field, cell)
        }
    }
}
