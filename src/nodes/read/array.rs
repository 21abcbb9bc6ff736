//! Reads one array of JSON objects, row by row, so that memory never holds the whole text.
//!
//! This file finds where a row begins and ends. `model::dataset` reads the row.

use std::io::Read;

use super::error::{Place, ReadError};
use super::scanner::Scanner;
use super::table::{Bounds, Table};

pub(super) fn read(text: impl Read, bounds: Bounds) -> Result<Table, ReadError> {
    let mut text = Scanner::new(text);
    let mut table = Table::new(bounds);
    let start = text.place();
    match next_byte(&mut text)? {
        None => return Ok(table),
        Some(b'[') => text.consume(b'['),
        Some(byte) => {
            let advice = match byte {
                b'{' => ": set format to \"ndjson\" if each line is one object",
                _ => "",
            };
            let expected = format!("an array of JSON objects{advice}");
            return Err(unexpected(start, byte, &expected));
        }
    }
    table.has_content = true;
    if next_byte(&mut text)? == Some(b']') {
        text.consume(b']');
        return finish(text, table);
    }
    let mut row = Vec::new();
    while table.wants_more() {
        next_byte(&mut text)?;
        let place = text.place();
        read_row(&mut text, &mut row, place, bounds.limits.row_bytes_max)?;
        if row.first() != Some(&b'{') {
            let first = row.first().copied();
            return Err(first.map_or_else(
                || ReadError::At(place, "a JSON object is missing".to_owned()),
                |byte| unexpected(place, byte, "a JSON object"),
            ));
        }
        table.builder.push_json_row(&row).map_err(|error| {
            ReadError::At(place, format!("in the row that begins here: {error}"))
        })?;
        table.ended_row(place.line);
        match text.peek()? {
            Some(b',') => text.consume(b','),
            Some(b']') => {
                text.consume(b']');
                return finish(text, table);
            }
            Some(byte) => return Err(unexpected(text.place(), byte, "a comma")),
            None => {
                return Err(ReadError::At(
                    text.place(),
                    "the array is never closed".to_owned(),
                ));
            }
        }
    }
    Ok(table)
}

/// Refuses everything after the array.
fn finish(mut text: Scanner<impl Read>, table: Table) -> Result<Table, ReadError> {
    match next_byte(&mut text)? {
        None => Ok(table),
        Some(byte) => Err(unexpected(text.place(), byte, "nothing after the array")),
    }
}

fn unexpected(place: Place, byte: u8, expected: &str) -> ReadError {
    let found = if byte.is_ascii_graphic() {
        format!("`{}`", char::from(byte))
    } else {
        format!("the byte {byte:#04x}")
    };
    ReadError::At(place, format!("{found} instead of {expected}"))
}

/// Skips white space and returns the next byte.
fn next_byte(text: &mut Scanner<impl Read>) -> Result<Option<u8>, ReadError> {
    while let Some(byte) = text.peek()? {
        if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return Ok(Some(byte));
        }
        text.consume(byte);
    }
    Ok(None)
}

/// Reads the text of a value up to the comma or bracket that follows it.
fn read_row(
    text: &mut Scanner<impl Read>,
    row: &mut Vec<u8>,
    start: Place,
    bytes_max: usize,
) -> Result<(), ReadError> {
    row.clear();
    let (mut depth, mut is_in_string, mut is_escaped) = (0_u64, false, false);
    while let Some(byte) = text.peek()? {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_in_string => is_escaped = true,
            b'"' => is_in_string = !is_in_string,
            _ if is_in_string => {}
            b',' | b']' | b'}' if depth == 0 => break,
            b'[' | b'{' => depth = depth.saturating_add(1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if row.len() >= bytes_max {
            return Err(ReadError::At(
                start,
                format!("the row that begins here is longer than {bytes_max} bytes"),
            ));
        }
        row.push(byte);
        text.consume(byte);
    }
    Ok(())
}
