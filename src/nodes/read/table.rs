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
            lines: RowLines::default(),
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

/// The line of each row. Rows on consecutive lines take no memory.
#[derive(Debug, Default)]
pub(in crate::nodes) struct RowLines(Vec<(usize, u64)>);

impl RowLines {
    fn push(&mut self, row: usize, line: u64) {
        if self.line(row) != Some(line) {
            self.0.push((row, line));
        }
    }

    /// Returns the line of a row, or `None` if no row was read.
    pub(in crate::nodes) fn line(&self, row: usize) -> Option<u64> {
        let after = self.0.partition_point(|(from, _)| *from <= row);
        let (from, line) = self.0.get(after.checked_sub(1)?)?;
        Some(line.saturating_add((row - from) as u64))
    }
}
