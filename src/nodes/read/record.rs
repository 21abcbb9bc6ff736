//! The fields of one record of a CSV text, with and without their escape characters.
//!
//! `records` fills it.

use super::error::{Place, ReadError};

/// The fields of one record.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The texts of the fields.
    bytes: Vec<u8>,
    /// The texts with their escape characters. Empty if the dialect has none.
    raw: Vec<u8>,
    fields: Vec<Field>,
    pub(super) line: u64,
}

#[derive(Debug)]
struct Field {
    end: usize,
    raw_end: usize,
    is_quoted: bool,
    place: Place,
}

impl Record {
    /// Returns how many fields it has.
    pub(super) const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns how many bytes the texts have.
    pub(super) const fn text_len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether the field was in quotes.
    pub(super) fn is_quoted(&self, index: usize) -> bool {
        self.fields.get(index).is_some_and(|field| field.is_quoted)
    }

    /// Returns the texts of the fields.
    pub(super) fn texts(&self) -> impl Iterator<Item = Result<&str, ReadError>> {
        let starts = std::iter::once(0).chain(self.fields.iter().map(|field| field.end));
        starts.zip(&self.fields).map(|(start, field)| {
            let bytes = self.bytes.get(start..field.end).unwrap_or_default();
            std::str::from_utf8(bytes).map_err(|_| {
                ReadError::At(
                    field.place,
                    "the field is not UTF-8: set encoding, for example to \"windows-1252\""
                        .to_owned(),
                )
            })
        })
    }

    /// Returns the text of the field with its escape characters.
    pub(super) fn raw(&self, index: usize) -> &[u8] {
        let (bytes, end): (_, fn(&Field) -> usize) = if self.raw.is_empty() {
            (&self.bytes, |field| field.end)
        } else {
            (&self.raw, |field| field.raw_end)
        };
        let before = index
            .checked_sub(1)
            .and_then(|index| self.fields.get(index));
        let start = before.map_or(0, end);
        let end = self.fields.get(index).map_or(start, end);
        bytes.get(start..end).unwrap_or_default()
    }

    /// Returns the bytes of the texts from this one on.
    pub(super) fn text_from(&self, first: usize) -> &[u8] {
        self.bytes.get(first..).unwrap_or_default()
    }

    /// Begins a record.
    pub(super) fn clear(&mut self, line: u64) {
        self.bytes.clear();
        self.raw.clear();
        self.fields.clear();
        self.line = line;
    }

    /// Adds a byte to the text of the field.
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Adds a byte to the text of the field with its escape characters.
    pub(super) fn push_raw(&mut self, byte: u8) {
        self.raw.push(byte);
    }

    pub(super) fn end_field(&mut self, is_quoted: bool, place: Place) {
        self.fields.push(Field {
            end: self.bytes.len(),
            raw_end: self.raw.len(),
            is_quoted,
            place,
        });
    }
}
