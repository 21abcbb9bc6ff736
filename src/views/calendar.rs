//! Runs by the day of their creation, every day present, for a calendar.
//!
//! The counts are storage's figures; no run is looked at.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use serde::Serialize;

use super::Views;
use crate::error::Result;
use crate::model::{PipelineId, Scope};
use crate::storage::{Figures, FiguresFilter};

/// Which days of whose runs.
#[derive(Debug, Clone)]
pub(crate) struct CalendarFilter {
    pub(crate) scope: Scope,
    pub(crate) pipeline: Option<PipelineId>,
    /// The last day.
    pub(crate) today: NaiveDate,
    /// How many days, the last one included.
    pub(crate) days: u32,
}

/// One day; the order of the fields is that of the wire.
#[derive(Debug, Serialize)]
pub(crate) struct CalendarDay {
    date: NaiveDate,
    success: u64,
    failed: u64,
    total: u64,
    cancelled: u64,
    running: u64,
    pending: u64,
}

impl Views {
    /// Every day asked for, the oldest first, empty ones too.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    pub(crate) async fn calendar(&self, filter: CalendarFilter) -> Result<Vec<CalendarDay>> {
        let days = self.daily_figures(filter).await?;
        Ok(days.into_iter().map(CalendarDay::from).collect())
    }

    /// The figures of every day asked for, the oldest first, empty ones too.
    pub(super) async fn daily_figures(&self, filter: CalendarFilter) -> Result<Vec<Figures>> {
        let CalendarFilter {
            scope,
            pipeline,
            today,
            days,
        } = filter;
        let before = Days::new(u64::from(days.saturating_sub(1)));
        let from = today.checked_sub_days(before).unwrap_or(NaiveDate::MIN);
        let mut asked = FiguresFilter::new(from, today);
        (asked.scope, asked.pipeline) = (scope, pipeline);
        let found = self.storage.figures(asked).await?;
        let mut found: BTreeMap<_, _> = found.into_iter().map(|day| (day.date, day)).collect();
        let dates = from.iter_days().take_while(|date| *date <= today);
        let days = dates.map(|date| found.remove(&date).unwrap_or_else(|| Figures::new(date)));
        Ok(days.collect())
    }
}

/// All runs of some figures.
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
