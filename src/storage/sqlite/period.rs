//! Counts the runs of a period. Whole days and minutes come from the figures, so that the time does
//! not grow with the number of runs.
//!
//! `minutes` says of which days the minutes are counted.

use std::ops::Range;

use super::figures::FigureRows;
use super::minutes::{CountedDays, day_of, first_minute, minute_of, minute_start};
use super::pipeline_keys::PipelineKeys;
use super::reader::Reader;
use super::store_error::StoreError;
use super::values::millis;
use crate::model::Scope;
use crate::storage::RunFilter;

/// A part of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Whole days.
    Days(Range<i64>),
    /// Whole minutes of one day.
    Minutes(Range<i64>),
    /// Times in milliseconds.
    Times(Range<i64>),
}

impl Reader {
    /// Counts the runs of a filter that has a period and no triggers.
    pub(super) fn count_period(
        &self,
        filter: &RunFilter,
        pipelines: Option<&PipelineKeys>,
    ) -> Result<u64, StoreError> {
        let RunFilter {
            scope, from, to, ..
        } = filter;
        // Only the runs of all tenants together have minutes.
        let counted = match (pipelines, scope) {
            (None, Scope::All) => CountedDays::load(&self.conn, &self.unreadable)?,
            _ => CountedDays::default(),
        };
        let sum = |rows: &FigureRows| self.sum_figures(rows, &filter.statuses);
        let period = from.map_or(i64::MIN, millis)..to.map_or(i64::MAX, millis);
        let counts = parts(period, &counted).into_iter().map(|part| match part {
            Part::Days(days) => sum(&FigureRows::new(
                scope,
                pipelines,
                Some(days.start..=days.end - 1),
            )),
            Part::Minutes(minutes) => sum(&FigureRows::of_minutes(minutes)),
            Part::Times(times) => self.count_times(filter, pipelines, times),
        });
        counts.sum()
    }
}

/// Divides a period into parts that can be counted.
fn parts(period: Range<i64>, counted: &CountedDays) -> Vec<Part> {
    if period.is_empty() {
        return Vec::new();
    }
    let day_start = |day| minute_start(first_minute(day));
    let first_day = day_of(minute_of(period.start.saturating_sub(1))).saturating_add(1);
    let last_day = day_of(minute_of(period.end));
    if first_day > last_day {
        return parts_of_day(period, counted);
    }
    let mut parts = parts_of_day(period.start..day_start(first_day), counted);
    if first_day < last_day {
        parts.push(Part::Days(first_day..last_day));
    }
    parts.extend(parts_of_day(day_start(last_day)..period.end, counted));
    parts
}

/// Divides a part of one day.
fn parts_of_day(period: Range<i64>, counted: &CountedDays) -> Vec<Part> {
    if period.is_empty() {
        return Vec::new();
    }
    let first = minute_of(period.start.saturating_sub(1)).saturating_add(1);
    let last = minute_of(period.end);
    if first >= last || !counted.contains(day_of(first)) {
        return vec![Part::Times(period)];
    }
    let before = period.start..minute_start(first);
    let after = minute_start(last)..period.end;
    let times = [before, after]
        .into_iter()
        .filter(|times| !times.is_empty());
    let minutes = std::iter::once(Part::Minutes(first..last));
    minutes.chain(times.map(Part::Times)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    impl Part {
        /// Returns the part in milliseconds.
        fn times(&self) -> Range<i64> {
            let day_start = |day| minute_start(first_minute(day));
            match self {
                Self::Days(days) => day_start(days.start)..day_start(days.end),
                Self::Minutes(minutes) => minute_start(minutes.start)..minute_start(minutes.end),
                Self::Times(times) => times.clone(),
            }
        }
    }

    proptest! {
        #[test]
        fn the_parts_of_a_period_are_the_period(
            start in -3 * DAY_MS..10 * DAY_MS,
            length in prop_oneof![0..70_000_i64, 0..9 * DAY_MS, Just(2 * DAY_MS)],
            days in prop::collection::vec(0..10_i64, 0..4),
        ) {
            let counted: CountedDays = days.iter().map(|day| day_of(day * 1_440)).collect();
            let period = start..start + length;
            let mut parts = parts(period.clone(), &counted);
            parts.sort_by_key(|part| part.times().start);
            let mut end = start;
            for part in &parts {
                let times = part.times();
                prop_assert_eq!(times.start, end, "{:?}", parts);
                prop_assert!(times.start < times.end, "{:?}", parts);
                end = times.end;
                let day = day_of(minute_of(times.start));
                let is_counted = counted.contains(day);
                match part {
                    Part::Days(_) => {}
                    Part::Minutes(_) => prop_assert!(is_counted),
                    Part::Times(times) => {
                        let max = if is_counted { 2 * 60_000 } else { DAY_MS };
                        prop_assert!(times.end - times.start < max, "{:?}", parts);
                    }
                }
            }
            prop_assert_eq!(end, period.end);
        }
    }

    #[test]
    fn a_period_without_an_end_has_the_whole_days_of_all_time() {
        let parts = parts(i64::MIN..i64::MAX, &CountedDays::default());
        let whole = |part: &Part| matches!(part, Part::Days(days) if days.start < -1 << 30 && days.end > 1 << 30);
        assert!(parts.iter().any(whole), "{parts:?}");
    }
}
