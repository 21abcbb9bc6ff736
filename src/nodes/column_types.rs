//! The field `types`: the types that a pipeline asks for, by the name of the column.
//!
//! `model::dataset` converts the columns.

use serde_json::Value;

use super::config::{ConfigFields, kind, pointer_to};
use crate::error::quote;
use crate::model::ColumnType;
use crate::suggestion::{did_you_mean, nearest};

/// Reads the field `types`.
pub(super) fn read_types<'a>(fields: &mut ConfigFields<'a>) -> Vec<(&'a str, ColumnType)> {
    let entries = match fields.value("types") {
        None => return Vec::new(),
        Some(Value::Object(entries)) => entries,
        Some(other) => {
            let kind = kind(other);
            fields.refuse(
                "/types",
                format!("types is an object of column names and types, not {kind}"),
            );
            return Vec::new();
        }
    };
    let mut types = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        match value.as_str().and_then(ColumnType::parse) {
            Some(found) => types.push((name.as_str(), found)),
            None => {
                let (names, kind) = (ColumnType::NAMES, kind(value));
                fields.refuse(
                    &pointer_to("types", name),
                    format!("a type is one of {names}, not {kind}"),
                );
            }
        }
    }
    types
}

/// Returns a problem for each name in `types` that is no column.
pub(super) fn check_names(types: &[(&str, ColumnType)], columns: &[String]) -> Vec<String> {
    let missing = types
        .iter()
        .filter(|(name, _)| !columns.iter().any(|column| column == name));
    missing
        .map(|(name, _)| {
            let known = columns.iter().map(String::as_str);
            let advice = nearest(name, known).map_or_else(String::new, did_you_mean);
            format!(
                "types names the column {}, which is not there{advice}",
                quote(name)
            )
        })
        .collect()
}
