//! The runs of a new backfill: the instants of its dates, as its unit says.
//!
//! `backfill_dates` checks the dates, and `backfill` creates the runs. A unit other than `day` is a
//! schedule in the zone of the pipeline, so that its instants are fire times: those of a schedule
//! with the same expression, whatever the clock of the zone does.

use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::backfill_dates::{BackfillDates, DateBounds, dates_of};
use super::run_date::pipeline_timezone;
use crate::cron::{Schedule, has_date, start_of_day};
use crate::error::{Issue, Problem};
use crate::model::{BackfillRun, BackfillUnit, Pipeline, RunId};

/// How long after the beginning of a date an earlier date may return. St. John's set its clock back
/// at 00:01, to 23:01 of the day before.
const RETURN_MAX: TimeDelta = TimeDelta::hours(3);

/// What one run of a backfill is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) date: NaiveDate,
    pub(super) scheduled_at: DateTime<Utc>,
    /// The run that it repeats.
    pub(super) repeats: Option<RunId>,
}

/// What decides the intervals of a backfill, apart from its dates.
#[derive(Debug)]
pub(super) struct IntervalPlan {
    bounds: DateBounds,
    /// `None` if the unit is `day`, or if the pipeline has no ticks.
    schedule: Option<Schedule>,
    now: DateTime<Utc>,
}

/// What is wrong with the dates of a backfill.
type Problems = Vec<(Problem, Issue)>;

impl IntervalPlan {
    /// Plans a backfill of a pipeline, which has at most `max` runs.
    pub(super) fn new(
        unit: BackfillUnit,
        definition: &Pipeline,
        now: DateTime<Utc>,
        max: u32,
    ) -> Self {
        let zone = pipeline_timezone(definition);
        let expression = match unit {
            BackfillUnit::Day => None,
            BackfillUnit::Hour => Some("0 * * * *"),
            BackfillUnit::Week => Some("0 0 * * 1"),
            BackfillUnit::Month => Some("0 0 1 * *"),
            BackfillUnit::Tick => definition.schedule.as_deref(),
        };
        let bounds = DateBounds {
            today: now.with_timezone(&zone).date_naive(),
            zone,
            unit,
            max,
        };
        Self {
            bounds,
            // A stored schedule that cannot be read never fires.
            schedule: expression.and_then(|text| Schedule::new(text, Some(zone.name())).ok()),
            now,
        }
    }

