//! The dashboard: pipelines, recent runs, open runs and the most failing pipelines in one response.
//!
//! The counts come from the figures of storage. Only yesterday's part of the last 24 hours is
//! counted from runs.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use super::calendar::{CalendarFilter, count_runs};
use super::pages::{Cut, PageWalker, to_json};
use super::pipelines::PipelineSummary;
use super::{PipelineFilter, RunFilter, Views};
use crate::error::Result;
use crate::limits::{Room, json_size};
use crate::model::{
    PageRequest, PipelineId, Qualified, Run, RunStatus, Scope, StoredPipeline, TenantId, percent,
};
use crate::storage::{Figures, FiguresBy, FiguresFilter};

/// The number of days that trends and failures cover.
const DAYS: u32 = 7;
/// The number of recent runs.
const RUNS: u32 = 50;
/// The number of runs that are not finished.
const OPEN: u32 = 20;
/// The number of most failing pipelines.
const FAILING: u32 = 5;

/// The objects that a dashboard covers.
#[derive(Debug, Clone)]
pub(crate) struct DashboardFilter {
    /// The scope of the runs.
    pub(crate) scope: Scope,
    /// The scope of the pipelines; `None` if the caller may not see any.
    pub(crate) pipelines: Option<Scope>,
    pub(crate) now: DateTime<Utc>,
    /// The maximum number of pipelines.
    pub(crate) pipelines_max: usize,
    /// The maximum size of the dashboard as JSON.
    pub(crate) bytes_max: usize,
}

/// The whole dashboard. Fields are in the order of the wire contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Dashboard<P = StoredPipeline> {
    /// The newest pipelines, at most [`Limits::dashboard_pipelines_max`].
    ///
    /// [`Limits::dashboard_pipelines_max`]: crate::Limits::dashboard_pipelines_max
    pub pipelines: Vec<P>,
    /// The 50 newest runs.
    pub recent_runs: Vec<Run>,
    /// The 20 newest runs that are not finished.
    pub open_runs: Vec<Run>,
    /// The last seven days in UTC, the oldest first, with every day present.
    pub trends: Vec<Trend>,
    /// The five pipelines with the most failed runs of these days.
    pub top_failing: Vec<FailingPipeline>,
    /// The runs that were created today, in UTC.
    pub runs_today: u64,
    /// The runs that were created yesterday, in UTC.
    pub runs_yesterday: u64,
    /// The runs that are executing.
    pub runs_running: u64,
    /// The runs that were created in the last 24 hours.
    pub runs_24h_total: u64,
    /// Those of them that have succeeded.
    pub runs_24h_success: u64,
    /// Those of them that have failed.
    pub runs_24h_failed: u64,
    /// The share of successes in percent, or `None` if none of them has succeeded or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_rate_24h: Option<f64>,
}

/// The runs of a day, by the time of their creation in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Trend {
    /// The day.
    pub date: NaiveDate,
    /// The runs that have succeeded.
    pub success: u64,
    /// The runs that have failed.
    pub failed: u64,
    /// All runs, whatever their status.
    pub total: u64,
}

/// A pipeline and its failed runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FailingPipeline {
    /// The id of the pipeline.
    pub pipeline_id: PipelineId,
    /// The name of the pipeline, or its id if it is deleted or hidden.
    pub name: String,
    /// The number of failed runs.
    pub fail_count: u64,
    /// The tenant of the pipeline, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
}

/// The counts of the runs created in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RunCounts {
    total: u64,
    success: u64,
    failed: u64,
}

