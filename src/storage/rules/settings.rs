//! Connections and variables as backends see them alike: fields under an id, and what a save makes
//! of what is kept.
//!
//! What fields there are is the model's; how rows are kept is left to the backends.

use std::borrow::Borrow;

use chrono::{DateTime, Utc};

use crate::error::{Error, Problem, Result};
use crate::model::{
    ConnectionFields, ConnectionId, Scope, StoredConnection, StoredVariable, TenantId,
    VariableFields, VariableKey,
};
use crate::storage::{Expect, PutConnection, PutVariable};

/// A definition of fields under an id.
pub(in crate::storage) trait Setting: Send + 'static {
    type Id: Clone + Ord + AsRef<str> + Borrow<str> + std::fmt::Display + Send + 'static;
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
    /// None once it was deleted: what stays is its version, which goes on, and its place as a
    /// cursor.
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
    // What another tenant has is absent for the caller and taken all the same.
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
    Error::new(Problem::AlreadyExists, message)
}

fn precondition_failed<T: Setting>(put: &PutSetting<T>, version: u32) -> Error {
    let message = format!("{} {} is at version {version} by now", T::NOUN, put.id);
    Error::new(Problem::PreconditionFailed, message)
}

/// Makes a noun of the model a setting; its id is called otherwise in each.
macro_rules! setting {
    ($stored:ident, $put:ident { $key:ident: $id:ty, fields: $fields:ty }, $noun:literal, $not_found:path) => {
        impl Setting for $stored {
            type Id = $id;
            type Fields = $fields;
            const NOUN: &'static str = $noun;

            fn not_found(id: &$id) -> Error {
                $not_found(id)
            }

            fn join($key: $id, standing: Standing, fields: $fields) -> Self {
                let Standing {
                    tenant,
                    version,
                    created_at,
                    updated_at,
                } = standing;
                Self {
                    $key,
                    tenant,
                    version,
                    fields,
                    created_at,
                    updated_at,
                }
            }
        }

        impl From<$put> for PutSetting<$stored> {
            fn from(put: $put) -> Self {
                let $put {
                    $key: id,
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
    };
}

setting!(
    StoredConnection,
    PutConnection {
        id: ConnectionId,
        fields: ConnectionFields
    },
    "connection",
    Error::connection_not_found
);
setting!(
    StoredVariable,
    PutVariable {
        key: VariableKey,
        fields: VariableFields
    },
    "variable",
    Error::variable_not_found
);
