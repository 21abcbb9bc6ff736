//! Variables: put, find, list, delete.
//!
//! Secret ones come sealed: storage never sees one. What fields may hold is decided above.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Expect;
use crate::error::Result;
use crate::model::{Page, PageRequest, Scope, StoredVariable, VariableFields, VariableKey};

/// A save of a variable.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutVariable {
    /// Its key.
    pub key: VariableKey,
    /// What it says.
    pub fields: VariableFields,
    /// What must be there before.
    pub expect: Expect,
    /// Whose variables are seen; a new one belongs to its tenant.
    pub scope: Scope,
    /// The time of the save.
    pub now: DateTime<Utc>,
}

impl PutVariable {
    /// A save that replaces or makes the variable.
    #[must_use]
    pub const fn new(key: VariableKey, fields: VariableFields, now: DateTime<Utc>) -> Self {
        Self {
            key,
            fields,
            expect: Expect::Any,
            scope: Scope::All,
            now,
        }
    }
}

/// Which variables a list has.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VariableFilter {
    /// Whose.
    pub scope: Scope,
}

/// Variables.
#[async_trait]
pub trait Variables: Send + Sync + 'static {
    /// Saves a variable and answers it as it stands then.
    ///
    /// A save that changes nothing MUST keep version and `updated_at`; one that changes something
    /// MUST raise the version by one. The key of a deleted variable may be taken again: versions
    /// then go on from where they were, `created_at` starts anew. A variable of another tenant MUST
    /// read as absent, and its key as taken.
    ///
    /// # Errors
    /// `NotFound` (`variable-not-found`) when it is expected and absent. `Conflict` with slug
    /// `already-exists` when the key is taken; with slug `precondition-failed` when the version is
    /// another.
    async fn put_variable(&self, put: PutVariable) -> Result<StoredVariable>;

    /// The variable with this key.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn find_variable(
        &self,
        key: &VariableKey,
        scope: &Scope,
    ) -> Result<Option<StoredVariable>>;

    /// A page of variables, the newest `created_at` first, equal ones by key descending. A cursor
    /// is the key of an item; it MUST work though that variable was deleted since; one of another
    /// tenant is none.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) when the cursor is none.
    async fn list_variables(
        &self,
        filter: VariableFilter,
        page: PageRequest,
    ) -> Result<Page<StoredVariable>>;

    /// Deletes a variable; nothing that it said MUST stay.
    ///
    /// # Errors
    /// `NotFound` (`variable-not-found`) when it is absent.
    async fn delete_variable(
        &self,
        key: &VariableKey,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<()>;
}
