//! The calls of a storage: sends steps to the writer and reads to the readers, and waits for their
//! results.
//!
//! `step` and `reader` define what is sent.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::inbox::InboxPriority;
use super::reader::{ReadJob, Reader};
use super::step::{StepFn, StepKind, WriteStep};
use super::store_error::StoreError;
use super::sweep::sweep_step;
use super::tx::Tx;
use super::{SqliteStorage, rules, step_dropped};
use crate::error::{Error, Problem, Result};

impl SqliteStorage {
    /// Sends a step to the writer. Returns its result once the step is durable.
    pub(super) async fn step<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut Tx) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        self.step_with(InboxPriority::Normal, StepKind::Ordinary, run)
            .await
    }

    /// Sends a step that renews or releases leases.
    pub(super) async fn step_for_leases<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut Tx) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        self.step_with(InboxPriority::Normal, StepKind::Lease, run)
            .await
    }

    /// Sends a step that other steps may overtake.
    pub(super) async fn step_low<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut Tx) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        self.step_with(InboxPriority::Low, StepKind::Ordinary, run)
            .await
    }

    pub(super) async fn step_with<T: Send + 'static>(
        &self,
        priority: InboxPriority,
        kind: StepKind,
        mut run: impl FnMut(&mut Tx) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        let steps = Arc::clone(&self.0.steps);
        let run = move |tx: &mut Tx| {
            let value = run(tx)?;
            Ok((value, std::mem::take(&mut tx.wants_sweep)))
        };
        // The writer completes the step even if the caller no longer waits.
        let deliver = move |outcome: Result<(T, bool)>| {
            if matches!(outcome, Ok((_, true))) {
                steps.push_background(sweep_step(Arc::clone(&steps)));
            }
            drop(sender.send(outcome.map(|(value, _)| value)));
        };
        let step = StepFn::boxed(kind, run, deliver);
        self.send(priority, step).await?;
        answer.await.unwrap_or_else(|_| Err(step_dropped()))
    }

    pub(super) async fn send(
        &self,
        priority: InboxPriority,
        step: Box<dyn WriteStep>,
    ) -> Result<()> {
        if self.0.steps.push(priority, step).await {
            Ok(())
        } else if self.0.is_read_only {
            Err(Error::new(
                Problem::Forbidden,
                "the store is open for reading alone",
            ))
        } else if self.0.is_closing.load(Ordering::Acquire) {
            Err(rules::shutting_down())
        } else {
            Err(StoreError::WriterGone.into())
        }
    }

    /// Sends a read to the readers. Returns its result.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        // The caller waits as long as this token lives.
        let caller = Arc::new(());
        let waiting = Arc::downgrade(&caller);
        let job: ReadJob = Box::new(move |reader| {
            if !sender.is_closed() {
                drop(sender.send(reader.bounded(waiting, read)));
            }
        });
        if !self.0.read_jobs.push(InboxPriority::Normal, job).await {
            return Err(rules::shutting_down());
        }
        let outcome = answer.await;
        drop(caller);
        match outcome {
            Ok(outcome) => outcome.map_err(Error::from),
            Err(_) => Err(Error::internal("a read failed unexpectedly")),
        }
    }
}
