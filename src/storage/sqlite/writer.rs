//! The one thread that writes: it takes what waits, does it in one transaction, and answers after
//! the commit.
//!
//! What a step does is left to the nouns; opening the file to `open`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::Fault;
use super::file::Watched;
#[cfg(any(test, feature = "testing"))]
use super::hooks::Hooks;
use super::inbox::Inbox;
use super::lock::Lock;
use super::open::connect_to_write;
use super::options::SqliteOptions;
use super::state::meta;
use super::step::Step;
use super::tx::Tx;
use crate::error::{Error, Result, trace_causes};

/// What the writer and the handles share.
#[derive(Debug)]
pub(super) struct Published {
    /// The number of the newest event that is durable. Read and written alone, so that any ordering
    /// would do; it is written before a step is answered.
    pub(super) newest_seq: AtomicU64,
    #[cfg(any(test, feature = "testing"))]
    pub(super) hooks: Hooks,
}

/// The thread's own things.
pub(super) struct Writer {
    pub(super) file: Watched,
    pub(super) options: SqliteOptions,
    pub(super) inbox: Arc<Inbox<Box<dyn Step>>>,
    pub(super) published: Arc<Published>,
    /// None after a failure that left connection and memory unsure; the next group opens it again.
    pub(super) tx: Option<Tx>,
    /// Held until the last write is done.
    pub(super) lock: Arc<Lock>,
}

/// Why a group was not done.
enum Failure {
    /// None of its steps was tried, or none had effect: each gets the same answer.
    Whole(Fault),
    /// One of its steps may be the reason: each is tried alone.
    Step(Fault),
}

impl Writer {
    /// Works until the inbox is closed and empty, then folds the log into the database.
    ///
    /// # Errors
    /// `Internal` when the end was not in order; what was acknowledged is safe all the same.
    pub(super) fn run(mut self) -> Result<()> {
        loop {
            let group = self.inbox.take(self.options.group_max);
            if group.is_empty() {
                break;
            }
            self.process(group);
        }
        self.end()
    }

    fn process(&mut self, mut group: Vec<Box<dyn Step>>) {
        match self.attempt(&mut group) {
            Ok(()) => group.into_iter().for_each(Step::answer),
            Err(Failure::Whole(fault)) => {
                if fault.is_busy() {
                    // They have waited for the same lock: nobody waits longer than for one
                    // time-out.
                    group.extend(self.inbox.drain());
                }
                fail_all(group, fault);
            }
            Err(Failure::Step(fault)) if group.len() == 1 => fail_all(group, fault),
            Err(Failure::Step(fault)) => {
                tracing::warn!(
                    code = ?fault.code(),
                    steps = group.len(),
                    "a group of steps is repeated one by one"
                );
                fault.trace();
                group.into_iter().for_each(|step| self.process(vec![step]));
            }
        }
    }

    /// Does the steps in one transaction. After an error none of them had effect.
    fn attempt(&mut self, steps: &mut [Box<dyn Step>]) -> Result<(), Failure> {
        let mut tx = self.take_tx().map_err(Failure::Whole)?;
        if let Err(fault) = tx.begin() {
            self.tx = Some(tx);
            return Err(Failure::Whole(fault));
        }
        let mut apply = || {
            steps.iter_mut().try_for_each(|step| step.apply(&mut tx))?;
            tx.finish()
        };
        // A panic in a step is a fault of that step alone: the thread is everybody's.
        let done = catch_unwind(AssertUnwindSafe(&mut apply));
        match done.unwrap_or(Err(Fault::Panicked)) {
            Ok(true) => self.commit(tx),
            Ok(false) => self.give_up(tx),
            Err(fault) => {
                // What the steps changed in memory goes with the transaction: the next group reads
                // it again.
                tx.roll_back().map_err(Failure::Whole)?;
                self.tx = Tx::new(tx.conn).ok();
                Err(Failure::Step(fault))
            }
        }
    }

    /// Ends a transaction in which nothing was written.
    fn give_up(&mut self, tx: Tx) -> Result<(), Failure> {
        tx.roll_back().map_err(Failure::Whole)?;
        self.tx = Some(tx);
        Ok(())
    }

    fn commit(&mut self, tx: Tx) -> Result<(), Failure> {
        let commit_no = tx.state.commit_no;
        let newest_seq = tx.newest_seq();
        let Err(fault) = self.try_commit(&tx) else {
            self.published
                .newest_seq
                .store(newest_seq, Ordering::Release);
            self.tx = Some(tx);
            return Ok(());
        };
        tracing::error!(
            code = ?fault.code(),
            "a commit failed; what became of it is read from the store"
        );
        fault.trace();
        // A failed COMMIT may have had effect or not: only a fresh look at the file tells.
        drop(tx);
        let tx = self.take_tx().map_err(Failure::Whole)?;
        let is_done = meta(&tx.conn, "commit_no").map_err(Failure::Whole)? == commit_no;
        self.tx = Some(tx);
        if is_done {
            self.published
                .newest_seq
                .store(newest_seq, Ordering::Release);
            return Ok(());
        }
        Err(if fault.is_disk_full() {
            Failure::Step(fault)
        } else {
            Failure::Whole(fault)
        })
    }

    fn try_commit(&self, tx: &Tx) -> Result<(), Fault> {
        #[cfg(any(test, feature = "testing"))]
        return self.published.hooks.commit(tx);
        #[cfg(not(any(test, feature = "testing")))]
        tx.commit()
    }

    /// The connection and the memory that fits it, opened again where they were given up.
    fn take_tx(&mut self) -> Result<Tx, Fault> {
        self.file.check()?;
        match self.tx.take() {
            Some(tx) => Ok(tx),
            None => Tx::new(connect_to_write(self.file.path(), &self.options)?),
        }
    }

    fn end(mut self) -> Result<()> {
        let tx = self.take_tx().map_err(not_in_order)?;
        let folded = tx
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(Fault::from);
        drop(tx);
        drop(self.lock);
        folded.map_err(not_in_order)
    }
}

fn not_in_order(fault: Fault) -> Error {
    Error::internal("the store was not closed in order").with_source(Error::from(fault))
}

/// All get the same problem, the first one with its cause.
fn fail_all(group: Vec<Box<dyn Step>>, fault: Fault) {
    let code = fault.code();
    let error = Error::from(fault);
    tracing::warn!(%error, ?code, steps = group.len(), "steps were not written");
    trace_causes(&error);
    let (problem, message) = (error.problem(), error.to_string());
    let errors = std::iter::once(error).chain(std::iter::repeat_with(|| {
        Error::new(problem, message.clone())
    }));
    for (step, error) in group.into_iter().zip(errors) {
        step.fail(error);
    }
}
