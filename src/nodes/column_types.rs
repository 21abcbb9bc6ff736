//! The field `types`: the types that a pipeline asks for, by the name of the column.
//!
//! `model::dataset` converts the columns.

use super::config::{ConfigFields, kind};
use crate::error::{quote, reference_token};
use crate::model::ColumnType;
use crate::suggestion::{did_you_mean, nearest};

/// Reads the field `types`.
pub(super) fn read_types<'a>(fields: &mut ConfigFields<'a>) -> Vec<(&'a str, ColumnType)> {
    let entries = fields.entries("types", "column names and types");
    let mut types = Vec::new();
    for (name, value) in entries.into_iter().flatten() {
        match value.as_str().and_then(ColumnType::parse) {
            Some(found) => types.push((name.as_str(), found)),
            None => {
                let (names, kind) = (ColumnType::NAMES, kind(value));
                fields.refuse(
                    &format!("/types/{}", reference_token(name)),
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
