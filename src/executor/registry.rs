//! The registry of executors by node type, and the tenants to which a type is open.
//!
//! `builder` fills the registry. It never changes after Floret has started.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::{Executor, ExecutorError, Readiness};
use crate::error::{Error, Issue, Problem, Result, catch_panic_in, trace_panic};
use crate::model::TenantId;

/// Maps each node type to the executor of its nodes.
#[derive(Clone, Default)]
pub struct Registry {
    executors: BTreeMap<String, Registered>,
    // The types that are not open to every tenant.
    tenants: BTreeMap<String, BTreeSet<TenantId>>,
    // The calls of a builder that named a type without an executor, and these types.
    unknown: Vec<(&'static str, String)>,
}

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
        f.debug_set().entries(self.executors.keys()).finish()
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
        self.executors.insert(kind, registered).is_none()
    }

    /// Opens a type to these tenants only. Pipelines without a tenant can always use it.
    ///
    /// A type that this method was never called for is open to all.
    pub fn restrict(
        &mut self,
        kind: impl Into<String>,
        tenants: impl IntoIterator<Item = TenantId>,
    ) {
        self.tenants
            .insert(kind.into(), tenants.into_iter().collect());
    }

    /// Returns the executor of a type for pipelines of this tenant.
    ///
    /// Returns `None` if the type is not registered or is closed to the tenant.
    #[must_use]
    pub fn get(&self, kind: &str, tenant: Option<&TenantId>) -> Option<&Arc<dyn Executor>> {
        let executor = self.executors.get(kind)?.executor.as_ref();
        executor.filter(|_| !self.is_closed(kind, tenant))
    }

    /// Returns whether a type is closed to pipelines of this tenant.
    #[must_use]
    pub fn is_closed(&self, kind: &str, tenant: Option<&TenantId>) -> bool {
        match (self.tenants.get(kind), tenant) {
            (Some(open_to), Some(tenant)) => !open_to.contains(tenant),
            (None, _) | (_, None) => false,
        }
    }

    /// Waits until the executor of a type is ready, then returns an executor for a single attempt.
    ///
    /// Returns `None` if the type is not registered. The caller has checked with [`Registry::get`]
    /// that the tenant may use it.
    ///
    /// # Errors
    /// Returns the error of an executor that fails to become ready.
    pub(crate) async fn ready_executor(
        &self,
        kind: &str,
    ) -> Result<Option<Arc<dyn Executor>>, ExecutorError> {
        match self.executors.get(kind) {
            Some(Registered {
                readiness: Some(readiness),
                ..
            }) => readiness.ready_executor().await.map(Some),
            Some(Registered { executor, .. }) => Ok(executor.clone()),
            None => Ok(None),
        }
    }

    /// Returns the types that pipelines of this tenant can use, in alphabetical order.
    pub fn kinds<'a>(&'a self, tenant: Option<&'a TenantId>) -> impl Iterator<Item = &'a str> {
        let kinds = self.executors.keys().map(String::as_str);
        kinds.filter(move |kind| !self.is_closed(kind, tenant))
    }

    /// Replaces the executor of a registered node type by what `replace` makes of it. Another name
    /// is noted for [`Registry::check_names`].
    #[cfg(feature = "testing")]
    pub(crate) fn replace(
        &mut self,
        kind: String,
        replace: impl FnOnce(Arc<dyn Executor>) -> Arc<dyn Executor>,
    ) {
        match self.get(&kind, None).map(Arc::clone) {
            Some(original) => {
                self.insert(kind, replace(original));
            }
            None => self.unknown.push(("replace", kind)),
        }
    }

    /// Refuses calls that name node types without an executor: a mistyped name would leave a type
    /// open to every tenant, or a test with the executor of the host.
    ///
    /// # Errors
    /// `Invalid` (`node-type-unknown`) with every such type.
    pub(crate) fn check_names(&self) -> Result<()> {
        let issue = |(call, kind): (&str, &String)| {
            let detail = format!("{call} names the node type {kind}, which is not registered");
            Issue::parameter(kind.clone(), detail)
        };
        let restricted = self.tenants.keys().map(|kind| ("for_tenants", kind));
        let restricted = restricted.filter(|(_, kind)| !self.executors.contains_key(*kind));
        let others = self.unknown.iter().map(|(call, kind)| (*call, kind));
        let unknown: Vec<_> = restricted.chain(others).map(issue).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(Problem::NodeTypeUnknown, unknown))
    }
}
