//! Schedules as callers see them: the next ticks, the last run, and why the latest tick created no
//! run.
//!
//! The scheduler (`src/scheduler/`) fires them.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Views;
use super::pages::Cut;
use crate::cron::Schedule;
use crate::error::{Result, log};
use crate::limits::{BRACKETS, Room};
use crate::model::{Pause, PipelineId, Scope, SkipReason, TenantId, rfc3339};
use crate::storage::StoredSchedule;

/// The number of upcoming ticks that a schedule shows.
const NEXT_COUNT: usize = 5;

/// A schedule and its ticks. Fields are in the order of the wire contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ScheduleStatus {
    /// The id of the pipeline.
    pub pipeline_id: PipelineId,
    /// The name of the pipeline.
    pub pipeline_name: String,
    /// The expression of the schedule.
    pub schedule: String,
    /// The IANA name of its time zone.
    pub timezone: String,
    /// Whether the schedule fires.
    pub enabled: bool,
    /// The next fire time of an enabled schedule.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    pub next_run: Option<DateTime<Utc>>,
    /// The next five fire times of an enabled schedule.
    #[serde(serialize_with = "rfc3339::serialize_list")]
    pub next_runs: Vec<DateTime<Utc>>,
    /// The fire time of the latest run.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    pub last_run: Option<DateTime<Utc>>,
    /// Since when the pipeline is paused, if it is: its next ticks create no run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// Why the latest tick created no run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped_reason: Option<SkipReason>,
    /// The tenant of the pipeline, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
}

impl Views {
    /// Returns every schedule, by pipeline, and none beyond `bytes_max` bytes. A disabled one has
    /// no next run.
    ///
    /// A schedule that the host does not let fire appears as disabled.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn schedules(
        &self,
        scope: &Scope,
        now: DateTime<Utc>,
        bytes_max: usize,
    ) -> Result<Cut<Vec<ScheduleStatus>>> {
        let stored = self.storage.schedules(scope).await?;
        let view = |stored: StoredSchedule| {
            let enabled =
                stored.pipeline.definition.enabled && self.scheduled.contains(&stored.pipeline);
            view(stored, enabled, now)
        };
        let mut schedules = stored.into_iter().map(view).collect();
        let is_cut = Room(bytes_max.saturating_sub(BRACKETS)).cut(&mut schedules);
        if is_cut {
            log::warn!(
                bytes_max,
                "the status of the scheduler omits the last schedules"
            );
        }
        Ok(Cut {
            value: schedules,
            is_cut,
        })
    }
}

fn view(stored: StoredSchedule, enabled: bool, now: DateTime<Utc>) -> ScheduleStatus {
    let next_runs = if enabled {
        next_runs(&stored, now)
    } else {
        Vec::new()
    };
    let definition = &stored.pipeline.definition;
    ScheduleStatus {
        pipeline_name: definition.name.clone(),
        schedule: definition.schedule.clone().unwrap_or_default(),
        timezone: definition
            .schedule_timezone
            .clone()
            .unwrap_or_else(|| "UTC".to_owned()),
        enabled,
        next_run: next_runs.first().copied(),
        next_runs,
        last_run: stored.last_run,
        paused: stored.pipeline.paused,
        skipped_reason: stored.skipped,
        pipeline_id: stored.pipeline.id,
        tenant: stored.pipeline.tenant,
    }
}

fn next_runs(stored: &StoredSchedule, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let definition = &stored.pipeline.definition;
    let expression = definition.schedule.as_deref();
    let schedule = expression.and_then(|expression| {
        Schedule::new(expression, definition.schedule_timezone.as_deref()).ok()
    });
    let Some(schedule) = schedule else {
        return Vec::new();
    };
    std::iter::successors(schedule.next(now), |last| schedule.next(*last))
        .take(NEXT_COUNT)
        .collect()
}
