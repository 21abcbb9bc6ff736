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
        Self {
            dialect: Dialect::read(fields, format),
            header: fields.flag("header", Flag::On),
            null: fields.text("null").unwrap_or_default(),
            guard_formulas: fields.flag("guard_formulas", Flag::Off),
        }
    }
}
