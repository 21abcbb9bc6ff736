//! The arguments of a node function, built from a call.
//!
//! `input` converts the outputs of upstreams. The function itself is in `function`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::config::{self, Config, ConfigType};
use super::conversion::Conversion;
use super::input::convert_inputs;
use super::state::{State, StateType, States};
use super::{Ctx, ExecutorError, FromInput, Input, NodeCall};

/// An argument of a node function: a [`Ctx`], a [`State`], a [`Config`], an input ([`FromInput`])
/// or a [`NodeCall`].
///
/// A host adds arguments by implementing [`FromInput`], never this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an argument of a node function",
    label = "this argument is `{Self}`",
    note = "the rows of upstreams are a `Vec<Row>` whose `Row` derives `serde::Deserialize`, or a `floret::Dataset`",
    note = "other arguments are `Ctx`, `NodeCall`, `State<T>` whose `T` is `Clone`, and `Config<C>` whose `C` derives `serde::Deserialize` and `schemars::JsonSchema`"
)]
pub trait NodeArgument: Sized + Send + 'static {
    /// The number of inputs up to this argument, as a type, from the number before it.
    #[doc(hidden)]
    type Counted<Before: InputCount>: InputCount;

    /// How many of these the argument takes from a call.
    #[doc(hidden)]
    const USES: Uses;

    /// Declares what the argument needs of the host and of the node's config.
    #[doc(hidden)]
    fn declare(_: &mut Needs) {}

    #[doc(hidden)]
    fn take(call: &mut PendingCall<'_>)
    -> impl Future<Output = Result<Self, ExecutorError>> + Send;
}

/// The arguments of a node function: a tuple of one to eight [`NodeArgument`]s in any order, with
/// at most two inputs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of arguments of a node function",
    note = "a node function takes a `Ctx` and up to two inputs"
)]
pub trait NodeArguments: Sized + Send + 'static {
    #[doc(hidden)]
    fn needs() -> Needs;

    #[doc(hidden)]
    fn from_call(
        call: NodeCall,
        needs: &Needs,
    ) -> impl Future<Output = Result<Self, ExecutorError>> + Send;
}

/// What arguments need of the host and of a node's config.
#[doc(hidden)]
#[derive(Default)]
pub struct Needs {
    pub(super) state_types: Vec<StateType>,
    pub(super) config_types: Vec<ConfigType>,
    pub(super) input_count: usize,
    /// The values of the host.
    pub(super) states: States,
}

impl fmt::Debug for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Needs").finish_non_exhaustive()
    }
}

/// What arguments take from a call.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Uses {
    ctx: usize,
    inputs: usize,
}

impl Uses {
    const NONE: Self = Self { ctx: 0, inputs: 0 };

    const fn and(self, other: Self) -> Self {
        Self {
            ctx: self.ctx.saturating_add(other.ctx),
            inputs: self.inputs.saturating_add(other.inputs),
        }
    }
}

/// A call whose parts become arguments.
#[doc(hidden)]
pub struct PendingCall<'a> {
    /// `None` once the last argument that has it was taken.
    ctx: Option<Ctx>,
    inputs: Vec<Input>,
    /// What the arguments use that are still to be taken. Its inputs never change.
    uses: Uses,
    states: &'a States,
    /// The types of the configs that are still to be taken.
    config_types: std::slice::Iter<'a, ConfigType>,
    conversion: Conversion,
}

impl fmt::Debug for PendingCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingCall").finish_non_exhaustive()
    }
}

impl<'a> PendingCall<'a> {
    fn new(call: NodeCall, uses: Uses, needs: &'a Needs) -> Result<Self, ExecutorError> {
        let found = call.inputs.len();
        if uses.inputs == 2 && found != 2 {
            return Err(ExecutorError::permanent(format!(
                "this node expects exactly two upstreams and has {found}"
            )));
        }
        Ok(Self {
            conversion: Conversion::of(&call.ctx),
            ctx: Some(call.ctx),
            inputs: call.inputs,
            uses,
            states: &needs.states,
            config_types: needs.config_types.iter(),
        })
    }

    /// Returns the context, cloned only if another argument needs it.
    fn take_ctx(&mut self) -> Result<Ctx, ExecutorError> {
        self.uses.ctx = self.uses.ctx.saturating_sub(1);
        let ctx = match self.uses.ctx {
            0 => self.ctx.take(),
            _ => self.ctx.clone(),
        };
        ctx.ok_or_else(taken_twice)
    }

    /// Returns the context without taking it from the arguments that follow.
    fn borrow_ctx(&mut self) -> Result<&Ctx, ExecutorError> {
        self.uses.ctx = self.uses.ctx.saturating_sub(1);
        self.ctx.as_ref().ok_or_else(taken_twice)
    }

    /// Returns the inputs of one argument: all of them, or the next of two.
    fn take_inputs(&mut self) -> Vec<Input> {
        if self.uses.inputs < 2 {
            return std::mem::take(&mut self.inputs);
        }
        let rest = self.inputs.split_off(self.inputs.len().min(1));
        std::mem::replace(&mut self.inputs, rest)
    }
}

