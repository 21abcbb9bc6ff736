//! Runs conversions between datasets and the types of functions: small ones inline, large ones on
//! a blocking thread.
//!
//! `function` and `output` define the conversions.

use super::{Ctx, ExecutorError};
use crate::compute::Compute;
use crate::limits::DatasetLimits;

/// How an attempt converts its inputs and its output.
pub(super) struct Conversion {
    compute: Compute,
    limits: DatasetLimits,
}

impl Conversion {
    pub(super) fn of(ctx: &Ctx) -> Self {
        Self {
            compute: ctx.compute.clone(),
            limits: ctx.dataset_limits,
        }
    }

    /// Converts inline if that is fast, and on a blocking thread otherwise.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        is_small: bool,
        convert: impl FnOnce(DatasetLimits) -> Result<T, ExecutorError> + Send + 'static,
    ) -> Result<T, ExecutorError> {
        let limits = self.limits;
        if is_small {
            return convert(limits);
        }
        let converted = self.compute.run(move || convert(limits)).await;
        converted.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ExecutorError::retryable("the runtime is shutting down")),
        })
    }
}
