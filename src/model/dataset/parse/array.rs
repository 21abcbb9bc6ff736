//! Reads rows from an array of JSON objects without holding the whole text in memory.
//!
//! The caller decides when to stop.

use std::fmt;
use std::io;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::RowSeed;
use crate::model::dataset::build::{DatasetBuilder, RowError};

impl DatasetBuilder {
    /// Adds rows from an array of JSON objects while `wants_more` returns true. `wants_more`
    /// receives the number of rows so far.
    pub(crate) fn push_json_rows(
        &mut self,
        file: impl io::Read,
        mut wants_more: impl FnMut(usize) -> bool,
    ) -> Result<(), RowError> {
        let mut reader = serde_json::Deserializer::from_reader(file);
        let mut has_enough = false;
        let rows = RowsSeed(self, |rows| {
            has_enough = !wants_more(rows);
            !has_enough
        });
        let read = rows.deserialize(&mut reader).and_then(|()| reader.end());
        match read {
            Err(error) if !has_enough => Err(RowError::new(error.to_string())),
            // The rest of the text is unread, which serde reports as an error.
            Ok(()) | Err(_) => Ok(()),
        }
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
