//! Settings, which are connections and variables: fields under an id, and what a save changes.
//!
//! The fields belong to the model. Storing rows is left to the backends.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::error::{Error, Problem, Result};
use crate::model::{
    ConnectionFields, ConnectionId, IdError, Scope, StoredConnection, StoredVariable, TenantId,
    VariableFields, VariableKey,
};
use crate::storage::{Expect, NewAudit, PutConnection, PutVariable};

/// Fields that are stored under an id.
pub(in crate::storage) trait Setting: Send + 'static {
    type Id: Clone + Ord + AsRef<str> + Display + FromStr<Err = IdError> + Send + 'static;
    type Fields: Clone + PartialEq + Send + 'static;
    /// What an error message calls it.
    const NOUN: &'static str;

    fn not_found(id: &Self::Id) -> Error;
    fn from_parts(id: Self::Id, metadata: SettingMetadata, fields: Self::Fields) -> Self;
}

/// What is stored of a setting besides its id and fields.
#[derive(Debug, Clone)]
pub(in crate::storage) struct SettingMetadata {
    pub(in crate::storage) tenant: Option<TenantId>,
    pub(in crate::storage) version: u32,
    pub(in crate::storage) created_at: DateTime<Utc>,
    pub(in crate::storage) updated_at: DateTime<Utc>,
}

/// The row of a setting.
pub(in crate::storage) struct StoredSetting<T: Setting> {
    pub(in crate::storage) metadata: SettingMetadata,
    /// `None` after a deletion. The row then remains as a cursor, and its version continues with
    /// the next save.
    pub(in crate::storage) fields: Option<T::Fields>,
}

/// A request to save a setting.
pub(in crate::storage) struct PutSetting<T: Setting> {
    pub(in crate::storage) id: T::Id,
    pub(in crate::storage) fields: T::Fields,
    pub(in crate::storage) expect: Expect,
    /// Once the save is decided, exactly that of [`saved_tenant`](super::saved_tenant).
    pub(in crate::storage) scope: Scope,
    pub(in crate::storage) now: DateTime<Utc>,
    pub(in crate::storage) audit: Option<NewAudit>,
}

impl<T: Setting> StoredSetting<T> {
    /// Returns whether the setting exists for a caller of this scope.
    pub(in crate::storage) fn is_visible(&self, scope: &Scope) -> bool {
        self.fields.is_some() && scope.admits(self.metadata.tenant.as_ref())
    }
}

/// Returns the metadata after a save, or `None` if the save changes nothing.
///
/// `stored` is the row with the id of the save and the tenant of its scope.
pub(in crate::storage) fn decide_save<T: Setting>(
    put: &PutSetting<T>,
    stored: Option<&StoredSetting<T>>,
) -> Result<Option<SettingMetadata>> {
    let visible = stored.filter(|stored| stored.is_visible(&put.scope));
    check_expected(put, visible)?;
    Ok(match visible {
        Some(stored) if stored.fields.as_ref() == Some(&put.fields) => None,
        Some(stored) => Some(SettingMetadata {
            version: stored.metadata.version.saturating_add(1),
            updated_at: put.now,
            ..stored.metadata.clone()
        }),
        None => Some(SettingMetadata {
            tenant: put.scope.tenant().cloned(),
            version: stored.map_or(1, |stored| stored.metadata.version.saturating_add(1)),
            created_at: put.now,
            updated_at: put.now,
        }),
    })
}

fn check_expected<T: Setting>(
    put: &PutSetting<T>,
    visible: Option<&StoredSetting<T>>,
) -> Result<()> {
    match (put.expect, visible) {
        (Expect::Present | Expect::Version(_), None) => Err(T::not_found(&put.id)),
        (Expect::Version(expected), Some(stored)) if stored.metadata.version != expected => {
            Err(precondition_failed(put, stored.metadata.version))
        }
        (Expect::Absent, Some(_)) => Err(already_exists(put)),
        (Expect::Absent | Expect::Any | Expect::Present | Expect::Version(_), _) => Ok(()),
    }
}

fn already_exists<T: Setting>(put: &PutSetting<T>) -> Error {
    let message = format!("{} {} already exists", T::NOUN, put.id);
    Error::new(Problem::AlreadyExists, message)
}

fn precondition_failed<T: Setting>(put: &PutSetting<T>, version: u32) -> Error {
    let message = format!("{} {} is now at version {version}", T::NOUN, put.id);
    Error::new(Problem::PreconditionFailed, message)
}

/// Implements [`Setting`] for a noun of the model, whose id may be called `id` or `key`.
macro_rules! setting {
    ($stored:ident, $put:ident { $key:ident: $id:ty, fields: $fields:ty }, $noun:literal, $not_found:path) => {
        impl Setting for $stored {
            type Id = $id;
            type Fields = $fields;
            const NOUN: &'static str = $noun;

            fn not_found(id: &$id) -> Error {
                $not_found(id)
            }

            fn from_parts($key: $id, metadata: SettingMetadata, fields: $fields) -> Self {
                let SettingMetadata {
                    tenant,
                    version,
                    created_at,
                    updated_at,
                } = metadata;
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
                    audit,
                } = put;
                Self {
                    id,
                    fields,
                    expect,
                    scope,
                    now,
                    audit,
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
