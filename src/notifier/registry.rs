//! The registered notifiers, by name.
//!
//! The builder fills it before the start; `delivery` takes the notifiers from it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Notifier;

/// The registered notifiers, by name.
#[derive(Default)]
pub(crate) struct Notifiers(BTreeMap<String, Arc<dyn Notifier>>);

impl fmt::Debug for Notifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Notifiers {
    /// Registers a notifier. Returns whether the name was free.
    pub(crate) fn insert(&mut self, name: String, notifier: Arc<dyn Notifier>) -> bool {
        self.0.insert(name, notifier).is_none()
    }

    /// Returns the registered names in alphabetical order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Removes and returns the notifier of a name.
    pub(crate) fn take(&mut self, name: &str) -> Option<Arc<dyn Notifier>> {
        self.0.remove(name)
    }
}
