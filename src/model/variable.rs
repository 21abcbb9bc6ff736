//! A variable: a text that node configs refer to as `${var.KEY}`. A secret variable is sealed.
//!
//! `template` inserts it into a config. `engine` checks the value.

use chrono::{DateTime, Utc};

use super::{Sealed, TenantId, VariableKey};

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VariableValue {
    /// A plain text. A caller that may read the variable sees it.
    Plain(String),
    /// A secret, which no caller sees.
    Secret(Sealed),
}

/// The fields of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VariableFields {
    /// The value.
    pub value: VariableValue,
    /// A description for people. May be empty.
    pub description: String,
}

impl VariableFields {
    /// Creates the fields of a variable without a description.
    #[must_use]
    pub const fn new(value: VariableValue) -> Self {
        Self {
            value,
            description: String::new(),
        }
    }
}

/// A variable as storage holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredVariable {
    /// The key of the variable.
    pub key: VariableKey,
    /// The tenant that owns the variable, if any.
    pub tenant: Option<TenantId>,
    /// The version, from 1. Each save that changes something increases it by 1.
    pub version: u32,
    /// The fields.
    pub fields: VariableFields,
    /// When the variable was first saved.
    pub created_at: DateTime<Utc>,
    /// When a save last changed the variable.
    pub updated_at: DateTime<Utc>,
}

impl StoredVariable {
    /// Creates version 1 of a variable that belongs to no tenant.
    #[must_use]
    pub const fn new(key: VariableKey, fields: VariableFields, created_at: DateTime<Utc>) -> Self {
        Self {
            key,
            tenant: None,
            version: 1,
            fields,
            created_at,
            updated_at: created_at,
        }
    }
}
