//! Which executor stands behind which node type.
//!
//! Filled by the builder before the start and never changed after it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Executor, ExecutorError, Turns};

/// Executors by the type of the nodes that they execute.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<String, Registered>);

#[derive(Clone)]
struct Registered {
    executor: Arc<dyn Executor>,
    // The same executor where it is not always ready.
    turns: Option<Arc<dyn Turns>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Registry {
    /// Registers an executor; the answer is whether the type was free.
    pub fn insert(&mut self, kind: impl Into<String>, executor: Arc<dyn Executor>) -> bool {
        let registered = Registered {
            executor,
            turns: None,
        };
        self.0.insert(kind.into(), registered).is_none()
    }

    /// Registers an executor that is not always ready; the answer is whether the type was free.
    pub(crate) fn insert_with_turns(&mut self, kind: String, executor: impl Turns) -> bool {
        let turns = Arc::new(executor);
        let registered = Registered {
            executor: Arc::clone(&turns) as Arc<dyn Executor>,
            turns: Some(turns),
        };
        self.0.insert(kind, registered).is_none()
    }

    /// The executor of a type.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn Executor>> {
        self.0.get(kind).map(|registered| &registered.executor)
    }

    /// What executes the next attempt at a node of a type, waited for where the executor is not always ready; none for an unknown type.
    ///
    /// # Errors
    /// Why the executor lets none begin.
    pub(crate) async fn turn(
        &self,
        kind: &str,
    ) -> Result<Option<Arc<dyn Executor>>, ExecutorError> {
        match self.0.get(kind) {
            Some(Registered {
                turns: Some(turns), ..
            }) => turns.turn().await.map(Some),
            Some(Registered { executor, .. }) => Ok(Some(Arc::clone(executor))),
            None => Ok(None),
        }
    }

    /// The registered types, in alphabetical order.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
