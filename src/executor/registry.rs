//! Which executor stands behind which node type.
//!
//! Filled by the builder before the start and never changed after it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Executor;

/// Executors by the type of the nodes that they execute.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<String, Arc<dyn Executor>>);

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Registry {
    /// Registers an executor; the answer is whether the type was free.
    pub fn insert(&mut self, kind: impl Into<String>, executor: Arc<dyn Executor>) -> bool {
        self.0.insert(kind.into(), executor).is_none()
    }

    /// The executor of a type.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn Executor>> {
        self.0.get(kind)
    }

    /// The registered types, in alphabetical order.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
