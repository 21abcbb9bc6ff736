//! The scope of a call: the objects that it can see and change.
//!
//! The host decides the scope of a caller (`api/access`). Storage applies it.

use super::TenantId;

/// The objects that a query can see and a command can change.
///
/// ```
/// use floret::{Scope, TenantId};
/// let acme = TenantId::new("acme")?;
/// let scope = Scope::Tenant(acme.clone());
/// assert!(scope.admits(Some(&acme)));
/// assert!(!scope.admits(None));
/// # Ok::<(), floret::IdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scope {
    /// Every object, with any tenant or with none.
    #[default]
    All,
    /// The objects of this tenant. All others appear not to exist.
    Tenant(TenantId),
}

impl Scope {
    /// Returns whether the scope contains an object of `tenant`.
    #[must_use]
    pub fn admits(&self, tenant: Option<&TenantId>) -> bool {
        match self {
            Self::All => true,
            Self::Tenant(own) => tenant == Some(own),
        }
    }

    /// Returns the tenant of an object that is created within this scope.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::All => None,
            Self::Tenant(own) => Some(own),
        }
    }
}
