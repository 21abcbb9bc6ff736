//! The file formats, and how a node's config selects one.
//!
//! `read` decodes them, and `write` encodes them.

use std::path::Path;

use super::config::ConfigFields;
use crate::error::quote;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Ndjson,
    Json,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
        }
    }

    /// Reads the format from the field `format` or, if the field is missing, from the extension of
    /// `path`. The format must be one of `allowed`.
    pub(super) fn read(
        fields: &mut ConfigFields<'_>,
        path: Option<&str>,
        allowed: &[Self],
    ) -> Option<Self> {
        let names: Vec<_> = allowed.iter().map(|format| format.name()).collect();
        let names = names.join(", ");
        let find = |name: &str| allowed.iter().find(|format| format.name() == name).copied();
        if fields.value("format").is_some() {
            let name = fields.text("format")?;
            let found = find(name);
            if found.is_none() {
                let name = quote(name);
                fields.refuse("/format", format!("format is one of {names}, not {name}"));
            }
            return found;
        }
        let path = path?;
        let found = find(extension(path).as_str());
        if found.is_none() {
            let path = quote(path);
            fields.refuse(
                "/path",
                format!(
                    "the extension of {path} is not a known format: set format to one of {names}"
                ),
            );
        }
        found
    }
}

fn extension(path: &str) -> String {
    let extension = Path::new(path)
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    match extension.as_str() {
        "jsonl" => "ndjson".to_owned(),
        _ => extension,
    }
}
