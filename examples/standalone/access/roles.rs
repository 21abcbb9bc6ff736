//! The roles of callers, and the permissions of each. `README.md` has them as a table.

use clap::ValueEnum;
use floret::Permission;

/// What a caller may do. Each role may do what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// See everything
    Viewer,
    /// Also start, cancel, resume and label runs
    Operator,
    /// Also change pipelines, connections and variables
    Editor,
    /// Also purge runs, and whatever else there is
    Admin,
}

impl Role {
    /// Returns whether the role has a permission.
    pub(crate) fn has(self, permission: Permission) -> bool {
        match self {
            Self::Viewer => permission.is_view(),
            Self::Operator => Self::Viewer.has(permission) || handles_runs(permission),
            Self::Editor => Self::Operator.has(permission) || edits(permission),
            Self::Admin => true,
        }
    }
}

const fn handles_runs(permission: Permission) -> bool {
    matches!(
        permission,
        Permission::PipelinesRun
            | Permission::RunsCancel
            | Permission::RunsResume
            | Permission::RunsEdit
    )
}

const fn edits(permission: Permission) -> bool {
    matches!(
        permission,
        Permission::PipelinesCreate
            | Permission::PipelinesEdit
            | Permission::PipelinesDelete
            | Permission::ConnectionsCreate
            | Permission::ConnectionsEdit
            | Permission::ConnectionsDelete
            | Permission::VariablesCreate
            | Permission::VariablesEdit
            | Permission::VariablesDelete
    )
}
