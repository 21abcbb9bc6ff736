//! Applies a group of steps in one transaction and answers them after the commit.
//!
//! A group that fails is divided until the step that makes it fail stands alone. `writer` takes the
//! groups.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::meta::meta;
use super::panics::returns;
use super::step::{StepKind, WriteStep};
use super::store_error::StoreError;
use super::tx::Tx;
use super::writer::Writer;
use crate::clock::RealTimer;
use crate::error::{Error, Result, log, trace_causes};
use crate::metrics;

type Group = Vec<Box<dyn WriteStep>>;

/// How often a group may fail because of the disk before its remaining steps fail together.
///
/// Every failure reads the memory again, which is long if many runs are pending. The second one
/// shows that the disk cannot take a smaller group either.
const DISK_FAILURES_MAX: u32 = 2;

/// The pause between two tries to open a store whose commit failed.
const REOPEN_PAUSE: Duration = Duration::from_millis(100);

/// Why a group of steps was not committed.
enum GroupFailure {
    /// No step is the cause. All steps get the same error.
    FailAll(StoreError),
    /// One of the steps may be the cause. Smaller groups are tried.
    Divide(StoreError),
}

impl Writer {
    pub(super) fn process_group(&mut self, group: Group) {
        let mut disk_failures = 0;
        let mut size_max = self.options.group_max;
        // The group to try next is the last one.
        let mut remaining = vec![group];
        while let Some(mut group) = remaining.pop() {
            // A part of a failed group does not grow.
            match self.apply_group(&mut group, std::mem::take(&mut size_max)) {
                Ok(()) => answer_all(group),
                Err(GroupFailure::FailAll(error)) => {
                    group.extend(take_all(&mut remaining));
                    if error.is_busy() {
                        // The queued steps waited for the same lock. This way, no caller waits for
                        // a second timeout.
                        group.extend(self.inbox.drain());
                    }
                    fail_all(group, error);
                }
                Err(GroupFailure::Divide(error)) => {
                    disk_failures += u32::from(error.is_of_the_disk());
                    if disk_failures == DISK_FAILURES_MAX {
                        group.extend(take_all(&mut remaining));
                        self.give_up(group, error);
                    } else if group.len() == 1 {
                        fail_all(group, error);
                    } else {
                        log_division(&error, group.len());
                        let last = group.split_off(group.len() / 2);
                        remaining.extend([last, group]);
                    }
                }
            }
        }
    }

    /// Fails steps that the disk does not take, except those that hold leases: without them, an
    /// outage would cost the runs that execute.
    fn give_up(&mut self, group: Group, error: StoreError) {
        let (mut leases, others): (Group, Group) = group
            .into_iter()
            .partition(|step| step.kind() == StepKind::Lease);
        fail_all(others, error);
        if leases.is_empty() {
            return;
        }
        match self.apply_group(&mut leases, 0) {
            Ok(()) => answer_all(leases),
            Err(GroupFailure::FailAll(error) | GroupFailure::Divide(error)) => {
                fail_all(leases, error);
            }
        }
    }

    /// Applies the steps in one transaction. After an error, none of them had an effect.
    ///
    /// Steps that arrive meanwhile join the group, as long as it has less than `size_max` steps.
    fn apply_group(&mut self, steps: &mut Group, size_max: usize) -> Result<(), GroupFailure> {
        let mut tx = self.take_tx().map_err(GroupFailure::FailAll)?;
        if let Err(error) = tx.begin() {
            self.tx = Some(tx);
            return Err(GroupFailure::FailAll(error));
        }
        let mut apply = || {
            let mut applied = 0;
            while applied < steps.len() {
                let mut new = steps.iter_mut().skip(applied);
                new.try_for_each(|step| step.apply(&mut tx))?;
                applied = steps.len();
                steps.extend(self.inbox.take_arrived(size_max.saturating_sub(applied)));
            }
            tx.finish()
        };
        // All callers share this thread, so that a panic must fail only the step that caused it.
        let applied = catch_unwind(AssertUnwindSafe(&mut apply));
        match applied.unwrap_or(Err(StoreError::Panicked)) {
            Ok(true) => self.commit(tx, steps.len()),
            Ok(false) => self.roll_back_empty(tx),
            Err(error) => {
                tx.roll_back().map_err(GroupFailure::FailAll)?;
                // The steps changed the memory as well, and a panic may have left it inconsistent.
                self.tx = match error {
                    StoreError::Panicked => Tx::new(tx.conn, tx.unreadable).ok(),
                    _ => tx.reload().ok(),
                };
                Err(GroupFailure::Divide(error))
            }
        }
    }

