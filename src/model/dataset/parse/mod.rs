//! Reads rows from JSON texts directly into columns. Keys keep the order of the text.
//!
//! `build` chooses the type of a column. `nodes` handles lines and files.

#[cfg(feature = "nodes")]
mod array;

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::build::{DatasetBuilder, RowError};
use super::column::Cell;
use crate::error::Problem;

impl DatasetBuilder {
    /// Adds a row from the text of a JSON object.
    pub(crate) fn push_json_row(&mut self, text: &[u8]) -> Result<(), RowError> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        RowSeed(&mut *self)
            .deserialize(&mut reader)
            .and_then(|()| reader.end())
            .map_err(|error| self.refusal(describe(&error)))
    }

    /// Returns the error of a row that a deserializer gave up.
    fn refusal(&mut self, reason: String) -> RowError {
        let problem = self.refused.take();
        RowError::with_problem(problem.unwrap_or(Problem::InvalidField), reason)
    }

    /// Keeps the problem of a refusal that a deserializer passes on as text.
    fn passed_on<T, E: de::Error>(&mut self, result: Result<T, RowError>) -> Result<T, E> {
        result.map_err(|error| {
            self.refused = Some(error.problem());
            E::custom(error)
        })
    }
}

/// Returns the message of an error, without the line number if the text is one line.
pub(super) fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&position) {
        Some(reason) if error.line() == 1 => format!("{reason} at column {}", error.column()),
        Some(reason) => reason.to_owned(),
        None => text,
    }
}

/// Reads an object into the current row and ends the row.
struct RowSeed<'a>(&'a mut DatasetBuilder);

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(column_index) = map.next_key_seed(KeySeed(&mut *self.0))? {
            map.next_value_seed(CellSeed(&mut *self.0, column_index))?;
        }
        self.0.end_row();
        Ok(())
    }
}

/// Reads a key and returns the index of its column.
struct KeySeed<'a>(&'a mut DatasetBuilder);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<usize, E> {
        let found = self.0.find_or_add_column(key);
        self.0.passed_on(found)
    }
}

/// Reads a value into a column.
struct CellSeed<'a>(&'a mut DatasetBuilder, usize);

impl CellSeed<'_> {
    fn push<E: de::Error>(self, cell: Cell<'_>) -> Result<(), E> {
        let pushed = self.0.push(self.1, cell);
        self.0.passed_on(pushed)
    }

    fn push_value<E: de::Error>(self, value: &Value) -> Result<(), E> {
        let pushed = self.0.push_value(self.1, value);
        self.0.passed_on(pushed)
    }
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.push(Cell::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.push(Cell::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.push(Cell::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.push(i64::try_from(value).map_or(Cell::UInt(value), Cell::Int))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.push(Cell::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.push(Cell::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        let value = Value::deserialize(SeqAccessDeserializer::new(seq))?;
        self.push_value(&value)
    }

    /// Reads an object, or a number if `arbitrary_precision` is enabled. `Value` distinguishes
    /// them.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let value = Value::deserialize(MapAccessDeserializer::new(map))?;
        self.push_value(&value)
    }
}
