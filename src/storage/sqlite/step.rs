//! A step of the writer, which can be applied again after a rollback of its group.
//!
//! `writer` groups, commits and retries the steps.

use super::store_error::StoreError;
use super::tx::Tx;
use crate::error::{Error, Result};

/// What a step does, as far as the writer treats steps differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepKind {
    /// Any step but the following.
    Ordinary,
    /// Renews or releases leases. It changes a few rows, and a run is lost without it.
    Lease,
}

/// One step of a group.
pub(super) trait WriteStep: Send {
    fn kind(&self) -> StepKind;

    /// Applies the step within the transaction and remembers its result.
    ///
    /// It is called again if the group was rolled back.
    ///
    /// # Errors
    /// Any error that rolls back the group. A refusal is a result of the step.
    fn apply(&mut self, tx: &mut Tx) -> Result<(), StoreError>;

    /// Sends the remembered result to the caller. The result is durable.
    fn answer(self: Box<Self>);

    /// Sends an error to the caller: the step was not committed.
    fn fail(self: Box<Self>, error: Error);
}

/// A step made of two closures: one applies it, the other delivers its result.
pub(super) struct StepFn<T, A, D> {
    kind: StepKind,
    run: A,
    deliver: D,
    outcome: Option<Result<T>>,
}

impl<T, A, D> StepFn<T, A, D>
where
    T: Send + 'static,
    A: FnMut(&mut Tx) -> Result<T, StoreError> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
{
    /// Creates a step that calls `run`, repeatedly if needed, and `deliver` once with its result.
    pub(super) fn boxed(kind: StepKind, run: A, deliver: D) -> Box<dyn WriteStep> {
        Box::new(Self {
            kind,
            run,
            deliver,
            outcome: None,
        })
    }
}

impl<T, A, D> WriteStep for StepFn<T, A, D>
where
    T: Send + 'static,
    A: FnMut(&mut Tx) -> Result<T, StoreError> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
{
    fn kind(&self) -> StepKind {
        self.kind
    }

    fn apply(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        self.outcome = Some(match (self.run)(tx) {
            Ok(value) => Ok(value),
            Err(StoreError::Refused(error)) => Err(error),
            Err(error) => return Err(error),
        });
        Ok(())
    }

    fn answer(self: Box<Self>) {
        let Self {
            kind: _,
            run: _,
            deliver,
            outcome,
        } = *self;
        deliver(
            outcome.unwrap_or_else(|| {
                Err(Error::internal("a step was answered before it was applied"))
            }),
        );
    }

    fn fail(self: Box<Self>, error: Error) {
        (self.deliver)(Err(error));
    }
}
