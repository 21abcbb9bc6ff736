//! The output of an executor.
//!
//! Storing it is left to `engine/checkpoint`, and passing it downstream to `engine/driver`.

use serde::Serialize;

use super::ExecutorError;
use super::conversion::Conversion;
use crate::limits::DatasetLimits;
use crate::model::{Dataset, Shape};

/// The output of a node, which its downstream nodes receive as input.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Output {
    /// No dataset, as from a sink.
    Nothing,
    /// Rows.
    Dataset(Dataset),
    /// The branch that the node takes, with rows or without. See [`Branch`](super::Branch).
    Branch {
        /// The branch: an edge with the other condition is not taken.
        taken: bool,
        /// The rows.
        dataset: Option<Dataset>,
    },
}

impl Output {
    /// Returns the rows.
    pub(crate) const fn dataset(&self) -> Option<&Dataset> {
        match self {
            Self::Nothing => None,
            Self::Dataset(dataset) => Some(dataset),
            Self::Branch { dataset, .. } => dataset.as_ref(),
        }
    }

    /// Returns the branch and the rows.
    pub(crate) fn into_parts(self) -> (Option<bool>, Option<Dataset>) {
        match self {
            Self::Nothing => (None, None),
            Self::Dataset(dataset) => (None, Some(dataset)),
            Self::Branch { taken, dataset } => (Some(taken), dataset),
        }
    }
}

impl From<Dataset> for Output {
    fn from(dataset: Dataset) -> Self {
        Self::Dataset(dataset)
    }
}

/// What a node function may return: what serializes to rows, a [`Dataset`], a
/// [`Branch`](super::Branch) with one of them, or an [`Output`].
///
/// A value that serializes to an array of objects, such as a `Vec` of structs, is a dataset with a
/// row for each. A value that serializes to an object, such as a struct, is a dataset of one row.
/// `()` and `None` are no dataset. A value of another shape fails the node.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// use floret::executor::{Ctx, ExecutorError};
/// use floret::{Pipeline, testing::{memory, run_to_end}};
///
/// #[derive(serde::Serialize)]
/// struct Summary { orders: u64 }
///
/// async fn summary(_: Ctx) -> Result<Summary, ExecutorError> {
///     Ok(Summary { orders: 7 })
/// }
/// let daily = Pipeline::new("daily").node("summary", "summary");
/// let finished = run_to_end(memory().node("summary", summary), daily).await?;
/// assert_eq!(finished.detail.nodes[0].row_count, Some(1));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a node",
    label = "this output is `{Self}`",
    note = "return a `Vec<Row>` or one `Row` that derives `serde::Serialize`, a `floret::Dataset`, or `()`"
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

// The shape of the value decides, since the compiler allows no implementation for every `T:
// Serialize` beside one for `Vec<T>`.
impl<T: Serialize + Send + 'static> IntoOutput for T {
    fn into_output(self, limits: DatasetLimits) -> Result<Output, ExecutorError> {
        let dataset = Dataset::from_value(&self, limits).map_err(|error| {
            ExecutorError::permanent(format!(
                "the output cannot be converted to a dataset: {error}"
            ))
        })?;
        Ok(dataset.map_or(Output::Nothing, Output::Dataset))
    }

    fn row_count(&self) -> usize {
        match Shape::of(self) {
            Shape::Nothing | Shape::Other(_) => 0,
            Shape::Row => 1,
            Shape::Rows(count) => count.unwrap_or(usize::MAX),
        }
    }
}
