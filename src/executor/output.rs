//! The output of an executor.
//!
//! Storing it is left to `engine/checkpoint`, and passing it downstream to `engine/driver`.

use serde::Serialize;

use super::ExecutorError;
use super::conversion::Conversion;
use crate::limits::DatasetLimits;
use crate::model::Dataset;

/// The output of a node, which its downstream nodes receive as input.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Output {
    /// No dataset, as from a sink.
    Nothing,
    /// Rows.
    Dataset(Dataset),
}

impl From<Dataset> for Output {
    fn from(dataset: Dataset) -> Self {
        Self::Dataset(dataset)
    }
}

/// What a node function may return: `()`, rows that serialize to JSON objects, a
/// [`Dataset`] or an [`Output`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a node",
    label = "this output is `{Self}`",
    note = "return a `Vec<Row>` whose `Row` derives `serde::Serialize`, a `floret::Dataset`, or `()`"
)]
pub trait IntoOutput: Send + 'static {
    /// Converts the value to an output. Rows become a dataset within the limits.
    ///
    /// # Errors
    /// Returns a permanent error if a row does not serialize to a JSON object, or the dataset
    /// exceeds a limit.
    fn into_output(self, limits: DatasetLimits) -> Result<Output, ExecutorError>;

    /// Returns the number of rows to convert. Floret converts many rows on a blocking thread.
    ///
    /// 0, the default, suits a conversion that costs nothing.
    fn row_count(&self) -> usize {
        0
    }
}

/// Rows up to which an output is converted on the async thread, which is faster.
const INLINE_ROWS_MAX: usize = 100;

/// Converts what a function or a service has returned.
pub(super) async fn convert_output<O: IntoOutput>(
    conversion: &Conversion,
    output: O,
) -> Result<Output, ExecutorError> {
    let is_small = output.row_count() <= INLINE_ROWS_MAX;
    let convert = move |limits| output.into_output(limits);
    conversion.run(is_small, convert).await
}

impl IntoOutput for () {
    fn into_output(self, _limits: DatasetLimits) -> Result<Output, ExecutorError> {
        Ok(Output::Nothing)
    }
}

impl IntoOutput for Output {
    fn into_output(self, _limits: DatasetLimits) -> Result<Output, ExecutorError> {
        Ok(self)
    }
}

impl IntoOutput for Dataset {
    fn into_output(self, _limits: DatasetLimits) -> Result<Output, ExecutorError> {
        Ok(Output::Dataset(self))
    }
}

impl<T: Serialize + Send + 'static> IntoOutput for Vec<T> {
    fn into_output(self, limits: DatasetLimits) -> Result<Output, ExecutorError> {
        Dataset::from_serialize_within(&self, limits)
            .map(Output::Dataset)
            .map_err(|error| {
                ExecutorError::permanent(format!(
                    "the rows cannot be converted to a dataset: {error}"
                ))
            })
    }

    fn row_count(&self) -> usize {
        self.len()
    }
}
