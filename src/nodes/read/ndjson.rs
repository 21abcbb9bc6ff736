//! Reads one JSON object per line. Blank lines are skipped.
//!
//! `model::dataset` reads the objects.

use std::io::{BufRead, BufReader, Read};

use super::error::{Place, ReadError};
use super::table::{Bounds, Table};

pub(super) fn read(text: impl Read, bounds: Bounds) -> Result<Table, ReadError> {
    let mut text = BufReader::new(text);
    let (mut table, mut bytes, mut line) = (Table::new(bounds), Vec::new(), 0_u64);
    while table.wants_more() {
        bytes.clear();
        line += 1;
        // One byte more than the maximum reveals a line that is too long.
        let read = text
            .by_ref()
            .take((bounds.limits.row_bytes_max as u64).saturating_add(1))
            .read_until(b'\n', &mut bytes)?;
        if read == 0 {
            break;
        }
        if read > bounds.limits.row_bytes_max {
            let max = bounds.limits.row_bytes_max;
            return Err(ReadError::At(
                Place::line(line),
                format!("it is longer than {max} bytes"),
            ));
        }
        if !bytes.trim_ascii().is_empty() {
            let is_first = table.builder.row_count() == 0;
            table
                .builder
                .push_json_row(bytes.trim_ascii_end())
                .map_err(|error| {
                    let advice = advice(is_first, &bytes);
                    ReadError::At(Place::line(line), format!("{error}{advice}"))
                })?;
            table.ended_row(line);
        }
    }
    Ok(table)
}

/// Returns what to do about a line that is no row, if the file looks like another format.
fn advice(is_first: bool, line: &[u8]) -> &'static str {
    if is_first && line.trim_ascii_start().starts_with(b"[") {
        ": set format to \"json\" if the file is one array"
    } else {
        ""
    }
}
