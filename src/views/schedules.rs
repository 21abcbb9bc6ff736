//! Schedules as callers see them: the next ticks, the last run, and why the latest tick created no
//! run.
//!
//! The scheduler (`src/scheduler/`) fires them.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Views;
use super::pages::Cut;
use crate::cron::Schedule;
use crate::error::Result;
use crate::limits::{BRACKETS, Room};
use crate::model::{PipelineId, Scope, SkipReason, TenantId, rfc3339};
use crate::storage::StoredSchedule;

/// The number of upcoming ticks that a schedule shows.
const NEXT_COUNT: usize = 5;

/// A schedule. Fields are in the order of the wire contract.
#[derive(Debug, Serialize)]
pub(crate) struct ScheduleView {
    pipeline_id: PipelineId,
    pipeline_name: String,
    schedule: String,
    timezone: String,
    enabled: bool,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    next_run: Option<DateTime<Utc>>,
    next_runs: Vec<rfc3339::Text>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    last_run: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped_reason: Option<SkipReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
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
    ) -> Result<Cut<Vec<ScheduleView>>> {
        let stored = self.storage.schedules(scope).await?;
        let view = |stored: StoredSchedule| {
            let enabled =
                stored.pipeline.definition.enabled && self.scheduled.contains(&stored.pipeline);
            view(stored, enabled, now)
        };
        let mut schedules = stored.into_iter().map(view).collect();
        let is_cut = Room(bytes_max.saturating_sub(BRACKETS)).cut(&mut schedules);
        if is_cut {
            tracing::warn!(
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

fn view(stored: StoredSchedule, enabled: bool, now: DateTime<Utc>) -> ScheduleView {
    let next_runs = if enabled {
        next_runs(&stored, now)
    } else {
        Vec::new()
    };
    let definition = &stored.pipeline.definition;
    ScheduleView {
        pipeline_name: definition.name.clone(),
        schedule: definition.schedule.clone().unwrap_or_default(),
        timezone: definition
            .schedule_timezone
            .clone()
            .unwrap_or_else(|| "UTC".to_owned()),
        enabled,
        next_run: next_runs.first().copied(),
        next_runs: next_runs.into_iter().map(rfc3339::Text).collect(),
        last_run: stored.last_run,
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
