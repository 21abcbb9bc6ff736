//! Async functions as executors, with rows typed by serde or with datasets.
//!
//! The arguments are in `call`, the return values in `output`.

use std::marker::PhantomData;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::conversion::Conversion;
use super::output::convert_output;
use super::{Asset, Ctx, Effect, Executor, ExecutorError, Input, IntoOutput, NodeCall, Output};
use crate::compute::is_small;
use crate::error::Issue;
use crate::limits::DatasetLimits;
use crate::model::{Dataset, Node};

/// An async function that executes nodes.
///
/// Its arguments are a [`NodeCall`], or a [`Ctx`] and up to two inputs. An input is a `Vec` of rows
/// or a [`Dataset`]. A single input has the rows of all upstreams in the order of the edges. Two
/// inputs require exactly two upstreams.
///
/// The function returns `Result<impl IntoOutput, impl Into<ExecutorError>>`.
///
/// ```
/// use floret::executor::{Ctx, ExecutorError};
/// #[derive(serde::Deserialize)]
/// struct Order { amount: i64 }
/// #[derive(serde::Serialize)]
/// struct Total { amount: i64 }
///
/// async fn total(_: Ctx, orders: Vec<Order>) -> Result<Vec<Total>, ExecutorError> {
///     Ok(vec![Total { amount: orders.iter().map(|order| order.amount).sum() }])
/// }
/// # fn takes<A>(_: impl floret::executor::NodeFunction<A>) {}
/// # takes(total);
/// ```
#[async_trait]
pub trait NodeFunction<Args>: Send + Sync + 'static {
    /// Calls the function.
    ///
    /// # Errors
    /// Returns the function's error, or a permanent error if an input does not match its arguments.
    async fn call(&self, call: NodeCall) -> Result<Output, ExecutorError>;
}

/// A function argument that is built from the outputs of upstreams.
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
async fn convert_inputs<A: FromInput>(
    conversion: &Conversion,
    inputs: Vec<Input>,
) -> Result<A, ExecutorError> {
    let is_small = is_small(inputs.iter().filter_map(|input| input.dataset.as_ref()));
    let convert = move |limits| A::from_inputs(&inputs, limits);
    conversion.run(is_small, convert).await
}

#[async_trait]
impl<F, Fut, O, E> NodeFunction<(NodeCall,)> for F
where
    F: Fn(NodeCall) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: IntoOutput,
    E: Into<ExecutorError>,
{
    async fn call(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        let conversion = Conversion::of(&call.ctx);
        let output = self(call).await.map_err(Into::into)?;
        convert_output(&conversion, output).await
    }
}

#[async_trait]
impl<F, Fut, O, E> NodeFunction<(Ctx,)> for F
where
    F: Fn(Ctx) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: IntoOutput,
    E: Into<ExecutorError>,
{
    async fn call(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        let conversion = Conversion::of(&call.ctx);
        let output = self(call.ctx).await.map_err(Into::into)?;
        convert_output(&conversion, output).await
    }
}

#[async_trait]
impl<F, Fut, A, O, E> NodeFunction<(Ctx, A)> for F
where
    F: Fn(Ctx, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    A: FromInput,
    O: IntoOutput,
    E: Into<ExecutorError>,
{
    async fn call(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        let conversion = Conversion::of(&call.ctx);
        let input = convert_inputs(&conversion, call.inputs).await?;
        let output = self(call.ctx, input).await.map_err(Into::into)?;
        convert_output(&conversion, output).await
    }
}

#[async_trait]
impl<F, Fut, A, B, O, E> NodeFunction<(Ctx, A, B)> for F
where
    F: Fn(Ctx, A, B) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    A: FromInput,
    B: FromInput,
    O: IntoOutput,
    E: Into<ExecutorError>,
{
    async fn call(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        let conversion = Conversion::of(&call.ctx);
        let inputs = <[Input; 2]>::try_from(call.inputs).map_err(|inputs| {
            let found = inputs.len();
            ExecutorError::permanent(format!(
                "this node expects exactly two upstreams and has {found}"
            ))
        });
        let [first, second] = inputs?;
        let first = convert_inputs(&conversion, vec![first]).await?;
        let second = convert_inputs(&conversion, vec![second]).await?;
        let output = self(call.ctx, first, second).await.map_err(Into::into)?;
        convert_output(&conversion, output).await
    }
}

/// A function registered as a node type.
pub(crate) struct FunctionExecutor<F, Args> {
    function: F,
    effect: Effect,
    args: PhantomData<fn(Args)>,
}

impl<F: NodeFunction<Args>, Args> FunctionExecutor<F, Args> {
    pub(crate) const fn new(function: F, effect: Effect) -> Self {
        Self {
            function,
            effect,
            args: PhantomData,
        }
    }
}

#[async_trait]
impl<F: NodeFunction<Args>, Args: 'static> Executor for FunctionExecutor<F, Args> {
    async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        self.function.call(call).await
    }

    fn effect(&self, _node: &Node) -> Effect {
        self.effect
    }

    fn validate(&self, _config: &Map<String, Value>) -> Vec<Issue> {
        Vec::new()
    }

    fn assets(&self, _node: &Node) -> Vec<Asset> {
        Vec::new()
    }
}
