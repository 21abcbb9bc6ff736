//! Reads rows from JSON texts directly into columns. Keys keep the order of the text.
//!
//! `value` chooses the type of a value and `build` that of a column. `nodes` handles lines and
//! files.

mod nested;
mod value;

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::build::{DatasetBuilder, RowError};
use crate::error::{Problem, quote};

/// The mark that some programs write before a text in UTF-8. JSON does not allow it.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl DatasetBuilder {
    /// Adds a row from the text of a JSON object. A byte order mark may precede the first row.
    pub(crate) fn push_json_row(&mut self, text: &[u8]) -> Result<(), RowError> {
        let text = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if self.row_count() == 0 => rest,
            Some(_) | None => text,
        };
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
    let reason = reason(error);
    match error.line() {
        1 => format!("{reason} at column {}", error.column()),
        _ => reason,
    }
}

/// Returns the message of an error without its position, for a part of a row: the reader of the row
/// adds the position in the row.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

/// Returns the error of a number that is beyond every float, and that no reader accepts therefore.
fn number_error(text: &str) -> RowError {
    let shown = quote(text);
    let shown = shown.trim_matches('"');
    RowError::new(format!("the number {shown} is too large"))
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

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        Err(no_object(&value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        Err(no_object(&format!("the number {value}")))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        Err(no_object(&format!("the number {value}")))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        Err(no_object(&format!("the number {value}")))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        Err(no_object(&format!("the text {}", quote(value))))
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Err(no_object("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(no_object("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(column_index) = map.next_key_seed(KeySeed(&mut *self.0))? {
            map.next_value_seed(CellSeed(&mut *self.0, column_index))?;
        }
        self.0.end_row();
        Ok(())
    }
}

/// Returns the error of a row that is another value.
fn no_object<E: de::Error>(found: &str) -> E {
    E::custom(format_args!("{found} is not a JSON object"))
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

/// Reads a value into a column, from its text. A deserializer of numbers would round them.
struct CellSeed<'a>(&'a mut DatasetBuilder, usize);

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let Self(builder, column_index) = self;
        let pushed = builder.push_json_value(column_index, raw.get());
        builder.passed_on(pushed)
    }
}
