//! Run counts by the day of creation, with every day present, for a calendar.
//!
//! The counts come from the figures of storage; no run is read.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use serde::Serialize;

use super::Views;
use crate::error::Result;
use crate::model::{PipelineId, Scope};
use crate::storage::{Figures, FiguresFilter};

/// The number of days of a calendar, if the caller names none.
pub(crate) const CALENDAR_DAYS: u32 = 90;
/// The most days of a calendar.
pub(crate) const CALENDAR_DAYS_MAX: u32 = 365;

/// The days and runs that a calendar counts.
#[derive(Debug, Clone)]
pub(crate) struct CalendarFilter {
    pub(crate) scope: Scope,
    pub(crate) pipeline: Option<PipelineId>,
    /// The last day.
    pub(crate) today: NaiveDate,
    /// The number of days, including the last one.
    pub(crate) days: u32,
}

/// The runs of a day. Fields are in the order of the wire contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CalendarDay {
    /// The day, in UTC, on which the runs were created.
    pub date: NaiveDate,
    /// The runs that have succeeded.
    pub success: u64,
    /// The runs that have failed.
    pub failed: u64,
    /// All runs, whatever their status.
    pub total: u64,
    /// The runs that were cancelled.
    pub cancelled: u64,
    /// The runs that are executing.
    pub running: u64,
    /// The runs that wait.
    pub pending: u64,
}

impl Views {
    /// Returns the counts of every requested day, oldest first, including days without runs.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    pub(crate) async fn calendar(&self, filter: CalendarFilter) -> Result<Vec<CalendarDay>> {
        let days = self.daily_figures(filter).await?;
        Ok(days.into_iter().map(CalendarDay::from).collect())
    }

    /// Returns the figures of every requested day, oldest first, including days without runs.
    pub(super) async fn daily_figures(&self, filter: CalendarFilter) -> Result<Vec<Figures>> {
        let CalendarFilter {
            scope,
            pipeline,
            today,
            days,
        } = filter;
        let before = Days::new(u64::from(days.saturating_sub(1)));
        let from = today.checked_sub_days(before).unwrap_or(NaiveDate::MIN);
        let mut query = FiguresFilter::new(from, today);
        (query.scope, query.pipeline) = (scope, pipeline);
        let found = self.storage.figures(query).await?;
        let mut found: BTreeMap<_, _> = found.into_iter().map(|day| (day.date, day)).collect();
        let dates = from.iter_days().take_while(|date| *date <= today);
        let days = dates.map(|date| found.remove(&date).unwrap_or_else(|| Figures::new(date)));
        Ok(days.collect())
    }
}

/// Returns the number of runs in some figures.
pub(super) const fn count_runs(figures: &Figures) -> u64 {
    let Figures {
        date: _,
        pipeline: _,
        pending,
        running,
        success,
        failed,
        cancelled,
    } = figures;
    *pending + *running + *success + *failed + *cancelled
}

impl From<Figures> for CalendarDay {
    fn from(figures: Figures) -> Self {
        Self {
            date: figures.date,
            success: figures.success,
            failed: figures.failed,
            total: count_runs(&figures),
            cancelled: figures.cancelled,
            running: figures.running,
            pending: figures.pending,
        }
    }
}
