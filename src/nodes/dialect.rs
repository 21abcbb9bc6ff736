//! The dialect of a CSV file: its delimiter, its quotes and its header.
//!
//! `read` and `write` apply it.

use serde_json::Value;

use super::config::{ConfigFields, kind};
use super::format::Format;

/// The characters that separate the fields of most files.
pub(super) const DELIMITERS: [u8; 4] = *b",;\t|";

/// How the records of a CSV file are written. Every special character is one byte of ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// Whether the config names the delimiter. Otherwise a file may show that it has another one.
    pub(super) is_delimiter_given: bool,
    /// `None` if quotes have no meaning.
    pub(super) quote: Option<u8>,
    /// The character that makes the next one literal.
    pub(super) escape: Option<u8>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            delimiter: b',',
            is_delimiter_given: false,
            quote: Some(b'"'),
            escape: None,
        }
    }
}

impl Dialect {
    pub(super) fn read(fields: &mut ConfigFields<'_>, format: Format) -> Self {
        let delimiter = character(fields, "delimiter", r#"";" or "\t""#);
        let default = match format {
            Format::Tsv => b'\t',
            Format::Csv | Format::Ndjson | Format::Json => b',',
        };
        let quote = match fields.value("quote") {
            Some(Value::Bool(false)) => None,
            Some(_) => character(fields, "quote", "\"'\", or false"),
            None => Some(b'"'),
        };
        let dialect = Self {
            delimiter: delimiter.unwrap_or(default),
            is_delimiter_given: delimiter.is_some(),
            quote,
            escape: character(fields, "escape", r#""\\""#),
        };
        let (delimiter, quote, escape) = (Some(dialect.delimiter), dialect.quote, dialect.escape);
        for (key, is_taken) in [
            ("quote", quote == delimiter),
            (
                "escape",
                escape.is_some() && (escape == delimiter || escape == quote),
            ),
        ] {
            if is_taken {
                fields.refuse(
                    &format!("/{key}"),
                    format!("{key} differs from the delimiter and the quote"),
                );
            }
        }
        dialect
    }
}

/// Reads an optional character of ASCII that is no line break. `examples` are for the message.
pub(super) fn character(fields: &mut ConfigFields<'_>, key: &str, examples: &str) -> Option<u8> {
    let value = fields.value(key)?;
    if let Value::String(text) = value
        && let [byte] = text.as_bytes()
        && byte.is_ascii()
        && !matches!(byte, b'\r' | b'\n' | 0)
    {
        return Some(*byte);
    }
    let kind = kind(value);
    fields.refuse(
        &format!("/{key}"),
        format!("{key} is one ASCII character, such as {examples}, not {kind}"),
    );
    None
}

/// Describes a byte of a special character for an error message.
pub(super) fn shown(byte: u8) -> String {
    crate::error::quote(&char::from(byte).to_string())
}