    /// Rolls back a transaction that wrote nothing.
    fn roll_back_empty(&mut self, tx: Tx) -> Result<(), GroupFailure> {
        tx.roll_back().map_err(GroupFailure::FailAll)?;
        self.tx = Some(tx);
        Ok(())
    }

    fn commit(&mut self, mut tx: Tx, steps: usize) -> Result<(), GroupFailure> {
        let changes = tx.state.pipelines.take_changes();
        let found = &self.published.found_pipelines;
        // Until the outcome is known, callers find pipelines in the rows.
        let _found = (!changes.is_empty()).then(|| found.begin_change());
        let _change = tx
            .changes_finished
            .then(|| self.published.finished_changes.begin());
        let commit_no = tx.state.commit_no;
        let newest_seq = tx.newest_seq();
        let timer = RealTimer::start();
        let Err(error) = self.try_commit(&tx) else {
            metrics::committed(steps, timer.elapsed());
            self.published.search_cache.apply(changes);
            self.published.set_newest_seq(newest_seq);
            self.tx = Some(tx);
            return Ok(());
        };
        let code = error.code();
        log::error!(
            ?code,
            "a commit failed with an unknown outcome; the store is read again"
        );
        error.trace();
        // The outcome of a failed COMMIT is unknown until the file is opened again. Searches read
        // the rows meanwhile, as all other reads do.
        self.published.search_cache.forget();
        drop(tx);
        let stored = self.reopen_to_compare().map_err(GroupFailure::FailAll)?;
        if stored == commit_no {
            self.published.set_newest_seq(newest_seq);
            return Ok(());
        }
        Err(if error.is_disk_full() {
            GroupFailure::Divide(error)
        } else {
            GroupFailure::FailAll(error)
        })
    }

    fn try_commit(&self, tx: &Tx) -> Result<(), StoreError> {
        #[cfg(any(test, feature = "testing"))]
        return self.published.fault_injector.commit(tx);
        #[cfg(not(any(test, feature = "testing")))]
        tx.commit()
    }

    /// Opens the store again, and returns the number of its last commit.
    ///
    /// The callers of the failed commit wait, because only this number can answer them. Callers
    /// that come meanwhile get an error after a pause, because their steps have had no effect.
    ///
    /// # Errors
    /// `Unknown` if the store cannot be opened within `outcome_timeout`, or is closed meanwhile.
    fn reopen_to_compare(&mut self) -> Result<i64, StoreError> {
        let pauses = self.options.outcome_timeout.as_millis() / REOPEN_PAUSE.as_millis();
        for _ in 0..pauses {
            let Err(error) = self.reopen() else {
                break;
            };
            // A file that was replaced does not come back by itself, but an operator may put it
            // back.
            fail_all(self.inbox.drain(), error);
            if self.inbox.waits_for_close(REOPEN_PAUSE) {
                break;
            }
        }
        self.reopen()
            .map_err(|error| StoreError::Unknown(Box::new(error)))
    }

    fn reopen(&mut self) -> Result<i64, StoreError> {
        let tx = self.take_tx()?;
        let stored = meta(&tx.conn, "commit_no")?;
        self.tx = Some(tx);
        Ok(stored)
    }
}

fn take_all(groups: &mut Vec<Group>) -> impl Iterator<Item = Box<dyn WriteStep>> {
    groups.drain(..).rev().flatten()
}

/// Answers steps whose results are durable. A caller's runtime that panics costs no other caller
/// its answer.
fn answer_all(group: Group) {
    for step in group {
        returns(|| step.answer());
    }
}

fn log_division(error: &StoreError, steps: usize) {
    let code = error.code();
    log::warn!(
        ?code,
        steps,
        "a group of steps failed and is tried in halves"
    );
    error.trace();
}

/// Fails all steps with the same problem. Only the first error carries the cause.
fn fail_all(group: Group, error: StoreError) {
    if group.is_empty() {
        return;
    }
    let code = error.code();
    let error = Error::from(error);
    log::warn!(%error, ?code, steps = group.len(), "steps were not written");
    trace_causes(&error);
    let (problem, message) = (error.problem(), error.to_string());
    let errors = std::iter::once(error).chain(std::iter::repeat_with(|| {
        Error::new(problem, message.clone())
    }));
    for (step, error) in group.into_iter().zip(errors) {
        returns(|| step.fail(error));
    }
}
