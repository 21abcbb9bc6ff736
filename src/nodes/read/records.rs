//! Splits a CSV text into records, strictly: a quote that is not where RFC 4180 puts it is an error
//! with its place, because a guess would join rows or change texts.
//!
//! `record` holds one record, `csv` interprets it.

use std::io::Read;

use super::error::{Place, ReadError};
use super::record::Record;
use super::scanner::Scanner;
use super::table::Oddity;
use crate::error::{quote, truncate};
use crate::limits::DatasetLimits;
use crate::nodes::dialect::{DELIMITERS, Dialect, shown};

/// The most bytes of a text that an error message shows.
const SHOWN_BYTES: usize = 40;

/// What follows a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldEnd {
    Delimiter,
    Record,
}

/// Reads the records of a text.
pub(super) struct Records<R> {
    text: Scanner<R>,
    dialect: Dialect,
    comment: Option<u8>,
    limits: DatasetLimits,
    /// The blank lines between records.
    pub(super) blank_lines: Oddity,
    /// Blank lines that are skipped if a record follows.
    pending_blanks: Oddity,
}

impl<R: Read> Records<R> {
    pub(super) fn new(
        text: R,
        dialect: Dialect,
        comment: Option<u8>,
        limits: DatasetLimits,
    ) -> Self {
        Self {
            text: Scanner::new(text),
            dialect,
            comment,
            limits,
            blank_lines: Oddity::default(),
            pending_blanks: Oddity::default(),
        }
    }

    /// Skips lines, whatever they contain.
    pub(super) fn skip_lines(&mut self, count: u64) -> Result<(), ReadError> {
        for _ in 0..count {
            self.text.skip_line()?;
        }
        Ok(())
    }

    /// Reads the next record. Returns `false` at the end.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        if !self.find_record()? {
            return Ok(false);
        }
        record.clear(self.text.line());
        while self.read_field(record)? == FieldEnd::Delimiter {}
        Ok(true)
    }

    /// Skips blank lines and comments. Returns `false` at the end.
    fn find_record(&mut self) -> Result<bool, ReadError> {
        loop {
            let line = self.text.line();
            if self.text.line_break()? {
                self.pending_blanks.add(line);
                continue;
            }
            match self.text.peek()? {
                None => return Ok(false),
                Some(byte) if Some(byte) == self.comment => self.text.skip_line()?,
                Some(_) => break,
            }
        }
        self.blank_lines
            .append(std::mem::take(&mut self.pending_blanks));
        Ok(true)
    }

    fn read_field(&mut self, record: &mut Record) -> Result<FieldEnd, ReadError> {
        let place = self.text.place();
        // Empty fields have no bytes, so the length of the record does not bound their number.
        if record.len() >= self.limits.columns_max {
            let max = self.limits.columns_max;
            return Err(ReadError::At(
                Place::line(record.line),
                format!("it has more than {max} fields, and a dataset has at most {max} columns"),
            ));
        }
        let is_quoted = match (self.text.peek()?, self.dialect.quote) {
            (Some(byte), Some(quote)) if byte == quote => {
                self.text.consume(quote);
                self.read_quoted(record, place, quote)?;
                true
            }
            _ => {
                self.read_plain(record, place)?;
                false
            }
        };
        record.end_field(is_quoted, place);
        match self.text.peek()? {
            Some(byte) if byte == self.dialect.delimiter => {
                self.text.consume(byte);
                Ok(FieldEnd::Delimiter)
            }
            Some(byte) if !matches!(byte, b'\r' | b'\n') => Err(self.after_quote(place, byte)),
            Some(_) | None => {
                self.text.line_break()?;
                Ok(FieldEnd::Record)
            }
        }
    }

    fn read_plain(&mut self, record: &mut Record, start: Place) -> Result<(), ReadError> {
        while let Some(byte) = self.text.peek()? {
            match byte {
                b'\r' | b'\n' => break,
                _ if byte == self.dialect.delimiter => break,
                _ if Some(byte) == self.dialect.quote => {
                    let shown = shown(byte);
                    return Err(ReadError::At(
                        self.text.place(),
                        format!(
                            "a quote {shown} inside a field that does not begin with one: \
                             quote the field and double its quotes, or set quote to false"
                        ),
                    ));
                }
                _ if Some(byte) == self.dialect.escape => self.read_escaped(record)?,
                _ => self.push(record, byte, start)?,
            }
        }
        Ok(())
    }

    /// Reads a field until its closing quote.
    fn read_quoted(
        &mut self,
        record: &mut Record,
        start: Place,
        quote: u8,
    ) -> Result<(), ReadError> {
        let first = record.text_len();
        while let Some(byte) = self.text.peek()? {
            if byte == quote {
                self.text.consume(quote);
                if self.text.peek()? != Some(quote) {
                    return Ok(());
                }
                self.push(record, quote, start)?;
            } else if Some(byte) == self.dialect.escape {
                self.read_escaped(record)?;
            } else {
                self.push(record, byte, start)?;
            }
        }
        let found = beginning(record.text_from(first));
        Err(ReadError::At(
            start,
            format!("the quote before {found} is never closed"),
        ))
    }

    /// Reads the character after an escape.
    fn read_escaped(&mut self, record: &mut Record) -> Result<(), ReadError> {
        let place = self.text.place();
        if let Some(escape) = self.text.peek()? {
            record.push_raw(escape);
            self.text.consume(escape);
        }
        match self.text.peek()? {
            Some(byte) => self.push(record, byte, place),
            None => Err(ReadError::At(
                place,
                "nothing follows the escape character".to_owned(),
            )),
        }
    }

    /// Adds the next byte of the text to the field.
    fn push(&mut self, record: &mut Record, byte: u8, start: Place) -> Result<(), ReadError> {
        if record.text_len() >= self.limits.row_bytes_max {
            let max = self.limits.row_bytes_max;
            return Err(ReadError::At(
                start,
                format!("the record with this field is longer than {max} bytes"),
            ));
        }
        record.push(byte);
        if self.dialect.escape.is_some() {
            record.push_raw(byte);
        }
        self.text.consume(byte);
        Ok(())
    }

    /// Returns the error of a byte that follows a closing quote.
    fn after_quote(&self, start: Place, byte: u8) -> ReadError {
        let Place { line, column } = self.text.place();
        let column = column.unwrap_or(0);
        let found = if byte.is_ascii() {
            shown(byte)
        } else {
            "another character".to_owned()
        };
        let advice = if DELIMITERS.contains(&byte) && !self.dialect.is_delimiter_given {
            format!("set delimiter to {found}")
        } else {
            "double a quote inside a quoted field, or set escape".to_owned()
        };
        ReadError::At(
            start,
            format!(
                "the quoted field that begins here is closed before line {line}, column {column}, \
                 where {found} follows instead of a delimiter: {advice}"
            ),
        )
    }
}

/// Returns the beginning of a text, up to the end of its line.
fn beginning(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let line = line.unwrap_or_default();
    // Longer than what is shown, so that the mark of the cut is there: by it the mask knows that
    // the text before it may be the start of a secret.
    let longer = line.get(..SHOWN_BYTES * 2).unwrap_or(line);
    quote(&truncate(
        String::from_utf8_lossy(longer).into_owned(),
        SHOWN_BYTES,
    ))
}
