//! A step: what the writer is asked to do, so that it can be done again after its group was rolled
//! back.
//!
//! Grouping, committing and what happens after a failure are left to `writer`.

use super::store_error::StoreError;
use super::tx::Tx;
use crate::error::{Error, Result};

/// One step of a group.
pub(super) trait Step: Send {
    /// Does it within the transaction and keeps the outcome; may be called again after a rollback.
    ///
    /// # Errors
    /// Whatever undoes the group; a refusal is an outcome and no error.
    fn apply(&mut self, tx: &mut Tx) -> Result<(), StoreError>;

    /// Answers what was kept, once it is durable.
    fn answer(self: Box<Self>);

    /// Answers that it was not done.
    fn fail(self: Box<Self>, error: Error);
}

/// A step made of what it does and of how it is answered.
pub(super) struct StepFn<T, A, D> {
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
    /// A step that does `run`, as often as it takes, and gives its outcome to `deliver`.
    pub(super) fn boxed(run: A, deliver: D) -> Box<dyn Step> {
        Box::new(Self {
            run,
            deliver,
            outcome: None,
        })
    }
}

impl<T, A, D> Step for StepFn<T, A, D>
where
    T: Send + 'static,
    A: FnMut(&mut Tx) -> Result<T, StoreError> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
{
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
            run: _,
            deliver,
            outcome,
        } = *self;
        deliver(
            outcome
                .unwrap_or_else(|| Err(Error::internal("a step was answered before it was done"))),
        );
    }

    fn fail(self: Box<Self>, error: Error) {
        (self.deliver)(Err(error));
    }
}
