//! Values of the host that node functions take as arguments, such as a pool or a client.
//!
//! `builder` fills them, and checks before the start that none is missing.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::error::{Error, Issue, Problem, Result};

/// A value of the host, as an argument of a node function.
///
/// [`Builder::state`](crate::Builder::state) gives the value. Each attempt gets a clone, so a
/// value that costs something to clone is an `Arc`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// use floret::executor::{Ctx, ExecutorError, State};
/// use floret::{Pipeline, testing::{memory, run_to_end}};
///
/// #[derive(Clone)]
/// struct Prices { eur: f64 }
///
/// async fn convert(ctx: Ctx, State(prices): State<Prices>) -> Result<(), ExecutorError> {
///     ctx.log.info(format!("one euro is {}", prices.eur)).await;
///     Ok(())
/// }
/// let floret = memory().state(Prices { eur: 1.1 }).node("convert", convert);
/// run_to_end(floret, Pipeline::new("daily").node("convert", "convert")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State<T>(pub T);

/// The values of a host, one of each type. Clones share them.
// A lock, since a function is registered before the values that it takes. It is never taken for
// writing after the start.
#[derive(Clone, Default)]
pub(crate) struct States(Arc<RwLock<Given>>);

#[derive(Default)]
struct Given {
    values: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    /// The names of the types of which a second value was given.
    twice: Vec<&'static str>,
    /// The types that functions take, each with the node type.
    required: Vec<(String, StateType)>,
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States").finish_non_exhaustive()
    }
}

/// A type of which a function takes a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct StateType {
    id: TypeId,
    name: &'static str,
}

impl StateType {
    pub(super) fn of<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }
}

impl States {
    pub(crate) fn insert<T: Send + Sync + 'static>(&self, value: T) {
        let mut given = self.0.write();
        let earlier = given.values.insert(TypeId::of::<T>(), Arc::new(value));
        if earlier.is_some() {
            given.twice.push(type_name::<T>());
        }
        // The host's code drops the value, so the lock is released before.
        drop(given);
        drop(earlier);
    }

    /// Notes the types that the function of a node type takes.
    pub(super) fn require(&self, kind: &str, types: &[StateType]) {
        let types = types
            .iter()
            .map(|state_type| (kind.to_owned(), *state_type));
        self.0.write().required.extend(types);
    }

    /// Checks that each type was given once, and each that a function takes.
    ///
    /// # Errors
    /// `Invalid` (`state-twice`, `state-missing`) with every such type.
    pub(crate) fn check(&self) -> Result<()> {
        let given = self.0.read();
        let twice = |name: &&str| {
            let detail = format!(
                "two states of the type {name} were given; wrap one of them in a type of its own"
            );
            Issue::parameter(*name, detail)
        };
        refuse(Problem::StateTwice, given.twice.iter().map(twice))?;
        let missing = |(kind, StateType { name, .. }): &(String, StateType)| {
            let detail = format!(
                "the node type {kind} takes a state of the type {name}, which was not given; call \
                 Builder::state"
            );
            Issue::parameter(kind.clone(), detail)
        };
        let required = given.required.iter();
        let absent = required.filter(|(_, required)| !given.values.contains_key(&required.id));
        refuse(Problem::StateMissing, absent.map(missing))
    }

    /// Returns a clone of the value of this type.
    pub(super) fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        // The host's code clones the value, so the lock is released before.
        let value = self.0.read().values.get(&TypeId::of::<T>()).cloned()?;
        value.downcast_ref().cloned()
    }
}

fn refuse(problem: Problem, issues: impl Iterator<Item = Issue>) -> Result<()> {
    let issues: Vec<_> = issues.collect();
    if issues.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(problem, issues))
}
