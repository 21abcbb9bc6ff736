//! Variables as callers see them: the value of a secret variable is masked.
//!
//! Saving them is left to `engine/variables`.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::Views;
use super::pages::Listed;
use crate::error::{Error, Result, quote};
use crate::model::{
    MASKED, Page, PageRequest, Qualified, Scope, StoredVariable, TenantId, VariableFields,
    VariableKey, VariableValue, rfc3339,
};
use crate::storage::VariableFilter;

impl Listed for StoredVariable {
    fn cursor(&self) -> String {
        Qualified::new(&self.key, self.tenant.clone()).to_string()
    }
}

impl Views {
    /// Returns the variable with this key.
    ///
    /// # Errors
    /// `NotFound` (`variable-not-found`); `Unavailable`.
    pub(crate) async fn variable(&self, key: &str, scope: &Scope) -> Result<StoredVariable> {
        let found = match VariableKey::new(key) {
            Ok(key) => self.storage.find_variables(&[key], scope).await?.pop(),
            Err(_) => None,
        };
        found.ok_or_else(|| Error::variable_not_found(quote(key)))
    }

    /// Returns a page of variables, newest first.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if the cursor is invalid; `Unavailable`.
    pub(crate) async fn list_variables(
        &self,
        filter: VariableFilter,
        page: PageRequest,
    ) -> Result<Page<StoredVariable>> {
        self.storage.list_variables(filter, page).await
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "Variable",
        description = "A variable. The value of a secret is masked."
    )
)]
struct VariableBody<'a> {
    key: &'a VariableKey,
    value: &'a str,
    #[cfg_attr(test, schemars(extend("enum" = ["string", "secret"])))]
    r#type: &'static str,
    description: &'a str,
    #[serde(serialize_with = "rfc3339::serialize")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339::serialize")]
    updated_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a TenantId>,
}

impl Serialize for StoredVariable {
    /// Writes the variable as the API shows it: its secrets are masked.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let VariableFields { value, description } = &self.fields;
        let (value, kind) = match value {
            VariableValue::Plain(text) => (text.as_str(), "string"),
            VariableValue::Secret(_) => (MASKED, "secret"),
        };
        let shown = VariableBody {
            key: &self.key,
            value,
            r#type: kind,
            description,
            created_at: self.created_at,
            updated_at: self.updated_at,
            tenant: self.tenant.as_ref(),
        };
        shown.serialize(serializer)
    }
}

#[cfg(test)]
schema_of! { StoredVariable => VariableBody<'static> }
