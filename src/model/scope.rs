//! Whose objects a question is about.
//!
//! Deciding the scope of a caller is left to the host (`api::access`); applying it to storage.

use super::TenantId;

/// Whose objects a question sees and a command may touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scope {
    /// Every object, of every tenant and of none.
    #[default]
    All,
    /// Only what belongs to this tenant; all else is as if it did not exist.
    Tenant(TenantId),
}

impl Scope {
    /// Whether an object of `tenant` is inside this scope.
    #[must_use]
    pub fn admits(&self, tenant: Option<&TenantId>) -> bool {
        match self {
            Self::All => true,
            Self::Tenant(own) => tenant == Some(own),
        }
    }

    /// The tenant to which something made within this scope belongs.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::All => None,
            Self::Tenant(own) => Some(own),
        }
    }
}
