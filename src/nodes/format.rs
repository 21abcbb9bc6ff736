//! The file formats, and how a node's config selects one.
//!
//! `read` decodes them, and `write` encodes them.

use std::path::Path;

use super::compression::Compression;
use super::config::ConfigFields;
use crate::error::quote;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    /// CSV with tabs between the fields.
    Tsv,
    Ndjson,
    Json,
}

impl Format {
    /// The formats in which the first record may name the columns.
    pub(super) const fn is_csv(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
        }
    }

    const ALL: [Self; 4] = [Self::Csv, Self::Tsv, Self::Ndjson, Self::Json];

    /// Reads the format from the field `format` or, if the field is missing, from the extension of
    /// `path`, which may have an extension of a compression after it.
    pub(super) fn read(fields: &mut ConfigFields<'_>, path: Option<&str>) -> Option<Self> {
        let names = Self::ALL.map(Self::name);
        let find = |name: &str| Self::ALL.into_iter().find(|format| format.name() == name);
        if fields.value("format").is_some() {
            return fields.choice("format", &names).and_then(find);
        }
        let path = path?;
        let (_, uncompressed) = Compression::of_path(path);
        let found = find(extension(uncompressed).as_str());
        if found.is_none() {
            let (path, names) = (quote(path), names.join(", "));
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
