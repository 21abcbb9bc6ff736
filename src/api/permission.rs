//! What a caller may be allowed to do, one permission a route.
//!
//! Who has which is the host's to decide; asking it is left to `access`.

use std::fmt;

use crate::model::Scope;

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What one route needs. Shows as it is written in the contract, `pipelines.run` for instance.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Permission {
            $($(#[$doc])* $name,)*
        }

        impl Permission {
            /// Every permission that there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The permission as text.
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
    /// See definitions of pipelines.
    PipelinesView = "pipelines.view",
    /// Save a pipeline that is not there yet.
    PipelinesCreate = "pipelines.create",
    /// Replace a definition.
    PipelinesEdit = "pipelines.edit",
    /// Delete a pipeline.
    PipelinesDelete = "pipelines.delete",
    /// Start runs.
    PipelinesRun = "pipelines.run",
    /// See runs, their logs and their data.
    RunsView = "runs.view",
    /// Cancel runs.
    RunsCancel = "runs.cancel",
    /// Resume failed runs.
    RunsResume = "runs.resume",
    /// See connections.
    ConnectionsView = "connections.view",
    /// Make connections.
    ConnectionsCreate = "connections.create",
    /// Change connections.
    ConnectionsEdit = "connections.edit",
    /// Delete connections.
    ConnectionsDelete = "connections.delete",
    /// See variables.
    VariablesView = "variables.view",
    /// Make variables.
    VariablesCreate = "variables.create",
    /// Change variables.
    VariablesEdit = "variables.edit",
    /// Delete variables.
    VariablesDelete = "variables.delete",
    /// See the state of the system.
    SettingsView = "settings.view",
    /// Change the system, delete old runs.
    SettingsEdit = "settings.edit",
    /// Follow events.
    EventsView = "events.view",
}

impl Permission {
    /// Whether it lets its holder look only.
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

/// What a caller may do and whose objects it sees, as a host's middleware puts it into the extensions of a request.
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
}

impl Permissions {
    /// These permissions, on the objects of every tenant.
    #[must_use]
    pub fn of(permissions: impl IntoIterator<Item = Permission>) -> Self {
        let held = permissions.into_iter().map(Permission::bit);
        Self {
            held: held.fold(0, |held, bit| held | bit),
            scope: Scope::All,
        }
    }

    /// Every permission.
    #[must_use]
    pub fn all() -> Self {
        Self::of(Permission::ALL.iter().copied())
    }

    /// Every permission to look.
    #[must_use]
    pub fn read_only() -> Self {
        let every = Permission::ALL.iter().copied();
        Self::of(every.filter(|permission| permission.is_view()))
    }

    /// Narrows them to these objects.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Whether this permission is among them.
    #[must_use]
    pub const fn has(&self, permission: Permission) -> bool {
        self.held & permission.bit() != 0
    }

    pub(super) const fn objects(&self) -> &Scope {
        &self.scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_what_was_given_and_nothing_else() {
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
    fn a_reader_may_look_at_everything_and_change_nothing() {
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
