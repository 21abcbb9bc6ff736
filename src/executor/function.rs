//! Async functions as executors.
//!
//! The arguments are in `arguments`, the return values in `output`.

use std::marker::PhantomData;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::arguments::{Needs, for_each_arity};
use super::config;
use super::conversion::Conversion;
use super::output::convert_output;
use super::state::States;
use super::{Asset, Effect, Executor, ExecutorError, IntoOutput, NodeArguments, NodeCall, Output};
use crate::error::Issue;
use crate::model::Node;

/// An async function that executes nodes.
///
/// Its arguments are a [`Ctx`](super::Ctx), values of the host ([`State`](super::State)), the
/// node's config ([`Config`](super::Config)) and up to two inputs, or a [`NodeCall`] instead of
/// inputs. An input is a `Vec` of rows or a [`Dataset`](crate::Dataset). A single input has the
/// rows of all upstreams in the order of the edges. Two inputs require exactly two upstreams.
///
/// The function returns a `Result` of an [`IntoOutput`] and a [`NodeError`]. Its future is `Send`.
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
/// # let _ = floret::testing::memory().node("total", total);
/// ```
// Its implementations have no bound but the number of arguments. The compiler then chooses one for
// every function, and reports each bound of `Builder::node` that fails by itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that can execute nodes",
    label = "this is not an async function of one to eight arguments",
    note = "a node function is `async fn(Ctx, Vec<Row>) -> Result<Vec<Row>, ExecutorError>`, with none, one or two inputs",
    note = "a closure that captures a value clones it for each call: `move |ctx: Ctx| {{ let pool = pool.clone(); async move {{ … }} }}`"
)]
pub trait NodeFunction<Args> {
    /// What the function returns: a future of a [`NodeResult`].
    type Future;

    /// Calls the function.
    fn call(&self, args: Args) -> Self::Future;
}

macro_rules! node_functions {
    ($($argument:ident)+) => {
        impl<F, R, $($argument),+> NodeFunction<($($argument,)+)> for F
        where
            F: Fn($($argument),+) -> R,
        {
            type Future = R;

            #[expect(non_snake_case, reason = "an argument has the name of its type")]
            fn call(&self, ($($argument,)+): ($($argument,)+)) -> R {
                self($($argument),+)
            }
        }
    };
}

for_each_arity!(node_functions);

/// What a node function returns: a `Result` of an [`IntoOutput`] and a [`NodeError`].
#[diagnostic::on_unimplemented(
    message = "a node function returns a `Result`, not `{Self}`",
    label = "this function returns `{Self}`",
    note = "write `-> Result<Vec<Row>, ExecutorError>` or, without rows, `-> Result<(), ExecutorError>`"
)]
pub trait NodeResult {
    /// The output of a node.
    type Output: IntoOutput;

    /// Returns the output, or the error as an [`ExecutorError`].
    ///
    /// # Errors
    /// Returns the converted error of the function.
    fn into_result(self) -> Result<Self::Output, ExecutorError>;
}

/// An error that a node function may return.
///
/// These are [`ExecutorError`] and all that `?` converts to one: any `std::error::Error`, `Box<dyn
/// Error + Send + Sync>`, a text, and the errors of anyhow and eyre.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a node function",
    label = "this function returns the error `{Self}`",
    note = "write `floret::executor::ExecutorError`, to which `?` converts any error that is `Send + Sync`",
    note = "for a boxed error write `Box<dyn std::error::Error + Send + Sync>`"
)]
pub trait NodeError {
    /// Converts the error.
    fn into_executor_error(self) -> ExecutorError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<ExecutorError>> NodeError for E {
    fn into_executor_error(self) -> ExecutorError {
        self.into()
    }
}

impl<O: IntoOutput, E: NodeError> NodeResult for Result<O, E> {
    type Output = O;

    fn into_result(self) -> Result<O, ExecutorError> {
        self.map_err(NodeError::into_executor_error)
    }
}

/// A function registered as a node type.
pub(crate) struct FunctionExecutor<F, Args> {
    function: F,
    effect: Effect,
    needs: Needs,
    args: PhantomData<fn(Args)>,
}

impl<F, Args: NodeArguments> FunctionExecutor<F, Args> {
    /// Notes the states that the function takes. The host may give them later.
    pub(crate) fn new(kind: &str, function: F, effect: Effect, states: &States) -> Self {
        let mut needs = Args::needs();
        states.require(kind, &needs.state_types);
        needs.states = states.clone();
        Self {
            function,
            effect,
            needs,
            args: PhantomData,
        }
    }
}

#[async_trait]
impl<F, Args> Executor for FunctionExecutor<F, Args>
where
    F: NodeFunction<Args> + Send + Sync + 'static,
    F::Future: Future<Output: NodeResult> + Send,
    Args: NodeArguments,
{
    async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        let conversion = Conversion::of(&call.ctx);
        let args = Args::from_call(call, &self.needs).await?;
        let output = self.function.call(args).await.into_result()?;
        convert_output(&conversion, output).await
    }

    fn effect(&self, _node: &Node) -> Effect {
        self.effect
    }

    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue> {
        config::issues(&self.needs.config_types, config)
    }

    fn assets(&self, _node: &Node) -> Vec<Asset> {
        Vec::new()
    }

    fn config_keys(&self) -> Option<&[&str]> {
        let [config_type] = self.needs.config_types.as_slice() else {
            return None;
        };
        config_type.fields()
    }

    fn input_count(&self) -> Option<usize> {
        // A function without inputs may take them from its call.
        Some(self.needs.input_count).filter(|count| *count > 0)
    }

    fn config_schema(&self) -> Option<Value> {
        config::combined_schema(&self.needs.config_types)
    }
}
