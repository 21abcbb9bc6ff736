//! Variables: put, find, list, delete.
//!
//! Secrets arrive sealed; storage never sees a plain one. The engine decides which fields are
//! valid.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Expect, NewAudit};
use crate::error::Result;
use crate::model::{Page, PageRequest, Scope, StoredVariable, VariableFields, VariableKey};

/// A request to save a variable.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutVariable {
    /// The key of the variable.
    pub key: VariableKey,
    /// Its fields.
    pub fields: VariableFields,
    /// The stored state that the save requires.
    pub expect: Expect,
    /// The scope of the caller. [`Scope::choose`] decides which variable of this key the save
    /// replaces. A new variable belongs to the tenant of this scope, if any.
    pub scope: Scope,
    /// The time of the save.
    pub now: DateTime<Utc>,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl PutVariable {
    /// Creates a request that creates or replaces a variable, in every scope.
    #[must_use]
    pub const fn new(key: VariableKey, fields: VariableFields, now: DateTime<Utc>) -> Self {
        Self {
            key,
            fields,
            expect: Expect::Any,
            scope: Scope::All,
            now,
            audit: None,
        }
    }
}

/// A request to delete a variable.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeleteVariable {
    /// The key of the variable.
    pub key: VariableKey,
    /// The scope of the caller. [`Scope::choose`] decides which variable of this key is meant.
    pub scope: Scope,
    /// The time of the deletion.
    pub now: DateTime<Utc>,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl DeleteVariable {
    /// Creates a request in every scope.
    #[must_use]
    pub const fn new(key: VariableKey, now: DateTime<Utc>) -> Self {
        Self {
            key,
            scope: Scope::All,
            now,
            audit: None,
        }
    }
}

/// The conditions that every variable of a list meets.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VariableFilter {
    /// The scope of the caller.
    pub scope: Scope,
}

/// Saves, finds, lists and deletes variables.
#[async_trait]
pub trait Variables: Send + Sync + 'static {
    /// Saves a variable and returns it as it is after the save.
    ///
    /// - A save that changes nothing MUST keep the version and `updated_at`. Any other save MUST
    ///   raise the version by one.
    /// - The key of a deleted variable MUST be free again. If the key is used again, its version
    ///   numbers MUST continue, and `created_at` MUST be the time of the new save.
    /// - Keys MUST be unique among the variables of a tenant, and among those without a
    ///   tenant. A variable of another tenant MUST look absent, and its key MUST be free.
    /// - A save that expects no variable MUST disregard those of other tenants, even in
    ///   [`Scope::All`]: it creates one without a tenant there.
    ///
    /// # Errors
    /// - `NotFound` (`variable-not-found`): the request expects a variable that is absent.
    /// - `Conflict` (`already-exists`): the key is taken.
    /// - `Conflict` (`precondition-failed`): the variable is not at the expected version.
    /// - `Conflict` (`tenant-required`): the key is unclear in this scope.
    async fn put_variable(&self, put: PutVariable) -> Result<StoredVariable>;

    /// Returns the variables with these keys, in the order of the keys. A key without a variable in
    /// scope is left out.
    ///
    /// A caller asks for at most as many as a config may name, and all at once: a read for each of
    /// a thousand keys would take a node's time. Together they MUST be of one point in time.
    ///
    /// [`Scope::choose`] decides which variable a key stands for.
    ///
    /// # Errors
    /// - `Unavailable` if storage cannot answer.
    /// - `Conflict` (`tenant-required`): a key is unclear in this scope.
    async fn find_variables(
        &self,
        keys: &[VariableKey],
        scope: &Scope,
    ) -> Result<Vec<StoredVariable>>;

    /// Returns a page of variables, in descending order of `created_at`, then of key and then of
    /// tenant.
    ///
    /// A cursor is the [`Qualified`](super::Qualified) key of a variable. It MUST work even after
    /// that variable is deleted. That of another tenant's variable is not a valid cursor.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`): the cursor is invalid.
    async fn list_variables(
        &self,
        filter: VariableFilter,
        page: PageRequest,
    ) -> Result<Page<StoredVariable>>;

    /// Deletes a variable. Its fields MUST NOT stay in the storage.
    ///
    /// # Errors
    /// - `NotFound` (`variable-not-found`): no variable in scope has this key.
    /// - `Conflict` (`tenant-required`): the key is unclear in this scope.
    async fn delete_variable(&self, delete: DeleteVariable) -> Result<()>;
}
