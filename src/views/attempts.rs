//! The attempts of a node of a run, read from the events of the run.
//!
//! The row of the node shows the newest attempt only. An attempt that a crash interrupted and the
//! one that repeats it are two attempts here, though they have the same number.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Cut, Views};
use crate::error::Result;
use crate::model::{Event, EventKind, NodeId, RunId, Scope, rfc3339};
use crate::storage::{EventFilter, EventPage};

/// The number of events that one query reads.
const EVENTS_PAGE: u32 = 500;

/// The maximum number of attempts in an answer. A node has 101 by its retries; only one that is
/// interrupted again and again has more.
pub(crate) const ATTEMPTS_MAX: usize = 1_000;

/// The kinds of events that begin or end an attempt, or after which none follows.
const KINDS: [EventKind; 10] = [
    EventKind::NodeStarted,
    EventKind::NodeRetrying,
    EventKind::NodeRecovered,
    EventKind::NodeCompleted,
    EventKind::NodeFailed,
    EventKind::NodeCancelled,
    EventKind::NodeSkipped,
    EventKind::RunCompleted,
    EventKind::RunFailed,
    EventKind::RunCancelled,
];

/// The status of an attempt at a node.
///
/// On the wire it is the name in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AttemptStatus {
    /// It is executing, or its process crashed and the node has not started again yet.
    Running,
    /// It succeeded.
    Success,
    /// It failed.
    Failed,
    /// It was cancelled with its run.
    Cancelled,
    /// Its process crashed or was shut down. If the run goes on, an attempt with the same number
    /// follows: an interruption uses up no retry.
    Interrupted,
}

