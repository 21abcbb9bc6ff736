//! The parsed schedules, which a round of the scheduler keeps for the next.
//!
//! `plan` decides what happens to a pending tick.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::plan::{CatchUp, TickPlan};
use crate::cron::Schedule;
use crate::engine::PendingTick;
use crate::error::log;
use crate::limits::Limits;
use crate::model::{PipelineId, Qualified};
use crate::storage::StoredSchedule;

/// The schedules of a round by pipeline. A schedule is parsed again only after it has changed.
#[derive(Debug, Default)]
pub(super) struct ParsedSchedules {
    by_pipeline: HashMap<Qualified<PipelineId>, ParsedSchedule>,
    round: u64,
    /// The number of schedules that were parsed since the start.
    parse_count: u64,
}

#[derive(Debug)]
struct ParsedSchedule {
    expression: String,
    zone: Option<String>,
    /// `None` if a stored schedule is no longer valid. It never fires.
    schedule: Option<Schedule>,
    quiet: Option<Quiet>,
    /// The latest round in which the pipeline had this schedule.
    round: u64,
}

/// A time without a tick, from a cursor to the next fire time.
#[derive(Debug, Clone, Copy)]
struct Quiet {
    from: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
}

/// What is pending for a schedule, and when it fires next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PlannedSchedule {
    pub(super) moves: Vec<PlannedMove>,
    pub(super) next: Option<DateTime<Utc>>,
}

/// A move of the cursor, which fires a tick if it has one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlannedMove {
    pub(super) until: DateTime<Utc>,
    pub(super) tick: Option<PendingTick>,
}

impl ParsedSchedules {
    /// Begins a round.
    pub(super) const fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Ends a round: forgets the schedules that it has not seen.
    pub(super) fn end_round(&mut self) {
        let round = self.round;
        self.by_pipeline.retain(|_, parsed| parsed.round == round);
        log::debug!(
            schedules = self.by_pipeline.len(),
            parsed_since_start = self.parse_count,
            "the schedules were read"
        );
    }

    /// Plans the pending ticks of a schedule.
    pub(super) fn plan(
        &mut self,
        stored: &StoredSchedule,
        now: DateTime<Utc>,
        limits: &Limits,
    ) -> PlannedSchedule {
        let Some(parsed) = self.find(stored) else {
            return PlannedSchedule::default();
        };
        let plan = TickPlan {
            cursor: stored.cursor,
            now,
            grace: limits.tick_grace,
            catch_up: CatchUp::of(&stored.pipeline.definition),
        };
        parsed.plan(&plan)
    }

    fn find(&mut self, stored: &StoredSchedule) -> Option<&mut ParsedSchedule> {
        let definition = &stored.pipeline.definition;
        let expression = definition.schedule.as_deref()?;
        let zone = definition.schedule_timezone.as_deref();
        let pipeline = stored.pipeline.qualified_id();
        let is_known = self
            .by_pipeline
            .get(&pipeline)
            .is_some_and(|known| known.expression == expression && known.zone.as_deref() == zone);
        if !is_known {
            self.parse_count = self.parse_count.saturating_add(1);
            let parsed = ParsedSchedule::new(&stored.pipeline.id, expression, zone);
            self.by_pipeline.insert(pipeline.clone(), parsed);
        }
        let parsed = self.by_pipeline.get_mut(&pipeline)?;
        parsed.round = self.round;
        Some(parsed)
    }
}

impl ParsedSchedule {
    fn new(pipeline_id: &PipelineId, expression: &str, zone: Option<&str>) -> Self {
        let schedule = Schedule::new(expression, zone).inspect_err(|refusal| {
            let why = &refusal.detail;
            log::warn!(%pipeline_id, why, "a stored schedule cannot be read and does not fire");
        });
        Self {
            expression: expression.to_owned(),
            zone: zone.map(str::to_owned),
            schedule: schedule.ok(),
            quiet: None,
            round: 0,
        }
    }