impl Views {
    /// Returns the dashboard at `filter.now` with the pipelines as storage holds them.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    pub(crate) async fn dashboard_of(&self, filter: DashboardFilter) -> Result<Dashboard> {
        let dashboard = self.dashboard_of_runs(&filter);
        let pipelines = self.pipelines_within(&filter, |stored| Ok((stored, 0)));
        let (mut dashboard, pipelines) = tokio::try_join!(dashboard, pipelines)?;
        dashboard.pipelines = pipelines;
        Ok(dashboard)
    }

    /// Returns the dashboard at `filter.now`, as JSON.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    pub(crate) async fn dashboard(&self, filter: DashboardFilter) -> Result<Cut<Box<RawValue>>> {
        // Half of the time goes to the pipelines, and storage answers several reads at once.
        let (mut dashboard, pipelines) = tokio::try_join!(
            self.dashboard_of_runs(&filter),
            self.pipelines_within(&filter, |stored| {
                let json = to_json(&PipelineSummary(stored))?;
                let bytes = json.get().len();
                Ok((json, bytes))
            })
        )?;
        dashboard.pipelines = pipelines;
        let mut json = to_json(&dashboard)?;
        let is_cut = json.get().len() > filter.bytes_max;
        if is_cut {
            dashboard.cut(filter.bytes_max);
            json = to_json(&dashboard)?;
        }
        Ok(Cut {
            value: json,
            is_cut,
        })
    }

    /// Returns the dashboard without its pipelines.
    async fn dashboard_of_runs<P>(&self, filter: &DashboardFilter) -> Result<Dashboard<P>> {
        let DashboardFilter {
            scope,
            pipelines,
            now,
            pipelines_max: _,
            bytes_max: _,
        } = filter;
        let days = CalendarFilter {
            scope: scope.clone(),
            pipeline: None,
            today: now.date_naive(),
            days: DAYS,
        };
        let days = self.daily_figures(days).await?;
        let mut newest = days.iter().rev();
        let (today, yesterday) = (newest.next(), newest.next());
        let today_counts = today.map_or(RunCounts::NONE, RunCounts::from);
        let last_24h = today_counts.add(self.part_of_yesterday(scope, *now).await?);
        let all = self.newest_runs(scope, Vec::new(), RUNS);
        let open = self.newest_runs(scope, vec![RunStatus::Pending, RunStatus::Running], OPEN);
        let (recent_runs, open_runs) = tokio::try_join!(all, open)?;
        Ok(Dashboard {
            pipelines: Vec::new(),
            recent_runs,
            open_runs,
            top_failing: self.top_failing(&days, scope, pipelines.as_ref()).await?,
            runs_today: today_counts.total,
            runs_yesterday: yesterday.map_or(0, count_runs),
            runs_running: self.storage.stats(scope).await?.running_count,
            runs_24h_total: last_24h.total,
            runs_24h_success: last_24h.success,
            runs_24h_failed: last_24h.failed,
            success_rate_24h: last_24h.success_rate(),
            trends: days.iter().map(Trend::from).collect(),
        })
    }

    /// Returns the newest runs that have one of these statuses, or any if there are none.
    async fn newest_runs(
        &self,
        scope: &Scope,
        statuses: Vec<RunStatus>,
        limit: u32,
    ) -> Result<Vec<Run>> {
        let runs = RunFilter {
            scope: scope.clone(),
            statuses,
            ..RunFilter::default()
        };
        let page = self.list_runs(runs, PageRequest::Newest { limit }).await?;
        Ok(page.items)
    }

    /// Counts the runs of the last 24 hours that were created before today.
    async fn part_of_yesterday(&self, scope: &Scope, now: DateTime<Utc>) -> Result<RunCounts> {
        let midnight = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let from = now.checked_sub_signed(TimeDelta::days(1));
        let count = async |statuses: Vec<RunStatus>| {
            let filter = RunFilter {
                scope: scope.clone(),
                statuses,
                from,
                to: Some(midnight),
                ..RunFilter::default()
            };
            // Only the total is wanted.
            let page = PageRequest::Numbered {
                page: 1,
                per_page: 0,
            };
            let page = self.storage.list_runs(filter, page).await?;
            Ok::<_, crate::error::Error>(page.total.unwrap_or_default())
        };
        Ok(RunCounts {
            total: count(Vec::new()).await?,
            success: count(vec![RunStatus::Success]).await?,
            failed: count(vec![RunStatus::Failed]).await?,
        })
    }

    async fn top_failing(
        &self,
        days: &[Figures],
        scope: &Scope,
        names: Option<&Scope>,
    ) -> Result<Vec<FailingPipeline>> {
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Ok(Vec::new());
        };
        let mut filter = FiguresFilter::new(first.date, last.date);
        filter.scope = scope.clone();
        filter.by = FiguresBy::FailingPipeline { count_max: FAILING };
        let mut failing = Vec::new();
        for figures in self.storage.figures(filter).await? {
            let Some(pipeline) = figures.pipeline else {
                continue;
            };
            let Qualified { id, tenant, .. } = pipeline;
            let own = Scope::of(tenant.as_ref());
            let found = match names {
                Some(scope) if scope.admits(tenant.as_ref()) => {
                    self.storage.find_pipeline(id.as_str(), &own).await?
                }
                Some(_) | None => None,
            };
            failing.push(FailingPipeline {
                name: found.map_or_else(|| id.to_string(), |stored| stored.definition.name.clone()),
                pipeline_id: id,
                tenant,
                fail_count: figures.failed,
            });
        }
        Ok(failing)
    }

    /// Returns the newest pipelines within the bounds of the filter, each in the form that `show`
    /// gives it. `show` also returns the bytes that count.
    async fn pipelines_within<P>(
        &self,
        filter: &DashboardFilter,
        show: impl Fn(StoredPipeline) -> Result<(P, usize)>,
    ) -> Result<Vec<P>> {
        let (max, bytes_max) = (filter.pipelines_max, filter.bytes_max);
        let (mut pipelines, mut bytes) = (Vec::new(), 0_usize);
        let Some(scope) = &filter.pipelines else {
            return Ok(pipelines);
        };
        let in_scope = PipelineFilter {
            scope: scope.clone(),
            ..PipelineFilter::default()
        };
        let mut pages = PageWalker::new();
        while pipelines.len() < max
            && bytes <= bytes_max
            && let Some(page) = pages.next_request()
        {
            let page = self.storage.list_pipelines(in_scope.clone(), page).await?;
            for stored in pages.accept(page) {
                let (shown, size) = show(stored)?;
                bytes = bytes.saturating_add(size);
                pipelines.push(shown);
            }
        }
        pipelines.truncate(max);
        Ok(pipelines)
    }
}