fn taken_twice() -> ExecutorError {
    ExecutorError::permanent("a part of a call was taken twice")
}

impl NodeArgument for Ctx {
    type Counted<Before: InputCount> = Before;
    const USES: Uses = Uses { ctx: 1, inputs: 0 };

    async fn take(call: &mut PendingCall<'_>) -> Result<Self, ExecutorError> {
        call.take_ctx()
    }
}

/// It has the outputs of all upstreams, so no other argument is an input.
impl NodeArgument for NodeCall {
    type Counted<Before: InputCount> = <Before::Next as InputCount>::Next;
    const USES: Uses = Uses { ctx: 1, inputs: 0 };

    async fn take(call: &mut PendingCall<'_>) -> Result<Self, ExecutorError> {
        Ok(Self::new(
            call.take_ctx()?,
            std::mem::take(&mut call.inputs),
        ))
    }
}

impl<T: Clone + Send + Sync + 'static> NodeArgument for State<T> {
    type Counted<Before: InputCount> = Before;
    const USES: Uses = Uses::NONE;

    fn declare(needs: &mut Needs) {
        needs.state_types.push(StateType::of::<T>());
    }

    async fn take(call: &mut PendingCall<'_>) -> Result<Self, ExecutorError> {
        let missing = || {
            let name = std::any::type_name::<T>();
            ExecutorError::permanent(format!("the host has given no state of the type {name}"))
        };
        call.states.get().map(Self).ok_or_else(missing)
    }
}

impl<C: DeserializeOwned + JsonSchema + Send + 'static> NodeArgument for Config<C> {
    type Counted<Before: InputCount> = Before;
    const USES: Uses = Uses { ctx: 1, inputs: 0 };

    fn declare(needs: &mut Needs) {
        needs.config_types.push(ConfigType::of::<C>());
    }

    async fn take(call: &mut PendingCall<'_>) -> Result<Self, ExecutorError> {
        let config_type = call.config_types.next().ok_or_else(taken_twice)?;
        config::read(config_type, &call.borrow_ctx()?.node.config).map(Self)
    }
}

impl<A: FromInput> NodeArgument for A {
    type Counted<Before: InputCount> = Before::Next;
    const USES: Uses = Uses { ctx: 0, inputs: 1 };

    async fn take(call: &mut PendingCall<'_>) -> Result<Self, ExecutorError> {
        let inputs = call.take_inputs();
        convert_inputs(&call.conversion, inputs).await
    }
}

/// A number of inputs, as a type: the compiler refuses a function with too many.
#[doc(hidden)]
pub trait InputCount {
    /// One more.
    type Next: InputCount;
}

/// At most two inputs.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a node function takes at most two inputs",
    label = "this function has more than two",
    note = "a single input has the rows of all upstreams",
    note = "a `NodeCall` has the outputs of any number of upstreams, each with its node, and allows no other input"
)]
pub trait AtMostTwoInputs {}

macro_rules! input_counts {
    ($($count:ident then $next:ident),*) => {
        $(#[doc(hidden)]
        #[derive(Debug)]
        pub struct $count;

        impl InputCount for $count {
            type Next = $next;
        })*
    };
}

input_counts! {
    NoInput then OneInput,
    OneInput then TwoInputs,
    TwoInputs then TooManyInputs,
    TooManyInputs then TooManyInputs
}

impl AtMostTwoInputs for NoInput {}
impl AtMostTwoInputs for OneInput {}
impl AtMostTwoInputs for TwoInputs {}

/// The number of inputs of a list of arguments.
macro_rules! counted {
    ($before:ty;) => { $before };
    ($before:ty; $first:ident $($rest:ident)*) => {
        counted!(<$first as NodeArgument>::Counted<$before>; $($rest)*)
    };
}

macro_rules! node_arguments {
    ($($argument:ident)+) => {
        impl<$($argument: NodeArgument),*> NodeArguments for ($($argument,)*)
        where
            counted!(NoInput; $($argument)*): AtMostTwoInputs,
        {
            fn needs() -> Needs {
                let mut needs = Needs::default();
                $($argument::declare(&mut needs);)*
                needs.input_count = Uses::NONE$(.and($argument::USES))*.inputs;
                needs
            }

            async fn from_call(call: NodeCall, needs: &Needs) -> Result<Self, ExecutorError> {
                let uses = Uses::NONE$(.and($argument::USES))*;
                let mut call = PendingCall::new(call, uses, needs)?;
                Ok(($($argument::take(&mut call).await?,)*))
            }
        }
    };
}

/// Calls a macro for each number of arguments, with their names.
macro_rules! for_each_arity {
    ($each:ident) => {
        $each!(A);
        $each!(A B);
        $each!(A B C);
        $each!(A B C D);
        $each!(A B C D E);
        $each!(A B C D E G);
        $each!(A B C D E G H);
        $each!(A B C D E G H I);
    };
}

pub(super) use for_each_arity;

for_each_arity!(node_arguments);
