//! The one date of a run, which is also its parameter `date`.
//!
//! Ticks and backfills bring their date. `trigger` and `dry_run` ask here.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::error::{Error, Issue, Problem, Result, quote};
use crate::graph::params::parse_date;
use crate::model::{DATE_PARAM, Params, Pipeline, Run};

/// Returns the time zone in which the dates of a pipeline begin.
pub(super) fn pipeline_timezone(pipeline: &Pipeline) -> Tz {
    let named = pipeline.schedule_timezone.as_deref();
    named
        .and_then(|name| crate::cron::zone(name).ok())
        .unwrap_or(Tz::UTC)
}

/// Returns the date of a run that a caller starts: its parameter `date`, or else the day of its
/// creation in the time zone of the pipeline's schedule.
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
) -> Result<NaiveDate> {
    match params.get(DATE_PARAM).map(String::as_str) {
        None | Some("") => Ok(now.with_timezone(&pipeline_timezone(definition)).date_naive()),
        Some(text) => parse_date(text).ok_or_else(|| {
            let detail = format!(
                "params.date is the date of the run and must be empty or a date such as 2024-01-15, received {}",
                quote(text)
            );
            Error::invalid(
                Problem::InvalidField,
                vec![Issue::pointer("/params/date", detail)],
            )
        }),
    }
}

/// Sets the parameters of a run. Its parameter `date` is always its date.
pub(super) fn set_params(run: &mut Run, params: impl Into<Params>) {
    run.params = params.into();
    run.params.insert(DATE_PARAM, run.date.to_string());
}
