//! Log lines in a file: as text, NDJSON or CSV.
//!
//! Whatever an executor logs, its line stays one line, controls no terminal and starts no
//! spreadsheet formula. `line` creates the lines.

use std::fmt::Write as _;

use super::LogLine;
use super::line::{level_name, must_escape};
use crate::error::{Error, Result};
use crate::model::rfc3339;
use crate::spreadsheet::{GUARD, may_be_formula};

/// The format of a file of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Ndjson,
    Csv,
}

impl LogFormat {
    /// Returns the text before the first line.
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Text | Self::Ndjson => "",
            Self::Csv => "run_id,node_id,level,message,timestamp,attempt\r\n",
        }
    }

    /// Appends a line to a file of this format.
    ///
    /// # Errors
    /// `Internal` if a line cannot be serialized, which no known line does.
    pub(crate) fn write(self, line: LogLine, file: &mut String) -> Result<()> {
        match self {
            Self::Text => line.write_text(file),
            Self::Ndjson => write_ndjson(line, file)?,
            Self::Csv => write_csv(&line, file),
        }
        Ok(())
    }
}

/// Writes a line as `/logs` shows it, without its sequence number.
fn write_ndjson(mut line: LogLine, file: &mut String) -> Result<()> {
    line.seq = None;
    let json = serde_json::to_string(&line)
        .map_err(|error| Error::internal("a log line cannot be serialized").with_source(error))?;
    // JSON leaves some characters unescaped that can control a terminal. They occur only in
    // strings.
    for character in json.chars() {
        if must_escape(character) {
            // Writing into a string cannot fail, and each of these characters is below U+10000.
            let _infallible = write!(file, "\\u{:04x}", u32::from(character));
        } else {
            file.push(character);
        }
    }
    file.push('\n');
    Ok(())
}

/// Writes a record of RFC 4180 with every cell quoted.
fn write_csv(line: &LogLine, file: &mut String) {
    let timestamp = rfc3339::text(&line.timestamp);
    let cells: [&str; 6] = [
        &line.run_id.to_string(),
        line.node_id.as_ref().map_or("", |id| id.as_str()),
        &level_name(line.level).to_lowercase(),
        &line.message,
        &timestamp,
        &line
            .attempt
            .map(|attempt| attempt.to_string())
            .unwrap_or_default(),
    ];
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            file.push(',');
        }
        write_cell(cell, file);
    }
    file.push_str("\r\n");
}

fn write_cell(text: &str, file: &mut String) {
    file.push('"');
    if may_be_formula(text) {
        file.push(GUARD);
    }
    for character in text.chars() {
        match character {
            '"' => file.push_str("\"\""),
            _ if must_escape(character) => file.extend(character.escape_default()),
            _ => file.push(character),
        }
    }
    file.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut file = String::new();
        write_cell(text, &mut file);
        file
    }

    #[test]
    fn a_cell_begins_no_formula_and_breaks_out_of_nothing() {
        for (text, expected) in [
            ("", r#""""#),
            ("plain, text; 1=1", r#""plain, text; 1=1""#),
            ("say \"=1\"", r#""say ""=1""""#),
            ("=1+1", r#""'=1+1""#),
            ("+1", r#""'+1""#),
            ("-1", r#""'-1""#),
            ("@SUM(A1)", r#""'@SUM(A1)""#),
            ("\t=1", r#""'\t=1""#),
            ("\r=1", r#""'\r=1""#),
            ("\n=1", r#""'\n=1""#),
            ("＝1", r#""'＝1""#),
            (" \u{a0}=1", "\"' \u{a0}=1\""),
            ("a\r\n=1,b", r#""a\r\n=1,b""#),
            ("\u{1b}[31m", r#""\u{1b}[31m""#),
            ("a\"\n=cmd|'/c calc'!A1", r#""a""\n=cmd|'/c calc'!A1""#),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }
}
