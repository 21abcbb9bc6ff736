//! The registry of executors by node type.
//!
//! `builder` fills the registry. It never changes after Floret has started.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Executor, ExecutorError, Readiness};
use crate::error::{catch_panic_in, trace_panic};

/// Maps each node type to the executor of its nodes.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<String, Registered>);

#[derive(Clone)]
struct Registered {
    // `None` only while it is dropped.
    executor: Option<Arc<dyn Executor>>,
    // The same executor again. `None` if the executor is always ready.
    readiness: Option<Arc<dyn Readiness>>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let own = (self.executor.take(), self.readiness.take());
        // The host may drop its Floret anywhere, also while it unwinds.
        if let Err(panic) = catch_panic_in(|| drop(own)) {
            trace_panic("an executor panicked when it was dropped", &panic);
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Registry {
    /// Registers an executor, and replaces the earlier executor of this type.
    ///
    /// Returns `true` if there was no earlier one.
    pub fn insert(&mut self, kind: impl Into<String>, executor: Arc<dyn Executor>) -> bool {
        self.register(kind.into(), executor, None)
    }

    /// Registers an executor that is not always ready, and replaces the earlier executor of this
    /// type.
    ///
    /// Returns `true` if there was no earlier one.
    pub(crate) fn insert_service(&mut self, kind: String, executor: impl Readiness) -> bool {
        let readiness = Arc::new(executor);
        let executor = Arc::clone(&readiness) as Arc<dyn Executor>;
        self.register(kind, executor, Some(readiness))
    }

    fn register(
        &mut self,
        kind: String,
        executor: Arc<dyn Executor>,
        readiness: Option<Arc<dyn Readiness>>,
    ) -> bool {
        let registered = Registered {
            executor: Some(executor),
            readiness,
        };
        self.0.insert(kind, registered).is_none()
    }

    /// Returns the executor of a type, or `None` if the type is not registered.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn Executor>> {
        self.0.get(kind)?.executor.as_ref()
    }

    /// Waits until the executor of a type is ready, then returns an executor for a single attempt.
    ///
    /// Returns `None` if the type is not registered.
    ///
    /// # Errors
    /// Returns the error of an executor that fails to become ready.
    pub(crate) async fn ready_executor(
        &self,
        kind: &str,
    ) -> Result<Option<Arc<dyn Executor>>, ExecutorError> {
        match self.0.get(kind) {
            Some(Registered {
                readiness: Some(readiness),
                ..
            }) => readiness.ready_executor().await.map(Some),
            Some(Registered { executor, .. }) => Ok(executor.clone()),
            None => Ok(None),
        }
    }

    /// Returns the registered types in alphabetical order.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
