//! Reads rows from an array of JSON objects without holding the whole text in memory.
//!
//! The caller decides when to stop.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::RowSeed;
use crate::error::Problem;
use crate::model::dataset::build::{DatasetBuilder, RowError};

impl DatasetBuilder {
    /// Adds rows from an array of JSON objects while `wants_more` returns true. `wants_more`
    /// receives the number of rows so far.
    pub(crate) fn push_json_rows(
        &mut self,
        file: impl io::Read,
        mut wants_more: impl FnMut(usize) -> bool,
    ) -> Result<(), RowError> {
        let row_bytes = RowBytes {
            max: self.limits().row_bytes_max as u64,
            read: Cell::new(0),
            is_exceeded: Cell::new(false),
        };
        let mut reader = serde_json::Deserializer::from_reader(BoundedRows {
            file,
            row_bytes: &row_bytes,
        });
        let mut has_enough = false;
        let rows = RowsSeed(self, |rows| {
            row_bytes.read.set(0);
            has_enough = !wants_more(rows);
            !has_enough
        });
        let read = rows.deserialize(&mut reader).and_then(|()| reader.end());
        match read {
            Err(error) if !has_enough => {
                if row_bytes.is_exceeded.get() {
                    self.refused = Some(Problem::DatasetTooLarge);
                }
                Err(self.refusal(error.to_string()))
            }
            // The rest of the text is unread, which serde reports as an error.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The bytes of the row that is being read.
struct RowBytes {
    max: u64,
    read: Cell<u64>,
    is_exceeded: Cell<bool>,
}

/// A reader that fails inside a row that is too long, since the deserializer holds a whole value.
struct BoundedRows<'a, R> {
    file: R,
    row_bytes: &'a RowBytes,
}

impl<R: Read> Read for BoundedRows<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let RowBytes {
            max,
            read,
            is_exceeded,
        } = self.row_bytes;
        if read.get() > *max {
            is_exceeded.set(true);
            return Err(io::Error::other(format!(
                "a row is longer than {max} bytes"
            )));
        }
        let count = self.file.read(buffer)?;
        read.set(read.get().saturating_add(count as u64));
        Ok(count)
    }
}

/// Reads an array of rows.
struct RowsSeed<'a, F>(&'a mut DatasetBuilder, F);

impl<'de, F: FnMut(usize) -> bool> DeserializeSeed<'de> for RowsSeed<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(usize) -> bool> Visitor<'de> for RowsSeed<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of JSON objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while (self.1)(self.0.row_count()) && seq.next_element_seed(RowSeed(self.0))?.is_some() {}
        Ok(())
    }
}