impl<P: Serialize> Dashboard<P> {
    /// Removes the oldest runs and pipelines until the dashboard has at most `bytes_max` bytes as
    /// JSON. Each of the lists may fill a third of the room.
    fn cut(&mut self, bytes_max: usize) {
        let runs = std::mem::take(&mut self.recent_runs);
        let open = std::mem::take(&mut self.open_runs);
        let pipelines = std::mem::take(&mut self.pipelines);
        let third = bytes_max.saturating_sub(json_size(self)) / 3;
        (self.recent_runs, self.open_runs, self.pipelines) = (runs, open, pipelines);
        Room(third).cut(&mut self.recent_runs);
        Room(third).cut(&mut self.open_runs);
        Room(third).cut(&mut self.pipelines);
    }
}

impl RunCounts {
    const NONE: Self = Self {
        total: 0,
        success: 0,
        failed: 0,
    };

    const fn add(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            success: self.success + other.success,
            failed: self.failed + other.failed,
        }
    }

    /// Returns the percentage of successes among succeeded and failed runs, or `None` if there are
    /// neither.
    fn success_rate(self) -> Option<f64> {
        percent(self.success, self.success.saturating_add(self.failed))
    }
}

impl From<&Figures> for RunCounts {
    fn from(figures: &Figures) -> Self {
        Self {
            total: count_runs(figures),
            success: figures.success,
            failed: figures.failed,
        }
    }
}

impl From<&Figures> for Trend {
    fn from(figures: &Figures) -> Self {
        Self {
            date: figures.date,
            success: figures.success,
            failed: figures.failed,
            total: count_runs(figures),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_success_rate_counts_only_succeeded_and_failed_runs() {
        let rate = |success, failed| {
            let total = success + failed + 7;
            let counts = RunCounts {
                total,
                success,
                failed,
            };
            counts.success_rate()
        };
        let rates = [rate(0, 0), rate(0, 3), rate(3, 0), rate(2, 1)];
        assert_eq!(rates, [None, Some(0.0), Some(100.0), Some(66.7)]);
    }
}
