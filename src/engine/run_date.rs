//! The one date of a run, which is also its parameter `date`, and the instant that goes with it.
//!
//! Ticks and backfills bring their own. `trigger` and `dry_run` ask here.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::cron::start_of_day;
use crate::error::{Error, Issue, Problem, Result, quote};
use crate::graph::params::parse_run_date;
use crate::model::{DATE_PARAM, Params, Pipeline, Run};

/// Returns the time zone in which the dates of a pipeline begin.
pub(super) fn pipeline_timezone(pipeline: &Pipeline) -> Tz {
    let named = pipeline.schedule_timezone.as_deref();
    named
        .and_then(|name| crate::cron::zone(name).ok())
        .unwrap_or(Tz::UTC)
}

/// Returns the date of a run that a caller starts, and its instant: its parameter `date` and the
/// beginning of it, or else the day of its creation and no other instant than that of its creation.
/// Both are dates in the time zone of the pipeline's schedule.
///
/// `params` are the pipeline's parameters, overridden by the caller's. An empty `date` counts as
/// none, so that a pipeline can declare the parameter without a value.
///
/// # Errors
/// `Invalid` (`invalid-field`) if `date` is no date.
pub(super) fn run_date(
    params: &BTreeMap<String, String>,
    definition: &Pipeline,
    now: DateTime<Utc>,
) -> Result<(NaiveDate, Option<DateTime<Utc>>)> {
    let zone = pipeline_timezone(definition);
    let text = match params.get(DATE_PARAM).map(String::as_str) {
        None | Some("") => return Ok((now.with_timezone(&zone).date_naive(), None)),
        Some(text) => text,
    };
    match parse_run_date(text) {
        Some(date) => Ok((date, Some(start_of_day(zone, date)))),
        None => {
            let detail = format!(
                "params.date is the date of the run and must be empty or a date such as 2024-01-15, received {}",
                quote(text)
            );
            let issues = vec![Issue::pointer("/params/date", detail)];
            Err(Error::invalid(Problem::InvalidField, issues))
        }
    }
}

/// Returns the instant of a run, which those that resume or repeat it keep.
pub(super) fn kept_instant(old: &Run, definition: &Pipeline) -> DateTime<Utc> {
    match (old.scheduled_at, old.backfill_id) {
        // Before runs had instants, those of backfills were for their dates.
        (None, Some(_)) => start_of_day(pipeline_timezone(definition), old.date),
        (Some(_), _) | (None, None) => old.instant(),
    }
}

/// Sets the parameters of a run. Its parameter `date` is always its date.
pub(super) fn set_params(run: &mut Run, params: impl Into<Params>) {
    run.params = params.into();
    run.params.insert(DATE_PARAM, run.date.to_string());
}
