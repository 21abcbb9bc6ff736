//! The rows of a file while it is read, with what is known about them besides: the line of each
//! row, and what is odd in the file.
//!
//! `csv`, `ndjson` and `array` read the rows.

use crate::limits::DatasetLimits;
use crate::model::DatasetBuilder;

/// The bounds of one reading.
#[derive(Debug, Clone, Copy)]
pub(in crate::nodes) struct Bounds {
    /// The number of rows after which the reading stops.
    pub(in crate::nodes) rows_max: usize,
    pub(in crate::nodes) limits: DatasetLimits,
}

impl Bounds {
    /// Returns the note that types are inferred from the first rows only, if there may be more than
    /// the `row_count` rows that were read.
    pub(in crate::nodes) fn inference_note(self, row_count: usize) -> Option<String> {
        (row_count >= self.rows_max)
            .then(|| format!("the types are inferred from the first {row_count} rows only"))
    }
}

pub(in crate::nodes) struct Table {
    pub(in crate::nodes) builder: DatasetBuilder,
    pub(in crate::nodes) lines: RowLines,
    /// What is odd in the file but no error.
    pub(in crate::nodes) notes: Vec<String>,
    /// Whether the file has a header, a row, or an array.
    pub(in crate::nodes) has_content: bool,
    rows_max: usize,
}

impl Table {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            builder: DatasetBuilder::new(bounds.limits),
            lines: RowLines::new(bounds.limits.row_bytes_max),
            notes: Vec::new(),
            has_content: false,
            rows_max: bounds.rows_max,
        }
    }

    pub(super) const fn wants_more(&self) -> bool {
        self.builder.row_count() < self.rows_max
    }

    /// Ends a row that began on this line.
    pub(super) fn end_row(&mut self, line: u64) {
        self.lines.push(self.builder.row_count(), line);
        self.builder.end_row();
    }

    /// Notes the line of a row that the builder has ended.
    pub(super) fn ended_row(&mut self, line: u64) {
        self.has_content = true;
        let row = self.builder.row_count().saturating_sub(1);
        self.lines.push(row, line);
    }
}

/// How often something odd was found, and the line of the first time.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Oddity {
    count: u64,
    first_line: u64,
}

impl Oddity {
    pub(super) const fn add(&mut self, line: u64) {
        self.append(Self {
            count: 1,
            first_line: line,
        });
    }

    /// Adds what was found later.
    pub(super) const fn append(&mut self, later: Self) {
        if self.count == 0 {
            self.first_line = later.first_line;
        }
        self.count = self.count.saturating_add(later.count);
    }

    /// Returns a note that says what was found, if it was.
    pub(super) fn note(self, what: &str) -> Option<String> {
        let Self { count, first_line } = self;
        (count > 0).then(|| format!("{count} {what}, the first at line {first_line}"))
    }
}

/// The line of each row. Rows on consecutive lines take no memory.
#[derive(Debug)]
pub(in crate::nodes) struct RowLines {
    /// The first row and line of each series of consecutive lines.
    series: Vec<(usize, u64)>,
    series_max: usize,
    /// The number of rows whose lines are known.
    known_rows: usize,
}

impl RowLines {
    /// Creates the lines of no rows, which take at most so many bytes.
    const fn new(bytes_max: usize) -> Self {
        Self {
            series: Vec::new(),
            series_max: bytes_max / size_of::<(usize, u64)>(),
            known_rows: 0,
        }
    }

    fn push(&mut self, row: usize, line: u64) {
        if row != self.known_rows {
            return;
        }
        if self.predicted(row) != Some(line) {
            if self.series.len() >= self.series_max {
                return;
            }
            self.series.push((row, line));
        }
        self.known_rows += 1;
    }

    fn predicted(&self, row: usize) -> Option<u64> {
        let after = self.series.partition_point(|(from, _)| *from <= row);
        let (from, line) = self.series.get(after.checked_sub(1)?)?;
        Some(line.saturating_add((row - from) as u64))
    }

    /// Describes the place of a row: its line, or its number if its line is not known.
    pub(in crate::nodes) fn place(&self, row: usize) -> String {
        match self.predicted(row).filter(|_| row < self.known_rows) {
            Some(line) => format!("line {line}"),
            None => format!("row {}", row.saturating_add(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_rows_take_bounded_memory() {
        let mut lines = RowLines::new(32);
        for (row, line) in [(0, 2), (1, 3), (2, 7), (3, 8), (4, 10), (5, 11)] {
            lines.push(row, line);
        }
        let places: Vec<_> = (0..6).map(|row| lines.place(row)).collect();
        assert_eq!(
            places,
            ["line 2", "line 3", "line 7", "line 8", "row 5", "row 6"]
        );
        assert_eq!(lines.series.len(), 2);
    }
}
