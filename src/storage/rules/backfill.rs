//! Backfill settlement: when an open backfill is cancelled, and when and how it finishes.
//!
//! Storing its counts and cancelling its runs is left to the backends.

use super::refusals::no_run_waits;
use crate::error::Result;
use crate::model::{Backfill, BackfillStatus, RunStatus};

/// The outcomes of the finished runs of a backfill, purged ones included.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::storage) struct BackfillOutcomes {
    pub(in crate::storage) failed: u64,
    pub(in crate::storage) cancelled: u64,
}

impl BackfillOutcomes {
    /// Counts the outcome of one more run.
    pub(in crate::storage) const fn count(&mut self, status: RunStatus) {
        match status {
            RunStatus::Failed => self.failed += 1,
            RunStatus::Cancelled => self.cancelled += 1,
            RunStatus::Pending | RunStatus::Running | RunStatus::Success => {}
        }
    }

    /// Counts a failed run as a success, since a resume of it has succeeded.
    pub(in crate::storage) const fn recover(&mut self) {
        self.failed = self.failed.saturating_sub(1);
    }

    /// Returns the status of a backfill whose runs all finished with these outcomes.
    pub(in crate::storage) const fn status(self) -> BackfillStatus {
        if self.failed > 0 {
            BackfillStatus::Failed
        } else if self.cancelled > 0 {
            BackfillStatus::Cancelled
        } else {
            BackfillStatus::Success
        }
    }

    /// Returns whether enough runs failed that the rest is cancelled.
    fn reach(self, max_failures: Option<u32>) -> bool {
        max_failures.is_some_and(|max| self.failed >= u64::from(max.max(1)))
    }
}

/// Returns whether a request to pause a backfill, or to end its pause, changes it.
///
/// # Errors
/// `RunFinished` if it has finished, or is to be paused and was cancelled.
pub(in crate::storage) fn changes_pause(backfill: &Backfill, pauses: bool) -> Result<bool> {
    let is_refused = match backfill.status {
        BackfillStatus::Running | BackfillStatus::Paused => pauses && backfill.cancel.is_some(),
        BackfillStatus::Success | BackfillStatus::Failed | BackfillStatus::Cancelled => true,
    };
    if is_refused {
        return Err(no_run_waits(backfill.id));
    }
    Ok(backfill.paused.is_some() != pauses)
}

/// An open backfill, with what its settlement depends on.
#[derive(Debug, Clone, Copy)]
pub(in crate::storage) struct OpenBackfill {
    pub(in crate::storage) outcomes: BackfillOutcomes,
    /// Its pending and running runs.
    pub(in crate::storage) unfinished: u64,
    pub(in crate::storage) max_failures: Option<u32>,
    pub(in crate::storage) is_cancelled: bool,
}

/// What happens to an open backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum Settlement {
    /// It stays open.
    StayOpen,
    /// Too many runs failed: it and its unfinished runs are cancelled, then it is settled again.
    CancelRest,
    /// It finishes with this status.
    Finish(BackfillStatus),
}

impl OpenBackfill {
    /// Decides what follows from the outcome that was counted last.
    pub(in crate::storage) fn settle(self) -> Settlement {
        if !self.is_cancelled && self.outcomes.reach(self.max_failures) {
            Settlement::CancelRest
        } else if self.unfinished == 0 {
            Settlement::Finish(self.outcomes.status())
        } else {
            Settlement::StayOpen
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use RunStatus::{Cancelled, Failed, Success};
    use Settlement::{CancelRest, Finish, StayOpen};

    /// Makes an open backfill with these outcomes and this number of unfinished runs.
    fn open(finished: &[RunStatus], unfinished: u64, max_failures: Option<u32>) -> OpenBackfill {
        let mut outcomes = BackfillOutcomes::default();
        finished.iter().for_each(|status| outcomes.count(*status));
        OpenBackfill {
            outcomes,
            unfinished,
            max_failures,
            is_cancelled: false,
        }
    }

    fn cancelled(open: OpenBackfill) -> OpenBackfill {
        OpenBackfill {
            is_cancelled: true,
            ..open
        }
    }

    #[test]
    fn too_many_failures_cancel_the_rest_once() {
        for (open, expected) in [
            (open(&[Failed, Failed], 1, None), StayOpen),
            (open(&[Failed], 1, Some(2)), StayOpen),
            (open(&[Failed, Failed], 1, Some(2)), CancelRest),
            (cancelled(open(&[Failed, Failed], 1, Some(2))), StayOpen),
            (open(&[Failed], 0, Some(1)), CancelRest),
            (open(&[Failed], 1, Some(0)), CancelRest),
            (open(&[Success], 1, Some(0)), StayOpen),
        ] {
            assert_eq!(open.settle(), expected, "{open:?}");
        }
    }

    #[test]
    fn a_recovered_failure_counts_as_a_success() {
        let mut outcomes = open(&[Failed, Cancelled], 0, None).outcomes;
        outcomes.recover();
        assert_eq!(outcomes.status(), BackfillStatus::Cancelled);
        let mut outcomes = open(&[Failed, Success], 0, None).outcomes;
        outcomes.recover();
        assert_eq!(outcomes.status(), BackfillStatus::Success);
        outcomes.recover();
        assert_eq!(outcomes.status(), BackfillStatus::Success);
    }

    #[test]
    fn a_backfill_finishes_with_its_last_run() {
        for (open, expected) in [
            (open(&[Success], 1, None), StayOpen),
            (open(&[Success], 0, None), Finish(BackfillStatus::Success)),
            (
                open(&[Cancelled, Success], 0, None),
                Finish(BackfillStatus::Cancelled),
            ),
            (
                open(&[Failed, Cancelled], 0, None),
                Finish(BackfillStatus::Failed),
            ),
            (
                cancelled(open(&[Failed], 0, Some(1))),
                Finish(BackfillStatus::Failed),
            ),
        ] {
            assert_eq!(open.settle(), expected, "{open:?}");
        }
    }
}