/// An attempt at a node.
///
/// In JSON, fields without a value are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NodeAttempt {
    /// The number of the attempt, from 1.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub attempt: u32,
    /// Its status.
    pub status: AttemptStatus,
    /// When it started.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub started_at: DateTime<Utc>,
    /// When it finished. `None` if it is executing, and if it was interrupted: when is not known.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    pub finished_at: Option<DateTime<Utc>>,
    /// Milliseconds from its start to its end, without the wait for its slot and without the delay
    /// before a retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Why it failed, or what interrupted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Views {
    /// Returns the attempts at a node of a run, oldest first: the newest [`ATTEMPTS_MAX`].
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`, `node-not-found`); `Unavailable`.
    pub(crate) async fn attempts(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Cut<Vec<NodeAttempt>>> {
        let filter = EventFilter {
            scope: scope.clone(),
            run: Some(run),
            pipeline: None,
            kinds: KINDS.to_vec(),
        };
        let until = self.storage.newest_seq().await?;
        let (mut attempts, mut after) = (Attempts::default(), 0);
        while after < until && !attempts.is_over {
            let EventPage { events, up_to, .. } = self
                .storage
                .events(filter.clone(), after, EVENTS_PAGE)
                .await?;
            let is_of_node = |event: &Event| event.node_id.as_ref().is_none_or(|own| own == node);
            events
                .into_iter()
                .filter(is_of_node)
                .for_each(|event| attempts.apply(event));
            after = up_to;
        }
        // Afterwards, so that a run that was purged meanwhile does not pass for one without
        // attempts.
        self.check_node(run, node, scope).await?;
        Ok(attempts.into_answer())
    }
}

/// Returns whether no attempt follows an event: the status of its node or run is final.
const fn is_last(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::NodeCompleted
            | EventKind::NodeFailed
            | EventKind::NodeCancelled
            | EventKind::NodeSkipped
    ) || kind.is_terminal()
}

/// The attempts that the events so far describe.
#[derive(Debug, Default)]
struct Attempts {
    newest: VecDeque<NodeAttempt>,
    is_cut: bool,
    /// Whether no attempt follows, so that the events after it need not be read.
    is_over: bool,
}

impl Attempts {
    fn apply(&mut self, event: Event) {
        self.is_over |= is_last(event.kind);
        match event.kind {
            EventKind::NodeStarted => self.start(&event),
            EventKind::NodeRetrying => {
                let duration_ms = self.running_ms(event.timestamp);
                self.finish(AttemptStatus::Failed, duration_ms, event);
            }
            EventKind::NodeCompleted => {
                self.finish(AttemptStatus::Success, event.duration_ms, event);
            }
            EventKind::NodeFailed => self.finish(AttemptStatus::Failed, event.duration_ms, event),
            // Without an attempt, the node was cancelled while none was executing: a crash had
            // ended it before.
            EventKind::NodeCancelled if event.attempt.is_some() => {
                self.finish(AttemptStatus::Cancelled, event.duration_ms, event);
            }
            EventKind::NodeCancelled => self.interrupt(None),
            EventKind::NodeRecovered => self.interrupt(event.error),
            EventKind::RunCompleted | EventKind::RunFailed | EventKind::RunCancelled => {
                self.interrupt(event.error);
            }
            EventKind::RunCreated
            | EventKind::RunStarted
            | EventKind::RunCancelling
            | EventKind::NodeSkipped
            | EventKind::Log => {}
        }
    }

    fn start(&mut self, event: &Event) {
        self.interrupt(None);
        self.newest.push_back(NodeAttempt {
            attempt: event.attempt.unwrap_or(1),
            status: AttemptStatus::Running,
            started_at: event.timestamp,
            finished_at: None,
            duration_ms: None,
            error: None,
        });
        if self.newest.len() > ATTEMPTS_MAX {
            self.newest.pop_front();
            self.is_cut = true;
        }
    }

    /// Finishes the attempt that is executing. A node that waits for its next attempt has none.
    fn finish(&mut self, status: AttemptStatus, duration_ms: Option<u64>, event: Event) {
        let Some(running) = self.running() else {
            return;
        };
        running.status = status;
        running.finished_at = Some(event.timestamp);
        running.duration_ms = duration_ms;
        running.error = event.error;
    }

    fn interrupt(&mut self, reason: Option<String>) {
        if let Some(running) = self.running() {
            running.status = AttemptStatus::Interrupted;
            running.error = reason;
        }
    }

    fn running(&mut self) -> Option<&mut NodeAttempt> {
        let newest = self.newest.back_mut();
        newest.filter(|attempt| attempt.status == AttemptStatus::Running)
    }

    /// Returns how long the attempt that is executing has taken until an instant.
    fn running_ms(&mut self, until: DateTime<Utc>) -> Option<u64> {
        let started_at = self.running()?.started_at;
        // The wall clock may have stepped back. A duration is never negative.
        Some(u64::try_from((until - started_at).num_milliseconds()).unwrap_or(0))
    }

    fn into_answer(self) -> Cut<Vec<NodeAttempt>> {
        Cut {
            value: self.newest.into(),
            is_cut: self.is_cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;
    use crate::model::PipelineId;

    /// Returns an event of a node at this second.
    fn event(second: u64, kind: EventKind, attempt: u32) -> Event {
        let (run, pipeline) = (RunId::from_uuid(Uuid::nil()), PipelineId::new("daily"));
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(second).unwrap());
        let mut event = Event::new(second, kind, run, pipeline.unwrap(), at);
        (event.attempt, event.duration_ms) = (Some(attempt), Some(7));
        event.error = Some("no route".to_owned());
        event
    }

    #[test]
    fn no_event_is_read_after_the_last_one() {
        use EventKind::{NodeCompleted, NodeRecovered, NodeRetrying, NodeStarted, RunFailed};
        for (kind, is_over) in [
            (NodeStarted, false),
            (NodeRetrying, false),
            (NodeRecovered, false),
            (NodeCompleted, true),
            (EventKind::NodeSkipped, true),
            (RunFailed, true),
        ] {
            let mut attempts = Attempts::default();
            attempts.apply(event(1, kind, 1));
            assert_eq!(attempts.is_over, is_over, "{kind:?}");
        }
    }

    #[test]
    fn a_node_that_is_cancelled_after_a_crash_was_interrupted() {
        let mut attempts = Attempts::default();
        attempts.apply(event(1, EventKind::NodeStarted, 1));
        let mut cancelled = event(2, EventKind::NodeCancelled, 1);
        cancelled.attempt = None;
        attempts.apply(cancelled);
        let only = &attempts.newest[0];
        assert_eq!(only.status, AttemptStatus::Interrupted);
        assert_eq!(only.finished_at, None);
    }

    /// Applies events, one each second.
    fn answer(kinds: &[(EventKind, u32)]) -> Cut<Vec<NodeAttempt>> {
        let mut attempts = Attempts::default();
        for (second, (kind, attempt)) in (1..).zip(kinds) {
            attempts.apply(event(second, *kind, *attempt));
        }
        attempts.into_answer()
    }

    fn statuses(kinds: &[(EventKind, u32)]) -> Vec<(u32, AttemptStatus)> {
        let attempts = answer(kinds).value.into_iter();
        attempts
            .map(|attempt| (attempt.attempt, attempt.status))
            .collect()
    }

    #[test]
    fn each_start_is_an_attempt_with_its_outcome() {
        use AttemptStatus::{Cancelled, Failed, Interrupted, Running, Success};
        use EventKind::{
            NodeCancelled, NodeCompleted, NodeFailed, NodeRecovered, NodeRetrying, NodeStarted,
            RunCancelled, RunFailed,
        };
        type Case<'a> = (&'a [(EventKind, u32)], &'a [(u32, AttemptStatus)]);
        let cases: &[Case<'_>] = &[
            (&[], &[]),
            (&[(NodeStarted, 1)], &[(1, Running)]),
            (&[(NodeStarted, 1), (NodeCompleted, 1)], &[(1, Success)]),
            (
                &[(NodeStarted, 1), (NodeRetrying, 2), (NodeStarted, 2)],
                &[(1, Failed), (2, Running)],
            ),
            (
                &[(NodeStarted, 1), (NodeRetrying, 2), (NodeCancelled, 1)],
                &[(1, Failed)],
            ),
            (&[(NodeStarted, 1), (NodeCancelled, 1)], &[(1, Cancelled)]),
            (
                &[
                    (NodeStarted, 1),
                    (NodeRecovered, 1),
                    (NodeStarted, 1),
                    (NodeFailed, 1),
                ],
                &[(1, Interrupted), (1, Failed)],
            ),
            // A store of an earlier version has no event of a recovery.
            (
                &[(NodeStarted, 1), (NodeStarted, 1)],
                &[(1, Interrupted), (1, Running)],
            ),
            // A poisoned run has no event of the node that was executing.
            (&[(NodeStarted, 1), (RunFailed, 0)], &[(1, Interrupted)]),
            (&[(NodeCancelled, 1), (RunCancelled, 0)], &[]),
        ];
        for (events, expected) in cases {
            assert_eq!(statuses(events), *expected, "{events:?}");
        }
    }

    #[test]
    fn an_attempt_that_is_followed_by_another_has_its_own_duration() {
        use EventKind::{NodeRecovered, NodeRetrying, NodeStarted};
        let all = answer(&[
            (NodeStarted, 1),
            (NodeRetrying, 2),
            (NodeStarted, 2),
            (NodeRecovered, 2),
        ])
        .value;
        assert_eq!(all[0].duration_ms, Some(1_000));
        assert_eq!(all[0].error.as_deref(), Some("no route"));
        assert_eq!((all[1].finished_at, all[1].duration_ms), (None, None));
        assert_eq!(all[1].error.as_deref(), Some("no route"));
    }

    #[test]
    fn the_newest_attempts_are_kept() {
        let mut starts = vec![(EventKind::NodeStarted, 1); ATTEMPTS_MAX];
        assert!(!answer(&starts).is_cut);
        starts.push((EventKind::NodeStarted, 2));
        let Cut { value, is_cut } = answer(&starts);
        assert!(is_cut);
        assert_eq!(value.len(), ATTEMPTS_MAX);
        assert_eq!(value.last().map(|attempt| attempt.attempt), Some(2));
    }
}
