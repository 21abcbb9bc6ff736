//! Where a new run waits in the queue: its priority, and until when it stays pending.
//!
//! Storage claims the runs in this order (`storage/queue`).

use chrono::{DateTime, Months, SubsecRound as _, TimeDelta, Utc};

use crate::error::{Error, Issue, Problem, Result};
use crate::model::{Priority, Run, rfc3339};

/// How far ahead a run can be created. A year: what lies beyond is a schedule.
const AHEAD_MAX: Months = Months::new(12);

/// Where a caller asks a new run to wait.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct QueuePlace {
    pub(crate) priority: Priority,
    /// The run stays pending until then. A time that has passed delays nothing.
    pub(crate) run_after: Option<DateTime<Utc>>,
}

impl QueuePlace {
    /// Gives a new run this place.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) if it would wait for more than a year.
    pub(super) fn give_to(self, mut run: Run) -> Result<Run> {
        run.priority = self.priority;
        run.run_after = self.run_after.map(in_millis);
        let latest = run.created_at.checked_add_months(AHEAD_MAX);
        match (run.run_after, latest) {
            (Some(after), Some(latest)) if after > latest => Err(too_late(after, latest)),
            _ => Ok(run),
        }
    }
}

/// Rounds a time up to milliseconds, which storage keeps. A run never starts earlier.
fn in_millis(time: DateTime<Utc>) -> DateTime<Utc> {
    let millis = time.trunc_subsecs(3);
    if millis == time {
        return time;
    }
    millis
        .checked_add_signed(TimeDelta::milliseconds(1))
        .unwrap_or(millis)
}

fn too_late(after: DateTime<Utc>, latest: DateTime<Utc>) -> Error {
    let [after, latest] = [after, latest].map(|time| rfc3339::text(&time));
    let detail =
        format!("run_after must be at most a year ahead, until {latest}, received {after}");
    let issues = vec![Issue::pointer("/run_after", detail)];
    Error::invalid(Problem::InvalidField, issues)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{PipelineId, RunId, Trigger};

    fn placed(run_after: &str) -> Result<Run> {
        let at: DateTime<Utc> = "2024-01-15T06:00:00Z".parse().unwrap();
        let (id, pipeline) = (
            RunId::from_uuid(Uuid::nil()),
            PipelineId::new("daily").unwrap(),
        );
        let run = Run::new(id, pipeline, 1, Trigger::Manual, at.date_naive(), at);
        let place = QueuePlace {
            priority: Priority::Low,
            run_after: Some(run_after.parse().unwrap()),
        };
        place.give_to(run)
    }

    #[test]
    fn a_run_may_wait_for_a_year() {
        for (given, expected) in [
            ("2025-01-15T06:00:00Z", "2025-01-15T06:00:00Z"),
            ("2024-01-15T06:00:00.123001Z", "2024-01-15T06:00:00.124Z"),
            ("1999-01-01T00:00:00Z", "1999-01-01T00:00:00Z"),
        ] {
            let run = placed(given).unwrap();
            assert_eq!(run.run_after, Some(expected.parse().unwrap()), "{given}");
            assert_eq!(run.priority, Priority::Low);
        }
        let refused = placed("2025-01-15T06:00:00.0001Z").unwrap_err().to_string();
        assert_eq!(
            refused,
            "run_after must be at most a year ahead, until 2025-01-15T06:00:00Z, \
             received 2025-01-15T06:00:00.001Z"
        );
    }
}
