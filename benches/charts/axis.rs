//! Logarithmic axes: where a value stands, the marks of an axis, and their labels.
//!
//! Those of plotters choose their marks themselves, and have no place for zero.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::number;

/// An axis of sizes. Each size that was measured has a mark.
#[derive(Debug, Clone)]
pub(crate) struct Sizes(Vec<u64>);

/// An axis of values. Its marks are 1, 2 and 5 of each power of ten, and the axis ends at marks.
#[derive(Debug, Clone)]
pub(crate) struct Values(Vec<f64>);

impl Sizes {
    /// Returns an axis of these sizes, which are in ascending order.
    pub(crate) fn new(sizes: Vec<u64>) -> Self {
        Self(sizes)
    }

    /// Returns where a size stands. Zero has no logarithm and stands one power of ten before the
    /// smallest other size.
    #[expect(clippy::cast_precision_loss, reason = "no size is larger than 2^52")]
    fn position(&self, size: u64) -> f64 {
        let mut sizes = self.0.iter().copied();
        match size {
            0 => sizes
                .find(|size| *size > 0)
                .map_or(0.0, |next| self.position(next) - 1.0),
            _ => (size as f64).log10(),
        }
    }
}

impl Values {
    /// Returns an axis that has all values from the smallest to the largest one.
    pub(crate) fn new((smallest, largest): (f64, f64)) -> Self {
        let candidates: Vec<f64> = (-6..12)
            .flat_map(|power| [1, 2, 5].map(|digit| format!("{digit}e{power}").parse().unwrap()))
            .collect();
        let first = candidates.iter().rposition(|mark| *mark <= smallest);
        let last = candidates.iter().position(|mark| *mark >= largest);
        Self(candidates[first.unwrap()..=last.unwrap()].to_vec())
    }
}

impl Ranged for Sizes {
    type FormatOption = NoDefaultFormatting;
    type ValueType = u64;

    fn map(&self, size: &u64, limit: (i32, i32)) -> i32 {
        /// What the axis has before its first and after its last mark.
        const MARGIN: f64 = 0.2;
        let range = self.range();
        let ends = (
            self.position(range.start) - MARGIN,
            self.position(range.end) + MARGIN,
        );
        pixel(self.position(*size), ends, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<u64> {
        bold(&self.0, &hint)
    }

    fn range(&self) -> Range<u64> {
        self.0[0]..self.0[self.0.len() - 1]
    }
}

impl ValueFormatter<u64> for Sizes {
    fn format(size: &u64) -> String {
        number::short(*size)
    }
}

impl Ranged for Values {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let range = self.range();
        pixel(
            value.log10(),
            (range.start.log10(), range.end.log10()),
            limit,
        )
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        bold(&self.0, &hint)
    }

    fn range(&self) -> Range<f64> {
        self.0[0]..self.0[self.0.len() - 1]
    }
}

impl ValueFormatter<f64> for Values {
    fn format(mark: &f64) -> String {
        number::grouped(&mark.to_string())
    }
}

/// Returns the pixel of a position between these ends.
#[expect(clippy::cast_possible_truncation, reason = "a picture has few pixels")]
fn pixel(position: f64, ends: (f64, f64), limit: (i32, i32)) -> i32 {
    let share = (position - ends.0) / (ends.1 - ends.0);
    limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
}

/// Returns the marks. There are no light lines between them.
fn bold<T: Copy>(marks: &[T], hint: &impl KeyPointHint) -> Vec<T> {
    match hint.weight().allow_light_points() {
        true => Vec::new(),
        false => marks.to_vec(),
    }
}
