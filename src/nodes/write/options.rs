//! The options of a CSV sink.
//!
//! `csv` applies them.

use crate::nodes::config::{ConfigFields, Flag};
use crate::nodes::dialect::Dialect;
use crate::nodes::format::Format;

/// How a CSV file is written.
#[derive(Debug)]
pub(in crate::nodes) struct CsvLayout<'a> {
    pub(in crate::nodes) dialect: Dialect,
    pub(in crate::nodes) header: Flag,
    /// The text of a null.
    pub(super) null: &'a str,
    pub(super) guard_formulas: Flag,
}

impl<'a> CsvLayout<'a> {
    pub(in crate::nodes) fn read(fields: &mut ConfigFields<'a>, format: Format) -> Self {
        let dialect = Dialect::read(fields, format);
        Self {
            dialect,
            header: fields.flag("header", Flag::On),
            null: read_null(fields, &dialect),
            guard_formulas: fields.flag("guard_formulas", Flag::Off),
        }
    }
}

/// Reads the text of a null, which is written without quotes and escapes.
fn read_null<'a>(fields: &mut ConfigFields<'a>, dialect: &Dialect) -> &'a str {
    let null = fields.text("null").unwrap_or_default();
    let is_special = |byte: u8| {
        matches!(byte, b'\r' | b'\n') || byte == dialect.delimiter || Some(byte) == dialect.quote
    };
    if null.bytes().any(is_special) {
        fields.refuse(
            "/null",
            "null has no delimiter, no quote and no line break in it",
        );
    }
    null
}
