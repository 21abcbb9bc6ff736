//! The permissions that routes require, and the set of permissions that a caller holds.
//!
//! The host decides which caller holds which permission; `access` asks it.

use std::fmt;

use crate::model::{CallerName, Scope};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A permission that a route requires. Its `Display` is its name in the API, such as
        /// `pipelines.run`.
        ///
        /// ```
        /// use floret::Permission;
        ///
        /// let named = |name: &str| Permission::ALL.iter().find(|own| own.as_str() == name);
        /// assert_eq!(named("runs.cancel"), Some(&Permission::RunsCancel));
        /// assert!(!Permission::RunsCancel.is_view());
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Permission {
            $($(#[$doc])* $name,)*
        }

        impl Permission {
            /// Every permission.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the name of the permission in the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

permissions! {
    /// View the definitions of pipelines.
    PipelinesView = "pipelines.view",
    /// Create a pipeline.
    PipelinesCreate = "pipelines.create",
    /// Replace the definition of a pipeline.
    PipelinesEdit = "pipelines.edit",
    /// Delete a pipeline.
    PipelinesDelete = "pipelines.delete",
    /// Start runs.
    PipelinesRun = "pipelines.run",
    /// View runs, their logs and their data.
    RunsView = "runs.view",
    /// Change the labels and notes of runs.
    RunsEdit = "runs.edit",
    /// Cancel runs.
    RunsCancel = "runs.cancel",
    /// Resume failed runs.
    RunsResume = "runs.resume",
    /// View connections.
    ConnectionsView = "connections.view",
    /// Create connections.
    ConnectionsCreate = "connections.create",
    /// Replace connections.
    ConnectionsEdit = "connections.edit",
    /// Delete connections.
    ConnectionsDelete = "connections.delete",
    /// View variables.
    VariablesView = "variables.view",
    /// Create variables.
    VariablesCreate = "variables.create",
    /// Replace variables.
    VariablesEdit = "variables.edit",
    /// Delete variables.
    VariablesDelete = "variables.delete",
    /// View the state of the system.
    SettingsView = "settings.view",
    /// Change the system: purge old runs.
    SettingsEdit = "settings.edit",
    /// Stream events.
    EventsView = "events.view",
}

impl Permission {
    /// Returns whether the permission only allows viewing objects.
    #[must_use]
    pub const fn is_view(self) -> bool {
        match self {
            Self::PipelinesView
            | Self::RunsView
            | Self::ConnectionsView
            | Self::VariablesView
            | Self::SettingsView
            | Self::EventsView => true,
            Self::PipelinesCreate
            | Self::PipelinesEdit
            | Self::PipelinesDelete
            | Self::PipelinesRun
            | Self::RunsEdit
            | Self::RunsCancel
            | Self::RunsResume
            | Self::ConnectionsCreate
            | Self::ConnectionsEdit
            | Self::ConnectionsDelete
            | Self::VariablesCreate
            | Self::VariablesEdit
            | Self::VariablesDelete
            | Self::SettingsEdit => false,
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The permissions of a caller and the scope of the objects that it sees.
///
/// A host's middleware puts them into the extensions of a request.
///
/// ```
/// use floret::{Permission, Permissions, Scope, TenantId};
/// let own = Permissions::of([Permission::RunsView, Permission::PipelinesRun])
///     .scope(Scope::Tenant(TenantId::new("acme")?));
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(own);
/// # Ok::<(), floret::IdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    held: u32,
    scope: Scope,
    name: Option<CallerName>,
}

impl Permissions {
    /// Grants these permissions on the objects of every tenant.
    #[must_use]
    pub fn of(permissions: impl IntoIterator<Item = Permission>) -> Self {
        let held = permissions.into_iter().map(Permission::bit);
        Self {
            held: held.fold(0, |held, bit| held | bit),
            scope: Scope::All,
            name: None,
        }
    }

    /// Grants every permission.
    #[must_use]
    pub fn all() -> Self {
        Self::of(Permission::ALL.iter().copied())
    }

    /// Grants every permission that only allows viewing objects.
    #[must_use]
    pub fn read_only() -> Self {
        let every = Permission::ALL.iter().copied();
        Self::of(every.filter(|permission| permission.is_view()))
    }

    /// Restricts the permissions to the objects of this scope.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Names the caller. The runs that it creates say so
    /// ([`Run::created_by`](crate::Run::created_by)), and so does the
    /// [audit](crate::Client::audit).
    #[must_use]
    pub fn by(mut self, name: impl Into<CallerName>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Returns the name of the caller, if the host has given one.
    #[must_use]
    pub const fn name(&self) -> Option<&CallerName> {
        self.name.as_ref()
    }

    /// Returns whether the caller holds this permission.
    #[must_use]
    pub const fn has(&self, permission: Permission) -> bool {
        self.held & permission.bit() != 0
    }

    /// Returns the scope of the objects that the caller sees and changes.
    ///
    /// A handler of the host passes it to [`Floret::scoped`](crate::Floret::scoped), so that what
    /// it does for the caller stays within.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use floret::{Client, Floret, Permissions, Scope, TenantId};
    ///
    /// /// Middleware of the host: it has put the permissions into the request.
    /// fn client<B>(floret: &Floret, request: &http::Request<B>) -> Option<Client> {
    ///     let own = request.extensions().get::<Permissions>()?;
    ///     Some(floret.scoped(own.objects().clone()))
    /// }
    /// # let floret = floret::testing::memory().start().await?;
    /// let acme = Scope::Tenant(TenantId::new("acme")?);
    /// let mut request = http::Request::new(());
    /// request.extensions_mut().insert(Permissions::all().scope(acme.clone()));
    /// assert_eq!(client(&floret, &request).expect("a caller").scope(), &acme);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn objects(&self) -> &Scope {
        &self.scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_holds_exactly_the_granted_permissions() {
        let given = [Permission::PipelinesView, Permission::EventsView];
        let held = Permissions::of(given);
        for permission in Permission::ALL {
            assert_eq!(
                held.has(*permission),
                given.contains(permission),
                "{permission}"
            );
            assert!(Permissions::all().has(*permission), "{permission}");
        }
    }

    #[test]
    fn read_only_grants_exactly_the_permissions_to_view() {
        for permission in Permission::ALL {
            let is_view = permission.as_str().ends_with(".view");
            assert_eq!(
                Permissions::read_only().has(*permission),
                is_view,
                "{permission}"
            );
        }
    }
}
