//! A variable: a text that configs of nodes name as `${var.KEY}`, sealed where it is a secret.
//!
//! Putting it into a config is `template`'s; what a value may hold is checked by the engine.

use chrono::{DateTime, Utc};

use super::{Sealed, TenantId, VariableKey};

/// What a variable stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VariableValue {
    /// A text that everybody may read who may see the variable.
    Plain(String),
    /// A secret text.
    Secret(Sealed),
}

/// What a variable says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VariableFields {
    /// What it stands for.
    pub value: VariableValue,
    /// What it is for; may be empty.
    pub description: String,
}

impl VariableFields {
    /// A variable without a description.
    #[must_use]
    pub const fn new(value: VariableValue) -> Self {
        Self {
            value,
            description: String::new(),
        }
    }
}

/// A variable as storage keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredVariable {
    /// Its key.
    pub key: VariableKey,
    /// The tenant it belongs to.
    pub tenant: Option<TenantId>,
    /// Grows by one with each save that changes something, from 1.
    pub version: u32,
    /// What it says.
    pub fields: VariableFields,
    /// When it was first saved.
    pub created_at: DateTime<Utc>,
    /// When a save last changed it.
    pub updated_at: DateTime<Utc>,
}

impl StoredVariable {
    /// The first version of a variable of no tenant.
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