    /// Returns the intervals of these dates, the oldest first.
    ///
    /// No more of them are generated than a backfill may have.
    ///
    /// # Errors
    /// Returns what is wrong with the dates.
    pub(super) fn intervals(&self, dates: &BackfillDates) -> Result<Vec<Interval>, Problems> {
        let mut problems = dates.problems(&self.bounds);
        let is_repeat = matches!(dates, BackfillDates::Repeated(_));
        if self.bounds.unit == BackfillUnit::Tick && self.schedule.is_none() && !is_repeat {
            let detail = "unit cannot be tick, because the pipeline has no schedule";
            problems.push((Problem::InvalidField, Issue::pointer("/unit", detail)));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        match (dates, &self.schedule) {
            (BackfillDates::Repeated(runs), _) => {
                Ok(runs.iter().map(|run| self.repeating(run)).collect())
            }
            (BackfillDates::Range(range), Some(schedule)) => self.in_range(schedule, range),
            (BackfillDates::Listed(dates), Some(schedule)) => self.on_dates(schedule, dates),
            (BackfillDates::Range(range), None) => self.days_in_range(range),
            (BackfillDates::Listed(dates), None) => self.days_listed(dates),
        }
    }

    fn days_in_range(&self, range: &RangeInclusive<NaiveDate>) -> Result<Vec<Interval>, Problems> {
        let exists = |date: &NaiveDate| has_date(self.bounds.zone, *date);
        let days = self.days(dates_of(range).filter(exists));
        if days.is_empty() {
            let detail = self.no_date(*range.end());
            let issue = Issue::pointer("/end_date", detail);
            return Err(vec![(Problem::RangeInvalid, issue)]);
        }
        Ok(days)
    }

    fn days_listed(&self, dates: &[NaiveDate]) -> Result<Vec<Interval>, Problems> {
        let absent = dates.iter().enumerate();
        let absent = absent.filter(|(_, date)| !has_date(self.bounds.zone, **date));
        let problem = |(index, date): (usize, &NaiveDate)| {
            let issue = Issue::pointer(format!("/dates/{index}"), self.no_date(*date));
            (Problem::RangeInvalid, issue)
        };
        let problems: Vec<_> = absent.map(problem).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut dates = dates.to_vec();
        dates.sort_unstable();
        Ok(self.days(dates))
    }

    fn no_date(&self, date: NaiveDate) -> String {
        let zone = self.bounds.zone;
        format!("there is no {date} in {zone}: the clock went from the day before to the day after")
    }

    fn days(&self, dates: impl IntoIterator<Item = NaiveDate>) -> Vec<Interval> {
        let day = |date| Interval {
            date,
            scheduled_at: start_of_day(self.bounds.zone, date),
            repeats: None,
        };
        dates.into_iter().map(day).collect()
    }

    /// Returns the interval of an earlier run. Before runs had instants, each was for a date.
    fn repeating(&self, run: &BackfillRun) -> Interval {
        let begin = || start_of_day(self.bounds.zone, run.date);
        Interval {
            date: run.date,
            scheduled_at: run.scheduled_at.unwrap_or_else(begin),
            repeats: Some(run.id),
        }
    }

    fn in_range(
        &self,
        schedule: &Schedule,
        range: &RangeInclusive<NaiveDate>,
    ) -> Result<Vec<Interval>, Problems> {
        let refused = |problem, detail| Err(vec![(problem, Issue::pointer("/end_date", detail))]);
        match self.fire_times(schedule, range, self.bounds.max) {
            None => refused(Problem::BackfillTooLarge, self.bounds.too_many(None)),
            Some(found) if found.is_empty() => {
                let when = format!("from {} to {}", range.start(), range.end());
                refused(Problem::RangeInvalid, self.no_interval(&when))
            }
            Some(found) => Ok(found),
        }
    }

    fn on_dates(
        &self,
        schedule: &Schedule,
        dates: &[NaiveDate],
    ) -> Result<Vec<Interval>, Problems> {
        let (mut intervals, mut problems) = (Vec::new(), Vec::new());
        let mut room = self.bounds.max;
        for (index, date) in dates.iter().enumerate() {
            let Some(found) = self.fire_times(schedule, &(*date..=*date), room) else {
                let issue = Issue::pointer("/dates", self.bounds.too_many(None));
                return Err(vec![(Problem::BackfillTooLarge, issue)]);
            };
            if found.is_empty() {
                let detail = self.no_interval(&format!("on {date}"));
                let issue = Issue::pointer(format!("/dates/{index}"), detail);
                problems.push((Problem::RangeInvalid, issue));
            }
            room = room.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            intervals.extend(found);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        intervals.sort_unstable_by_key(|interval| interval.scheduled_at);
        Ok(intervals)
    }

    /// Returns the fire times on these dates that have come, or `None` if they are more than
    /// `room`.
    fn fire_times(
        &self,
        schedule: &Schedule,
        dates: &RangeInclusive<NaiveDate>,
        room: u32,
    ) -> Option<Vec<Interval>> {
        let zone = self.bounds.zone;
        let next_date = dates.end().succ_opt().map(|next| start_of_day(zone, next));
        let end = next_date.and_then(|begin| begin.checked_add_signed(RETURN_MAX));
        let end = end.map_or(self.now, |end| end.min(self.now));
        let begin = start_of_day(zone, *dates.start());
        let before = begin.checked_sub_signed(TimeDelta::seconds(1));
        let mut at = before.unwrap_or(begin);
        let mut found = Vec::new();
        while let Some(next) = schedule.next(at).filter(|next| *next <= end) {
            at = next;
            let date = schedule.date(next);
            if !dates.contains(&date) {
                continue;
            }
            if found.len() as u64 >= u64::from(room) {
                return None;
            }
            found.push(Interval {
                date,
                scheduled_at: next,
                repeats: None,
            });
        }
        Some(found)
    }

    fn no_interval(&self, when: &str) -> String {
        match self.bounds.unit {
            BackfillUnit::Week => format!("no week begins {when}: a week begins on Monday"),
            BackfillUnit::Tick => format!("the schedule has no fire time {when} that has come"),
            unit => format!("no {} begins {when}", unit.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn plan(unit: BackfillUnit, zone: &str, schedule: Option<&str>, now: &str) -> IntervalPlan {
        let mut pipeline = Pipeline::new("p").schedule_timezone(zone);
        pipeline.schedule = schedule.map(str::to_owned);
        IntervalPlan::new(unit, &pipeline, now.parse().unwrap(), 100)
    }

    fn range(first: &str, last: &str) -> BackfillDates {
        BackfillDates::Range(date(first)..=date(last))
    }

    /// Returns the instants of intervals that were found, after a check of their dates.
    fn instants(plan: &IntervalPlan, dates: &BackfillDates) -> Vec<String> {
        let found = plan.intervals(dates).unwrap();
        assert!(found.is_sorted_by_key(|interval| interval.scheduled_at));
        let in_zone = |interval: &Interval| {
            let wall = interval.scheduled_at.with_timezone(&plan.bounds.zone);
            assert_eq!(wall.date_naive(), interval.date);
            wall.format("%FT%R%z").to_string()
        };
        found.iter().map(in_zone).collect()
    }

    fn refusal(plan: &IntervalPlan, dates: &BackfillDates) -> (Problem, String) {
        let (problem, issue) = plan.intervals(dates).unwrap_err().remove(0);
        (problem, issue.detail)
    }

    #[test]
    fn a_date_has_each_hour_that_passes_on_it_once() {
        let plan = plan(
            BackfillUnit::Hour,
            "Europe/Berlin",
            None,
            "2025-01-01T00:00:00Z",
        );
        for (day, count) in [("2024-03-31", 23), ("2024-06-01", 24), ("2024-10-27", 25)] {
            let found = plan.intervals(&range(day, day)).unwrap();
            assert_eq!(found.len(), count, "{day}");
            let each_hour = found.windows(2).all(|pair| {
                pair[1]
                    .scheduled_at
                    .signed_duration_since(pair[0].scheduled_at)
                    == TimeDelta::hours(1)
            });
            assert!(each_hour, "{day}");
            assert_eq!(
                found[0].scheduled_at,
                start_of_day(plan.bounds.zone, date(day))
            );
        }
        let listed = BackfillDates::Listed(vec![date("2024-10-28"), date("2024-10-27")]);
        let (listed, ranged) = (
            instants(&plan, &listed),
            instants(&plan, &range("2024-10-27", "2024-10-28")),
        );
        assert_eq!(listed, ranged);
        assert_eq!(
            listed[2..4],
            ["2024-10-27T02:00+0200", "2024-10-27T02:00+0100"]
        );
    }

    #[test]
    fn an_hour_that_returns_to_the_day_before_belongs_to_that_day() {
        // At 00:01 on 2010-11-07, the clock of St. John's went back to 23:01 of the day before.
        let zone = "America/St_Johns";
        let plan = plan(
            BackfillUnit::Tick,
            zone,
            Some("30 * * * *"),
            "2011-01-01T00:00:00Z",
        );
        let before = instants(&plan, &range("2010-11-06", "2010-11-06"));
        assert_eq!(
            before[23..],
            ["2010-11-06T23:30-0230", "2010-11-06T23:30-0330"]
        );
        let after = instants(&plan, &range("2010-11-07", "2010-11-07"));
        assert_eq!(
            (after.len(), after[0].as_str()),
            (24, "2010-11-07T00:30-0330")
        );
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_their_first_day() {
        let now = "2025-01-01T00:00:00Z";
        let week = plan(BackfillUnit::Week, "Asia/Tokyo", None, now);
        let found = instants(&week, &range("2024-01-02", "2024-01-15"));
        assert_eq!(found, ["2024-01-08T00:00+0900", "2024-01-15T00:00+0900"]);
        let month = plan(BackfillUnit::Month, "America/New_York", None, now);
        let found = instants(&month, &range("2024-02-01", "2024-04-30"));
        let expected = [
            "2024-02-01T00:00-0500",
            "2024-03-01T00:00-0500",
            "2024-04-01T00:00-0400",
        ];
        assert_eq!(found, expected);
        let (problem, detail) = refusal(&week, &range("2024-01-02", "2024-01-07"));
        assert_eq!(problem, Problem::RangeInvalid);
        assert_eq!(
            detail,
            "no week begins from 2024-01-02 to 2024-01-07: a week begins on Monday"
        );
        let listed = BackfillDates::Listed(vec![date("2024-03-01"), date("2024-03-02")]);
        let refused = month.intervals(&listed).unwrap_err();
        assert_eq!(
            refused[0].1,
            Issue::pointer("/dates/1", "no month begins on 2024-03-02")
        );
    }

    #[test]
    fn a_day_begins_where_the_clock_of_the_zone_lets_it() {
        // Cairo has no midnight on 2024-04-26.
        let plan = plan(
            BackfillUnit::Day,
            "Africa/Cairo",
            None,
            "2025-01-01T00:00:00Z",
        );
        let found = instants(&plan, &range("2024-04-25", "2024-04-26"));
        assert_eq!(found, ["2024-04-25T00:00+0200", "2024-04-26T01:00+0300"]);
    }

    #[test]
    fn a_date_that_the_zone_leaves_out_has_no_run() {
        // Samoa moved across the date line at the end of 2011-12-29.
        let (zone, now) = ("Pacific/Apia", "2012-06-01T00:00:00Z");
        let day = plan(BackfillUnit::Day, zone, None, now);
        let found = instants(&day, &range("2011-12-29", "2011-12-31"));
        assert_eq!(found, ["2011-12-29T00:00-1000", "2011-12-31T00:00+1400"]);
        let listed = BackfillDates::Listed(vec![date("2011-12-29"), date("2011-12-30")]);
        for (dates, at) in [
            (range("2011-12-30", "2011-12-30"), "/end_date"),
            (listed, "/dates/1"),
        ] {
            let (problem, issue) = day.intervals(&dates).unwrap_err().remove(0);
            let detail = "there is no 2011-12-30 in Pacific/Apia: the clock went from the day before to the day after";
            let expected = (Problem::RangeInvalid, Issue::pointer(at, detail));
            assert_eq!((problem, issue), expected);
        }
        // A schedule fires at the end of the time that is left out, as on any such day.
        let tick = plan(BackfillUnit::Tick, zone, Some("0 6 * * *"), now);
        let found = instants(&tick, &range("2011-12-30", "2011-12-31"));
        assert_eq!(found, ["2011-12-31T00:00+1400", "2011-12-31T06:00+1400"]);
    }

    #[test]
    fn only_ticks_that_have_come_are_intervals() {
        let now = "2024-01-03T12:00:00Z";
        let tick = plan(BackfillUnit::Tick, "UTC", Some("0 6,12,18 * * *"), now);
        let found = instants(&tick, &range("2024-01-02", "2024-01-03"));
        assert_eq!(found.len(), 5);
        assert_eq!(found[4], "2024-01-03T12:00+0000");
        let late = plan(BackfillUnit::Tick, "UTC", Some("0 18 * * *"), now);
        assert_eq!(
            refusal(&late, &range("2024-01-03", "2024-01-03")).1,
            "the schedule has no fire time from 2024-01-03 to 2024-01-03 that has come"
        );
        let none = plan(BackfillUnit::Tick, "UTC", None, now);
        let (problem, detail) = refusal(&none, &range("2024-01-02", "2024-01-02"));
        assert_eq!(problem, Problem::InvalidField);
        assert_eq!(
            detail,
            "unit cannot be tick, because the pipeline has no schedule"
        );
    }

    #[test]
    fn no_more_intervals_are_found_than_a_backfill_may_have() {
        let now = "2024-02-01T00:00:00Z";
        let minutes = plan(BackfillUnit::Tick, "UTC", Some("* * * * *"), now);
        let hours = plan(BackfillUnit::Hour, "UTC", None, now);
        let five = (1..=5).map(|day| NaiveDate::from_ymd_opt(2024, 1, day).unwrap());
        for (plan, dates) in [
            (&minutes, range("0000-01-01", "2024-01-01")),
            (&hours, range("2024-01-01", "2024-01-05")),
            (&hours, BackfillDates::Listed(five.collect())),
        ] {
            let (problem, detail) = refusal(plan, &dates);
            assert_eq!(problem, Problem::BackfillTooLarge);
            let unit = plan.bounds.unit.as_str();
            let expected = format!("a backfill has at most 100 {unit}s, these are more");
            assert_eq!(detail, expected);
        }
        let found = instants(&hours, &range("2024-01-01", "2024-01-04"));
        assert_eq!(found.len(), 96);
    }
}
