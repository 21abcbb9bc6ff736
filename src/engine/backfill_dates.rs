//! The dates of a new backfill: a range, or a list that the caller has chosen.
//!
//! `backfill` creates their runs.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::error::{Issue, Problem};

/// The dates of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BackfillDates {
    /// Every date of a range.
    Range(RangeInclusive<NaiveDate>),
    /// These dates, in any order.
    Listed(Vec<NaiveDate>),
}

impl BackfillDates {
    /// Returns what is wrong with the dates. `today` is the date in `zone`, and a backfill has at
    /// most `max` dates.
    ///
    /// The check is arithmetic: no date of a range is generated before it passes.
    pub(super) fn problems(&self, today: NaiveDate, zone: Tz, max: u32) -> Vec<(Problem, Issue)> {
        match self {
            Self::Range(dates) => range_problems(dates, today, zone, max),
            Self::Listed(dates) => list_problems(dates, today, zone, max),
        }
    }

    /// Returns each date once, the oldest first. They were checked.
    pub(super) fn into_sorted(self) -> Vec<NaiveDate> {
        match self {
            Self::Range(dates) => {
                let count = usize::try_from(date_count(&dates)).unwrap_or(usize::MAX);
                dates.start().iter_days().take(count).collect()
            }
            Self::Listed(mut dates) => {
                dates.sort_unstable();
                dates
            }
        }
    }
}

fn range_problems(
    dates: &RangeInclusive<NaiveDate>,
    today: NaiveDate,
    zone: Tz,
    max: u32,
) -> Vec<(Problem, Issue)> {
    let (first, last) = (dates.start(), dates.end());
    let mut problems = Vec::new();
    let mut refuse =
        |problem, detail| problems.push((problem, Issue::pointer("/end_date", detail)));
    if last < first {
        let detail =
            format!("end_date must not be before start_date, received {last} before {first}");
        refuse(Problem::RangeInvalid, detail);
    }
    if *last > today {
        let detail =
            format!("end_date must not be after today, {today} in {zone}, received {last}");
        refuse(Problem::RangeInvalid, detail);
    }
    let date_count = date_count(dates);
    if date_count > u64::from(max) {
        refuse(Problem::BackfillTooLarge, too_many(max, date_count));
    }
    problems
}

fn list_problems(
    dates: &[NaiveDate],
    today: NaiveDate,
    zone: Tz,
    max: u32,
) -> Vec<(Problem, Issue)> {
    let at_list = |problem, detail: String| vec![(problem, Issue::pointer("/dates", detail))];
    if dates.is_empty() {
        return at_list(Problem::RangeInvalid, "dates must not be empty".to_owned());
    }
    let count = u64::try_from(dates.len()).unwrap_or(u64::MAX);
    if count > u64::from(max) {
        return at_list(Problem::BackfillTooLarge, too_many(max, count));
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
        } else if *date > today {
            let detail =
                format!("a date must not be after today, {today} in {zone}, received {date}");
            refuse(Problem::RangeInvalid, detail);
        }
    }
    problems
}

fn too_many(max: u32, count: u64) -> String {
    format!("a backfill has at most {max} dates, these are {count}")
}

/// Returns the number of dates in a range: zero if it ends before it begins.
fn date_count(dates: &RangeInclusive<NaiveDate>) -> u64 {
    let days = dates.end().signed_duration_since(*dates.start()).num_days();
    u64::try_from(days.saturating_add(1)).unwrap_or(0)
}
