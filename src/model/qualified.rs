//! An id with its tenant.
//!
//! `scope` decides which object an id without its tenant stands for.

use std::fmt;
use std::str::FromStr;

use super::{IdError, Scope, TenantId};

/// The id of a pipeline, a connection or a variable together with its tenant.
///
/// An id is unique among the objects of its tenant, and among those without a tenant. Its text is
/// the id, or the tenant and the id with a slash between them. It is the cursor of a list.
///
/// ```
/// use floret::storage::Qualified;
/// use floret::{PipelineId, TenantId};
///
/// let daily = PipelineId::new("daily")?;
/// assert_eq!(Qualified::new(daily.clone(), None).to_string(), "daily");
/// let own = Qualified::new(daily, Some(TenantId::new("acme")?));
/// assert_eq!(own.to_string(), "acme/daily");
/// assert_eq!("acme/daily".parse(), Ok(own));
/// # Ok::<(), floret::IdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Qualified<Id> {
    /// The id.
    pub id: Id,
    /// The tenant that owns the object, if any.
    pub tenant: Option<TenantId>,
}

impl<Id> Qualified<Id> {
    /// Creates the id of an object of this tenant, or of one without a tenant.
    #[must_use]
    pub const fn new(id: Id, tenant: Option<TenantId>) -> Self {
        Self { id, tenant }
    }

    /// Returns the scope that contains this object and the others of its tenant.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::of(self.tenant.as_ref())
    }
}

impl<Id: fmt::Display> fmt::Display for Qualified<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{tenant}/{}", self.id),
            None => self.id.fmt(f),
        }
    }
}

impl<Id: FromStr<Err = IdError>> FromStr for Qualified<Id> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Ok(match text.split_once('/') {
            Some((tenant, id)) => Self::new(id.parse()?, Some(TenantId::new(tenant)?)),
            None => Self::new(text.parse()?, None),
        })
    }
}
