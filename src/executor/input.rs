//! The inputs of a node as arguments of a function: rows typed by serde, or datasets.
//!
//! Which upstreams an argument receives is decided by `arguments`.

use serde::de::DeserializeOwned;

use super::conversion::Conversion;
use super::{ExecutorError, Input};
use crate::compute::is_small;
use crate::limits::DatasetLimits;
use crate::model::Dataset;

/// A function argument that is built from the outputs of upstreams.
///
/// A `Vec` of rows that implement `serde::Deserialize` is one, and so is a [`Dataset`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an argument of a node function",
    label = "this argument is `{Self}`",
    note = "the rows of upstreams are a `Vec<Row>` whose `Row` derives `serde::Deserialize`, or a `floret::Dataset`",
    note = "other arguments are `Ctx`, `NodeCall`, `State<T>` whose `T` is `Clone`, and `Config<C>` whose `C` derives `serde::Deserialize` and `schemars::JsonSchema`"
)]
pub trait FromInput: Sized + Send + 'static {
    /// Concatenates the rows of all inputs. A dataset stays within the limits.
    ///
    /// Floret converts large inputs on a blocking thread.
    ///
    /// # Errors
    /// Returns a permanent error if a row does not match the argument, or the dataset exceeds a
    /// limit.
    fn from_inputs(inputs: &[Input], limits: DatasetLimits) -> Result<Self, ExecutorError>;
}

impl<T: DeserializeOwned + Send + 'static> FromInput for Vec<T> {
    fn from_inputs(inputs: &[Input], _limits: DatasetLimits) -> Result<Self, ExecutorError> {
        let mut rows = Self::new();
        for input in inputs {
            if let Some(dataset) = &input.dataset {
                let input_rows: Self = dataset.deserialize().map_err(|error| {
                    ExecutorError::permanent(format!(
                        "the output of {} does not match the input of this node: {error}",
                        input.node_id
                    ))
                })?;
                rows.extend(input_rows);
            }
        }
        Ok(rows)
    }
}

impl FromInput for Dataset {
    fn from_inputs(inputs: &[Input], limits: DatasetLimits) -> Result<Self, ExecutorError> {
        let datasets: Vec<_> = inputs
            .iter()
            .filter_map(|input| input.dataset.clone())
            .collect();
        Self::concat_within(&datasets, limits)
            .map_err(|error| ExecutorError::permanent(error.to_string()))
    }
}

/// Converts the outputs of upstreams to an argument.
pub(super) async fn convert_inputs<A: FromInput>(
    conversion: &Conversion,
    inputs: Vec<Input>,
) -> Result<A, ExecutorError> {
    let is_small = is_small(inputs.iter().filter_map(|input| input.dataset.as_ref()));
    let convert = move |limits| A::from_inputs(&inputs, limits);
    conversion.run(is_small, convert).await
}
