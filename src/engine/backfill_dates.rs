//! The dates of a new backfill: a range, a list that the caller has chosen, or those of a backfill
//! that is repeated.
//!
//! `backfill_intervals` finds the instants of the dates that have a run.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::error::{Issue, Problem};
use crate::model::{BackfillRun, BackfillUnit};

/// The dates of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BackfillDates {
    /// Every date of a range.
    Range(RangeInclusive<NaiveDate>),
    /// These dates, in any order.
    Listed(Vec<NaiveDate>),
    /// Those of the runs of another backfill, the oldest first.
    Repeated(Vec<BackfillRun>),
}

/// What the dates of a new backfill must keep to.
#[derive(Debug, Clone, Copy)]
pub(super) struct DateBounds {
    /// The date in the zone.
    pub(super) today: NaiveDate,
    pub(super) zone: Tz,
    pub(super) unit: BackfillUnit,
    /// The most runs of a backfill.
    pub(super) max: u32,
}

impl DateBounds {
    /// Returns the refusal of more runs than a backfill may have: of this many, if it is known.
    pub(super) fn too_many(&self, count: Option<u64>) -> String {
        let (max, what) = match self.unit {
            BackfillUnit::Day => (self.max, "date"),
            unit => (self.max, unit.as_str()),
        };
        let count = count.map_or_else(|| "more".to_owned(), |count| count.to_string());
        format!("a backfill has at most {max} {what}s, these are {count}")
    }
}

impl BackfillDates {
    /// Returns what is wrong with the dates.
    ///
    /// The check is arithmetic: no date of a range is generated before it passes.
    pub(super) fn problems(&self, bounds: &DateBounds) -> Vec<(Problem, Issue)> {
        match self {
            Self::Range(dates) => range_problems(dates, bounds),
            Self::Listed(dates) => list_problems(dates, bounds),
            Self::Repeated(runs) => {
                let count = u64::try_from(runs.len()).unwrap_or(u64::MAX);
                let is_large = count > u64::from(bounds.max);
                let issue = || Issue::pointer("", bounds.too_many(Some(count)));
                let problem = is_large.then(|| (Problem::BackfillTooLarge, issue()));
                problem.into_iter().collect()
            }
        }
    }
}

/// Returns the dates of a range that was checked.
pub(super) fn dates_of(range: &RangeInclusive<NaiveDate>) -> impl Iterator<Item = NaiveDate> {
    let count = usize::try_from(date_count(range)).unwrap_or(usize::MAX);
    range.start().iter_days().take(count)
}

fn range_problems(dates: &RangeInclusive<NaiveDate>, bounds: &DateBounds) -> Vec<(Problem, Issue)> {
    let (first, last) = (dates.start(), dates.end());
    let DateBounds {
        today,
        zone,
        unit,
        max,
    } = bounds;
    let mut problems = Vec::new();
    let mut refuse =
        |problem, detail| problems.push((problem, Issue::pointer("/end_date", detail)));
    if last < first {
        let detail =
            format!("end_date must not be before start_date, received {last} before {first}");
        refuse(Problem::RangeInvalid, detail);
    }
    if last > today {
        let detail =
            format!("end_date must not be after today, {today} in {zone}, received {last}");
        refuse(Problem::RangeInvalid, detail);
    }
    let date_count = date_count(dates);
    if *unit == BackfillUnit::Day && date_count > u64::from(*max) {
        refuse(Problem::BackfillTooLarge, bounds.too_many(Some(date_count)));
    }
    problems
}

fn list_problems(dates: &[NaiveDate], bounds: &DateBounds) -> Vec<(Problem, Issue)> {
    let DateBounds {
        today, zone, max, ..
    } = bounds;
    let at_list = |problem, detail: String| vec![(problem, Issue::pointer("/dates", detail))];
    if dates.is_empty() {
        return at_list(Problem::RangeInvalid, "dates must not be empty".to_owned());
    }
    let count = u64::try_from(dates.len()).unwrap_or(u64::MAX);
    // Each date has a run at least.
    if count > u64::from(*max) {
        return at_list(Problem::BackfillTooLarge, bounds.too_many(Some(count)));
    }
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for (index, date) in dates.iter().enumerate() {
        let mut refuse = |problem, detail| {
            problems.push((problem, Issue::pointer(format!("/dates/{index}"), detail)));
        };
        if !seen.insert(date) {
            let detail = format!("each date may be given once, received {date} again");
            refuse(Problem::InvalidField, detail);
        } else if date > today {
            let detail =
                format!("a date must not be after today, {today} in {zone}, received {date}");
            refuse(Problem::RangeInvalid, detail);
        }
    }
    problems
}

/// Returns the number of dates in a range: zero if it ends before it begins.
fn date_count(dates: &RangeInclusive<NaiveDate>) -> u64 {
    let days = dates.end().signed_duration_since(*dates.start()).num_days();
    u64::try_from(days.saturating_add(1)).unwrap_or(0)
}
