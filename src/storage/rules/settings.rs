//! Connections and variables as backends see them alike: fields under an id, and what a save makes of what is kept.
//!
//! What fields there are is the model's; how rows are kept is left to the backends.

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::model::{
    ConnectionFields, ConnectionId, Scope, StoredConnection, StoredVariable, TenantId,
    VariableFields, VariableKey,
};
use crate::storage::{Expect, PutConnection, PutVariable};

/// A definition of fields under an id.
pub(in crate::storage) trait Setting: Send + 'static {
    type Id: Clone + Ord + AsRef<str> + std::fmt::Display + Send + 'static;
    type Fields: Clone + PartialEq + Send + 'static;
    /// What one is called.
    const NOUN: &'static str;

    fn not_found(id: &Self::Id) -> Error;
    fn join(id: Self::Id, standing: Standing, fields: Self::Fields) -> Self;
}

/// What a backend knows of a setting beside its fields.
#[derive(Debug, Clone)]
pub(in crate::storage) struct Standing {
    pub(in crate::storage) tenant: Option<TenantId>,
    pub(in crate::storage) version: u32,
    pub(in crate::storage) created_at: DateTime<Utc>,
    pub(in crate::storage) updated_at: DateTime<Utc>,
}

/// What is kept under an id.
pub(in crate::storage) struct KeptSetting<T: Setting> {
    pub(in crate::storage) standing: Standing,
    /// None once it was deleted: what stays is its version, which goes on, and its place as a cursor.
    pub(in crate::storage) fields: Option<T::Fields>,
}

/// A save of a setting.
pub(in crate::storage) struct PutSetting<T: Setting> {
    pub(in crate::storage) id: T::Id,
    pub(in crate::storage) fields: T::Fields,
    pub(in crate::storage) expect: Expect,
    pub(in crate::storage) scope: Scope,
    pub(in crate::storage) now: DateTime<Utc>,
}

impl<T: Setting> KeptSetting<T> {
    /// Whether it is there for a caller of this scope.
    pub(in crate::storage) fn is_seen(&self, scope: &Scope) -> bool {
        self.fields.is_some() && scope.admits(self.standing.tenant.as_ref())
    }
}

/// Where the setting stands after a save; none when the save changes nothing.
pub(in crate::storage) fn decide<T: Setting>(
    put: &PutSetting<T>,
    kept: Option<&KeptSetting<T>>,
) -> Result<Option<Standing>> {
    let seen = kept.filter(|kept| kept.is_seen(&put.scope));
    check_expected(put, kept, seen)?;
    Ok(match seen {
        Some(kept) if kept.fields.as_ref() == Some(&put.fields) => None,
        Some(kept) => Some(Standing {
            version: kept.standing.version.saturating_add(1),
            updated_at: put.now,
            ..kept.standing.clone()
        }),
        None => Some(Standing {
            tenant: put.scope.tenant().cloned(),
            version: kept.map_or(1, |kept| kept.standing.version.saturating_add(1)),
            created_at: put.now,
            updated_at: put.now,
        }),
    })
}

fn check_expected<T: Setting>(
    put: &PutSetting<T>,
    kept: Option<&KeptSetting<T>>,
    seen: Option<&KeptSetting<T>>,
) -> Result<()> {
    // What another tenant has is absent for the asker and taken all the same.
    let is_live = kept.is_some_and(|kept| kept.fields.is_some());
    match (put.expect, seen) {
        (Expect::Present | Expect::Version(_), None) => Err(T::not_found(&put.id)),
        (Expect::Version(expected), Some(kept)) if kept.standing.version != expected => {
            Err(precondition_failed(put, kept.standing.version))
        }
        (Expect::Absent, _) | (Expect::Any, None) if is_live => Err(already_exists(put)),
        (Expect::Absent | Expect::Any | Expect::Present | Expect::Version(_), _) => Ok(()),
    }
}

/// Checks that there is something to delete for a caller of this scope.
pub(in crate::storage) fn check_deletion<T: Setting>(
    id: &T::Id,
    kept: Option<&KeptSetting<T>>,
    scope: &Scope,
) -> Result<()> {
    kept.filter(|kept| kept.is_seen(scope))
        .map(drop)
        .ok_or_else(|| T::not_found(id))
}

fn already_exists<T: Setting>(put: &PutSetting<T>) -> Error {
    let message = format!("there is a {} {} already", T::NOUN, put.id);
    Error::conflict("already-exists", message)
}

fn precondition_failed<T: Setting>(put: &PutSetting<T>, version: u32) -> Error {
    let message = format!("{} {} is at version {version} by now", T::NOUN, put.id);
    Error::conflict("precondition-failed", message)
}

impl Setting for StoredConnection {
    type Id = ConnectionId;
    type Fields = ConnectionFields;
    const NOUN: &'static str = "connection";

    fn not_found(id: &ConnectionId) -> Error {
        Error::connection_not_found(id)
    }

    fn join(id: ConnectionId, standing: Standing, fields: ConnectionFields) -> Self {
        let Standing {
            tenant,
            version,
            created_at,
            updated_at,
        } = standing;
        Self {
            id,
            tenant,
            version,
            fields,
            created_at,
            updated_at,
        }
    }
}

impl Setting for StoredVariable {
    type Id = VariableKey;
    type Fields = VariableFields;
    const NOUN: &'static str = "variable";

    fn not_found(key: &VariableKey) -> Error {
        Error::variable_not_found(key)
    }

    fn join(key: VariableKey, standing: Standing, fields: VariableFields) -> Self {
        let Standing {
            tenant,
            version,
            created_at,
            updated_at,
        } = standing;
        Self {
            key,
            tenant,
            version,
            fields,
            created_at,
            updated_at,
        }
    }
}

impl From<PutConnection> for PutSetting<StoredConnection> {
    fn from(put: PutConnection) -> Self {
        let PutConnection {
            id,
            fields,
            expect,
            scope,
            now,
        } = put;
        Self {
            id,
            fields,
            expect,
            scope,
            now,
        }
    }
}

impl From<PutVariable> for PutSetting<StoredVariable> {
    fn from(put: PutVariable) -> Self {
        let PutVariable {
            key,
            fields,
            expect,
            scope,
            now,
        } = put;
        Self {
            id: key,
            fields,
            expect,
            scope,
            now,
        }
    }
}