    fn plan(&mut self, plan: &TickPlan) -> PlannedSchedule {
        let Some(schedule) = &self.schedule else {
            return PlannedSchedule::default();
        };
        if let Some(Quiet { from, next }) = self.quiet
            && (from..=plan.now).contains(&plan.cursor)
            && next.is_none_or(|next| plan.now < next)
        {
            let moves = Vec::new();
            return PlannedSchedule { moves, next };
        }
        let moves = plan.moves(schedule).into_iter().map(|planned| {
            let fire_at = planned.until;
            let tick = planned.trigger.map(|trigger| PendingTick {
                fire_at,
                date: schedule.date(fire_at),
                trigger,
            });
            PlannedMove {
                until: fire_at,
                tick,
            }
        });
        let moves: Vec<_> = moves.collect();
        let next = schedule.next(plan.now);
        let from = moves.last().map_or(plan.cursor, |last| last.until);
        self.quiet = Some(Quiet { from, next });
        PlannedSchedule { moves, next }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::model::{Pipeline, StoredPipeline};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn stored(id: &str, expression: &str, cursor: &str) -> StoredSchedule {
        let pipeline = Pipeline::new(id).schedule(expression);
        let pipeline = StoredPipeline::new(
            PipelineId::new(id).unwrap(),
            crate::model::Slug::new(id).unwrap(),
            Arc::new(pipeline),
            at(cursor),
        );
        StoredSchedule::new(pipeline, at(cursor))
    }

    fn round(parsed: &mut ParsedSchedules, stored: &[StoredSchedule], now: &str) -> usize {
        parsed.begin_round();
        let limits = Limits::default();
        let planned = stored
            .iter()
            .map(|stored| parsed.plan(stored, at(now), &limits));
        let pending = planned.filter(|planned| !planned.moves.is_empty()).count();
        parsed.end_round();
        pending
    }

    #[test]
    fn a_save_of_one_pipeline_parses_one_schedule() {
        let cursor = "2024-01-15T06:00:00Z";
        let mut all: Vec<_> = (0..5_000)
            .map(|n| stored(&format!("p{n}"), "0 * * * *", cursor))
            .collect();
        let mut parsed = ParsedSchedules::default();
        for _ in 0..3 {
            assert_eq!(round(&mut parsed, &all, "2024-01-15T06:30:00Z"), 0);
        }
        assert_eq!(parsed.parse_count, 5_000);
        all[7] = stored("p7", "30 * * * *", cursor);
        assert_eq!(round(&mut parsed, &all, "2024-01-15T06:31:00Z"), 1);
        assert_eq!(parsed.parse_count, 5_001);
        let deleted = all.split_off(4_999);
        round(&mut parsed, &all, "2024-01-15T06:31:00Z");
        assert_eq!(parsed.by_pipeline.len(), 4_999);
        all.extend(deleted);
        round(&mut parsed, &all, "2024-01-15T06:31:00Z");
        assert_eq!(parsed.parse_count, 5_002);
    }

    #[test]
    fn a_kept_schedule_plans_what_a_new_one_plans() {
        let limits = Limits::default();
        let mut kept = ParsedSchedules::default();
        let times = [
            "05:59", "06:00", "06:01", "06:59", "07:00", "07:01", "09:30",
        ];
        for cursor in times {
            for now in times {
                let (cursor, now) = [cursor, now]
                    .map(|time| format!("2024-01-15T{time}:00Z"))
                    .into();
                let stored = stored("p", "0 * * * *", &cursor);
                let planned = kept.plan(&stored, at(&now), &limits);
                let fresh = ParsedSchedules::default().plan(&stored, at(&now), &limits);
                assert_eq!(planned, fresh, "cursor {cursor}, now {now}");
            }
        }
    }

    #[test]
    fn an_invalid_schedule_is_parsed_once_and_never_fires() {
        let invalid = [stored("p", "every day", "2024-01-15T06:00:00Z")];
        let mut parsed = ParsedSchedules::default();
        for _ in 0..2 {
            assert_eq!(round(&mut parsed, &invalid, "2024-01-16T06:00:00Z"), 0);
        }
        assert_eq!(parsed.parse_count, 1);
    }
}
