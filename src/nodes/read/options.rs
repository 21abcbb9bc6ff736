//! The options of a CSV source: where its header is, which fields are null, and what may be uneven.
//!
//! `csv` applies them.

use serde_json::Value;

use crate::nodes::config::{ConfigFields, Flag, kind};
use crate::nodes::dialect::{Dialect, character};
use crate::nodes::format::Format;

/// How a CSV file is read.
#[derive(Debug)]
pub(in crate::nodes) struct CsvOptions<'a> {
    pub(super) dialect: Dialect,
    pub(super) comment: Option<u8>,
    pub(super) header: Header<'a>,
    pub(super) skip_lines: u64,
    /// The texts that are null, escape characters included. By default a field is null if it is
    /// empty and has no quotes.
    pub(super) nulls: Option<Vec<&'a str>>,
    pub(super) duplicate_names: DuplicateNames,
    pub(super) ragged: Ragged,
}

/// Where the names of the columns are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header<'a> {
    FirstRecord,
    /// Columns have numbers: `column_1`, `column_2`.
    None,
    Names(Vec<&'a str>),
}

/// What happens to a name that an earlier column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DuplicateNames {
    Refuse,
    Suffix,
}

/// What happens to a record with too few fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ragged {
    Refuse,
    Pad,
}

impl Default for CsvOptions<'_> {
    fn default() -> Self {
        Self {
            dialect: Dialect::default(),
            comment: None,
            header: Header::FirstRecord,
            skip_lines: 0,
            nulls: None,
            duplicate_names: DuplicateNames::Refuse,
            ragged: Ragged::Refuse,
        }
    }
}

impl<'a> CsvOptions<'a> {
    /// Returns the options that read a file which a sink has written.
    pub(in crate::nodes) fn of_written(dialect: Dialect, header: Flag) -> Self {
        Self {
            dialect: Dialect {
                is_delimiter_given: true,
                ..dialect
            },
            header: match header {
                Flag::On => Header::FirstRecord,
                Flag::Off => Header::None,
            },
            duplicate_names: DuplicateNames::Suffix,
            ragged: Ragged::Pad,
            ..Self::default()
        }
    }

    pub(in crate::nodes) fn read(fields: &mut ConfigFields<'a>, format: Format) -> Self {
        let dialect = Dialect::read(fields, format);
        let comment = character(fields, "comment", r##""#""##);
        if comment.is_some() && [Some(dialect.delimiter), dialect.quote].contains(&comment) {
            fields.refuse(
                "/comment",
                "comment differs from the delimiter and the quote",
            );
        }
        let duplicate_names = fields.choice("duplicate_names", &["error", "suffix"]);
        let ragged = fields.choice("ragged", &["error", "pad"]);
        Self {
            dialect,
            comment,
            header: read_header(fields),
            skip_lines: fields.count("skip_lines"),
            nulls: fields
                .value("nulls")
                .map(|_| fields.texts("nulls").unwrap_or_default()),
            duplicate_names: match duplicate_names {
                Some("suffix") => DuplicateNames::Suffix,
                Some(_) | None => DuplicateNames::Refuse,
            },
            ragged: match ragged {
                Some("pad") => Ragged::Pad,
                Some(_) | None => Ragged::Refuse,
            },
        }
    }
}

fn read_header<'a>(fields: &mut ConfigFields<'a>) -> Header<'a> {
    match fields.value("header") {
        None | Some(Value::Bool(true)) => Header::FirstRecord,
        Some(Value::Bool(false)) => Header::None,
        Some(Value::Array(names)) if !names.is_empty() => {
            let names = fields.texts("header").unwrap_or_default();
            let mut seen = std::collections::HashSet::new();
            for name in &names {
                if !seen.insert(name) {
                    let name = crate::error::quote(name);
                    fields.refuse("/header", format!("header has the name {name} twice"));
                }
            }
            Header::Names(names)
        }
        Some(other) => {
            let kind = kind(other);
            fields.refuse(
                "/header",
                format!("header is true, false or an array of names, not {kind}"),
            );
            Header::FirstRecord
        }
    }
}
