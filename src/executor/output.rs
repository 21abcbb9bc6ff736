//! What an executor hands on.
//!
//! Keeping and sharing it is left to the engine.

use serde::Serialize;

use super::ExecutorError;
use crate::model::Dataset;

/// What a node hands on to its downstreams.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Output {
    /// Nothing, as a sink does.
    Nothing,
    /// Rows.
    Dataset(Dataset),
}

impl From<Dataset> for Output {
    fn from(dataset: Dataset) -> Self {
        Self::Dataset(dataset)
    }
}

/// What a node function may return: `()`, rows that serialise to JSON objects, a [`Dataset`] or an [`Output`].
pub trait IntoOutput: Send + 'static {
    /// Makes it an output.
    ///
    /// # Errors
    /// A permanent error when a row does not serialise to a JSON object.
    fn into_output(self) -> Result<Output, ExecutorError>;
}

impl IntoOutput for () {
    fn into_output(self) -> Result<Output, ExecutorError> {
        Ok(Output::Nothing)
    }
}

impl IntoOutput for Output {
    fn into_output(self) -> Result<Output, ExecutorError> {
        Ok(self)
    }
}

impl IntoOutput for Dataset {
    fn into_output(self) -> Result<Output, ExecutorError> {
        Ok(Output::Dataset(self))
    }
}

impl<T: Serialize + Send + 'static> IntoOutput for Vec<T> {
    fn into_output(self) -> Result<Output, ExecutorError> {
        Dataset::from_serialize(&self)
            .map(Output::Dataset)
            .map_err(|error| ExecutorError::permanent(format!("the rows are no dataset: {error}")))
    }
}
