//! A failed try of a delivery, and what the host's log and metrics say about it.
//!
//! `ledger` decides what follows.

use crate::error::log;
use crate::metrics::{self, Try};
use crate::model::RunId;
use crate::notifier::NotifierError;

/// A failed try, for the log.
#[derive(Debug)]
pub(super) struct FailedTry {
    pub(super) run: RunId,
    pub(super) seq: u64,
    pub(super) tries: u32,
    pub(super) error: NotifierError,
    /// Whether the event became a dead letter.
    pub(super) is_dead: bool,
    /// Whether the notifier is disabled by this try.
    pub(super) disables: bool,
}

impl FailedTry {
    /// Counts and logs the try of a notifier.
    pub(super) fn report(&self, notifier: &str) {
        let Self {
            run,
            seq,
            tries,
            error,
            is_dead,
            disables,
        } = self;
        let outcome = if *is_dead { Try::Dead } else { Try::Failed };
        metrics::delivery_tried(notifier, outcome);
        // The text may come from a remote system. Escaped, it cannot forge a log line.
        let error = error.message();
        if *is_dead {
            log::error!(notifier = %notifier, run_id = %run, seq, tries, ?error, "could not deliver an event; it is now a dead letter");
        } else {
            log::warn!(notifier = %notifier, run_id = %run, seq, tries, ?error, "could not deliver an event; will retry");
        }
        if *disables {
            log::error!(notifier = %notifier, "the receiver wants no more events, so the notifier is disabled until the next start, or until a delivery that a caller retries succeeds; its events become dead letters");
        }
    }
}
