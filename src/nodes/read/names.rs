//! Finds the names of the columns of a CSV file, and notices a file with another delimiter.
//!
//! `csv` reads the records.

use std::collections::{HashMap, HashSet};

use super::error::{Place, ReadError};
use super::options::{CsvOptions, DuplicateNames, Header};
use super::record::Record;
use crate::error::quote;
use crate::nodes::dialect::{DELIMITERS, Dialect, shown};

/// The start of a line by which a spreadsheet names the delimiter.
const DELIMITER_LINE: &str = "sep=";

/// Returns whether the record only names the delimiter that the dialect has.
///
/// # Errors
/// Refuses a record that names another delimiter.
pub(super) fn is_delimiter_line(record: &Record, dialect: &Dialect) -> Result<bool, ReadError> {
    let texts = record.texts().collect::<Result<Vec<_>, _>>()?;
    let named = match texts[..] {
        [DELIMITER_LINE, ""] => return Ok(true),
        [only] => only.strip_prefix(DELIMITER_LINE),
        _ => None,
    };
    match named.map(str::as_bytes) {
        Some([byte]) if DELIMITERS.contains(byte) => {
            Err(other_delimiter(record, *byte, texts[0], dialect))
        }
        Some(_) | None => Ok(false),
    }
}

/// Returns the names of the columns. `first` is the first record, if there is one.
pub(super) fn find(
    first: Option<&Record>,
    options: &CsvOptions<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<String>, ReadError> {
    let texts = match first {
        Some(record) => {
            let texts = record.texts().collect::<Result<Vec<_>, _>>()?;
            check_first(record, &texts, &options.dialect)?;
            texts
        }
        None => Vec::new(),
    };
    match (&options.header, first) {
        (Header::Names(names), _) => Ok(names.iter().map(|name| (*name).to_owned()).collect()),
        (Header::None, _) => Ok((1..=texts.len())
            .map(|number| format!("column_{number}"))
            .collect()),
        (Header::FirstRecord, None) => Ok(Vec::new()),
        (Header::FirstRecord, Some(record)) => {
            unique(record.line, &texts, options.duplicate_names, notes)
        }
    }
}

/// Refuses a first record that shows that the file is read with a wrong delimiter or encoding.
fn check_first(record: &Record, texts: &[&str], dialect: &Dialect) -> Result<(), ReadError> {
    if let Some(text) = texts.iter().find(|text| text.contains('\0')) {
        // UTF-16 has a NUL in each ASCII character. A big-endian text begins with one.
        let likely = if text.starts_with('\0') {
            "utf-16be"
        } else {
            "utf-16le"
        };
        return Err(ReadError::At(
            Place::line(record.line),
            format!("it has NUL characters: set encoding, for example to \"{likely}\""),
        ));
    }
    let [only] = texts else {
        return Ok(());
    };
    let other = DELIMITERS
        .iter()
        .filter(|byte| only.as_bytes().contains(byte))
        .max_by_key(|byte| only.bytes().filter(|found| found == *byte).count());
    match other {
        Some(byte) if !dialect.is_delimiter_given && !record.is_quoted(0) => {
            Err(other_delimiter(record, *byte, only, dialect))
        }
        Some(_) | None => Ok(()),
    }
}

fn other_delimiter(record: &Record, byte: u8, found: &str, dialect: &Dialect) -> ReadError {
    let (current, other, found) = (shown(dialect.delimiter), shown(byte), quote(found));
    ReadError::At(
        Place::line(record.line),
        format!(
            "the only field is {found}: set delimiter to {other}, or to {current} if the file \
             has one column"
        ),
    )
}

fn unique(
    line: u64,
    texts: &[&str],
    duplicates: DuplicateNames,
    notes: &mut Vec<String>,
) -> Result<Vec<String>, ReadError> {
    let given: HashSet<&str> = texts.iter().copied().collect();
    let mut names: Vec<String> = Vec::with_capacity(texts.len());
    let mut used = HashSet::new();
    let mut next_numbers = HashMap::new();
    for (index, text) in texts.iter().enumerate() {
        let mut name = (*text).to_owned();
        if used.contains(&name) {
            let shown = quote(text);
            if duplicates == DuplicateNames::Refuse {
                return Err(ReadError::At(
                    Place::line(line),
                    format!(
                        "the column {shown} appears twice (set duplicate_names to \"suffix\" to \
                         rename it)"
                    ),
                ));
            }
            let next_number = next_numbers.entry(*text).or_insert(2);
            name = suffixed(text, next_number, |name| {
                given.contains(name) || used.contains(name)
            });
            notes.push(format!(
                "column {} is another {shown} and is called {}",
                index + 1,
                quote(&name)
            ));
        }
        if text.trim().is_empty() {
            notes.push(format!("column {} has no name", index + 1));
        }
        used.insert(name.clone());
        names.push(name);
    }
    Ok(names)
}

/// Returns the name with the next number that makes it a new one.
fn suffixed(text: &str, next_number: &mut u64, is_taken: impl Fn(&str) -> bool) -> String {
    loop {
        let name = format!("{text}_{next_number}");
        *next_number += 1;
        if !is_taken(&name) {
            return name;
        }
    }
}
