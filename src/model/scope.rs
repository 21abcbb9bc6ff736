//! The scope of a call: the objects that it can see and change.
//!
//! The host decides the scope of a caller (`api/access`). Storage applies it.

use std::fmt::Display;

use super::TenantId;
use crate::error::{Error, Result};

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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Scope {
    /// Every object, with any tenant or with none.
    #[default]
    All,
    /// The objects without a tenant. All others appear not to exist.
    NoTenant,
    /// The objects of this tenant. All others appear not to exist.
    Tenant(TenantId),
}

impl Scope {
    /// Returns the scope that contains exactly the objects of this tenant, or those without one.
    ///
    /// ```
    /// use floret::{Scope, TenantId};
    /// let acme = TenantId::new("acme")?;
    /// assert_eq!(Scope::of(Some(&acme)), Scope::Tenant(acme));
    /// assert_eq!(Scope::of(None), Scope::NoTenant);
    /// # Ok::<(), floret::IdError>(())
    /// ```
    #[must_use]
    pub fn of(tenant: Option<&TenantId>) -> Self {
        tenant.cloned().map_or(Self::NoTenant, Self::Tenant)
    }

    /// Returns whether the scope contains an object of `tenant`.
    #[must_use]
    pub fn admits(&self, tenant: Option<&TenantId>) -> bool {
        match self {
            Self::All => true,
            Self::NoTenant => tenant.is_none(),
            Self::Tenant(own) => tenant == Some(own),
        }
    }

    /// Returns the tenant of an object that is created within this scope.
    #[must_use]
    pub const fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::All | Self::NoTenant => None,
            Self::Tenant(own) => Some(own),
        }
    }

    /// Returns the object that a name stands for within this scope.
    ///
    /// Objects of several tenants may have the same name. Of those in [`Scope::All`], the name
    /// stands for the one without a tenant, or else for the only one. `named` has every object with
    /// this name, and `tenant_of` returns the tenant of one.
    ///
    /// # Errors
    /// `Conflict` (`tenant-required`): the objects in scope belong to several tenants, and the
    /// caller must say which one it means.
    ///
    /// ```
    /// use floret::{Scope, TenantId};
    /// let (acme, globex) = (TenantId::new("acme")?, TenantId::new("globex")?);
    /// let both = [Some(acme.clone()), Some(globex)];
    /// let own = Scope::Tenant(acme).choose("daily", &both, |tenant| tenant.as_ref())?;
    /// assert_eq!(own, Some(&both[0]));
    /// let error = Scope::All.choose("daily", &both, |tenant| tenant.as_ref()).unwrap_err();
    /// assert_eq!(error.slug(), "tenant-required");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn choose<T>(
        &self,
        name: impl Display,
        named: impl IntoIterator<Item = T>,
        tenant_of: impl Fn(&T) -> Option<&TenantId>,
    ) -> Result<Option<T>> {
        let mut chosen = None;
        let mut is_unclear = false;
        for item in named {
            match tenant_of(&item) {
                tenant if !self.admits(tenant) => {}
                None => return Ok(Some(item)),
                Some(_) if chosen.is_some() => is_unclear = true,
                Some(_) => chosen = Some(item),
            }
        }
        if is_unclear {
            return Err(Error::tenant_required(name));
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants(names: &[&str]) -> Vec<Option<TenantId>> {
        let tenant = |name: &&str| TenantId::new(name).ok();
        names.iter().map(tenant).collect()
    }

    #[test]
    fn a_name_stands_for_the_object_without_a_tenant_or_else_for_the_only_one() {
        let (all, none) = (Scope::All, Scope::NoTenant);
        let ann = Scope::Tenant(TenantId::new("ann").unwrap());
        // An empty name is no tenant's: it stands for an object without one.
        for (scope, named, expected) in [
            (&all, &[][..], Ok(None)),
            (&all, &["ann"], Ok(Some("ann"))),
            (&all, &["ann", ""], Ok(Some(""))),
            (&all, &["ann", "ben", ""], Ok(Some(""))),
            (&all, &["ann", "ben"], Err("tenant-required")),
            (&none, &["ann", ""], Ok(Some(""))),
            (&none, &["ann"], Ok(None)),
            (&ann, &["", "ben", "ann"], Ok(Some("ann"))),
            (&ann, &["", "ben"], Ok(None)),
        ] {
            let chosen = scope.choose("daily", tenants(named), Option::as_ref);
            let chosen = chosen
                .map(|found| found.map(|tenant| tenant.map_or(String::new(), String::from)))
                .map_err(|error| error.slug());
            let expected = expected.map(|found| found.map(str::to_owned));
            assert_eq!(chosen, expected, "{scope:?} {named:?}");
        }
    }
}
