//! Saves and deletes variables, and reports every problem of a body at once.
//!
//! `secret_input` decides what a secret field of a body means; `secret_resolver` resolves variables
//! in configs.

use serde_json::Value;

use super::audit::{Audited, Author, Named};
use super::id_mismatch;
use super::secret_input::{self, SecretInput, TRIES_MAX};
use super::{Engine, Shared};
use crate::error::{Error, Issue, Problem, Result, quote};
use crate::graph::fields::Fields;
use crate::graph::issues::Issues;
use crate::model::{
    AuditAction, AuditSubject, MASKED, Scope, StoredVariable, TenantId, VariableFields,
    VariableKey, VariableValue,
};
use crate::secret::{Field, Secret};
use crate::storage::{DeleteVariable, Expect, PutVariable};

const DESCRIPTION_CHARS_MAX: usize = 2_000;
/// Characters of a value. 65,536: anything longer is data rather than a setting.
const VALUE_CHARS_MAX: usize = 65_536;

/// The fields of a variable's body.
pub(crate) const VARIABLE_FIELDS: &[&str] = &[
    "key",
    "value",
    "type",
    "description",
    "created_at",
    "updated_at",
    "tenant",
];

/// A variable as parsed from a request body.
struct Draft {
    key: Option<String>,
    value: Secret<String>,
    is_secret: bool,
    description: String,
}

impl Engine {
    /// Creates a variable.
    ///
    /// # Errors
    /// `Invalid` with every problem, `Conflict` (`already-exists`, `encryption-key-missing`), and
    /// any error of storage.
    pub(crate) async fn create_variable(
        &self,
        body: Value,
        author: &Author,
    ) -> Result<StoredVariable> {
        let scope = author.scope.clone();
        let named = body.get("key").and_then(Value::as_str);
        let named = Named::Variable(named.unwrap_or_default().to_owned());
        let audited = Audited::new(AuditAction::VariableCreate, named, author.clone());
        self.audited(audited, |shared, audited| async move {
            shared.create_variable(body, scope, &audited).await
        })
        .await
    }

    /// Replaces the variable with this key. A secret value that is sent masked stays as it is
    /// stored.
    ///
    /// # Errors
    /// `NotFound`, `Malformed` (`id-mismatch`), `Invalid` with every problem, `Conflict`
    /// (`encryption-key-missing`; `precondition-failed` if concurrent changes win every attempt),
    /// and any error of storage.
    pub(crate) async fn replace_variable(
        &self,
        key: &str,
        body: Value,
        author: &Author,
    ) -> Result<StoredVariable> {
        let (key, scope) = (key.to_owned(), author.scope.clone());
        let named = Named::Variable(key.clone());
        let audited = Audited::new(AuditAction::VariableEdit, named, author.clone());
        self.audited(audited, |shared, audited| async move {
            let named = (key.as_str(), &scope);
            shared.replace_variable(named, body, &audited).await
        })
        .await
    }

    /// Deletes the variable with this key.
    ///
    /// # Errors
    /// `NotFound`, and any error of storage.
    pub(crate) async fn delete_variable(&self, key: &str, author: &Author) -> Result<()> {
        let named = Named::Variable(key.to_owned());
        let audited = Audited::new(AuditAction::VariableDelete, named, author.clone());
        let mut delete = DeleteVariable::new(parse_path_key(key)?, self.0.clock.now());
        delete.scope = author.scope.clone();
        self.audited(audited, |shared, audited| async move {
            let subject = AuditSubject::Variable(delete.key.clone());
            delete.audit = Some(audited.entry(subject, delete.now));
            shared.storage.delete_variable(delete).await
        })
        .await
    }
}

impl Shared {
    async fn create_variable(
        &self,
        body: Value,
        scope: Scope,
        audited: &Audited,
    ) -> Result<StoredVariable> {
        id_mismatch::refuse_other_tenant(&body, scope.tenant())?;
        let mut issues = Issues::default();
        let draft = parse_draft(body, &mut issues);
        let key = parse_body_key(draft.key.as_deref(), &mut issues);
        if draft.is_secret {
            let given = SecretInput::from_text(Some(draft.value.expose().clone()));
            secret_input::refuse_unchanged(&given, "/value", &mut issues);
        }
        issues.into_result(Problem::InvalidField)?;
        let key = key.ok_or_else(|| Error::internal("a variable without a key"))?;
        let value = self.seal_variable(&draft, &key, scope.tenant())?;
        let mut put = PutVariable::new(key, fields(&draft, value), self.clock.now());
        (put.expect, put.scope) = (Expect::Absent, scope);
        put.audit = Some(audited.entry(AuditSubject::Variable(put.key.clone()), put.now));
        self.storage.put_variable(put).await
    }

    async fn replace_variable(
        &self,
        (key, scope): (&str, &Scope),
        body: Value,
        audited: &Audited,
    ) -> Result<StoredVariable> {
        let mut old = self.find_variable(key, scope).await?;
        let scope = &Scope::of(old.tenant.as_ref());
        id_mismatch::refuse_id_mismatch(&body, "key", &old.key)?;
        id_mismatch::refuse_other_tenant(&body, old.tenant.as_ref())?;
        let mut issues = Issues::default();
        let draft = parse_draft(body, &mut issues);
        issues.into_result(Problem::InvalidField)?;
        for _ in 1..TRIES_MAX {
            let saved = self.replace_variable_version(&draft, &old, audited).await;
            if !secret_input::is_precondition_failed(&saved) {
                return saved;
            }
            old = self.find_variable(key, scope).await?;
        }
        self.replace_variable_version(&draft, &old, audited).await
    }

    async fn replace_variable_version(
        &self,
        draft: &Draft,
        old: &StoredVariable,
        audited: &Audited,
    ) -> Result<StoredVariable> {
        let value = match keep_masked(draft, &old.fields.value)? {
            Some(value) => value,
            None => self.seal_variable(draft, &old.key, old.tenant.as_ref())?,
        };
        let fields = fields(draft, value);
        let mut put = PutVariable::new(old.key.clone(), fields, self.clock.now());
        (put.expect, put.scope) = (Expect::Version(old.version), Scope::of(old.tenant.as_ref()));
        put.audit = Some(audited.entry(AuditSubject::Variable(put.key.clone()), put.now));
        self.storage.put_variable(put).await
    }

    async fn find_variable(&self, key: &str, scope: &Scope) -> Result<StoredVariable> {
        let keys = [parse_path_key(key)?];
        let mut found = self.storage.find_variables(&keys, scope).await?;
        found
            .pop()
            .ok_or_else(|| Error::variable_not_found(quote(key)))
    }

    fn seal_variable(
        &self,
        draft: &Draft,
        key: &VariableKey,
        tenant: Option<&TenantId>,
    ) -> Result<VariableValue> {
        if !draft.is_secret {
            return Ok(VariableValue::Plain(draft.value.expose().clone()));
        }
        let field = Field {
            noun: "variable",
            tenant,
            id: key.as_str(),
            name: "value",
        };
        let sealed = self.keyring.seal(&draft.value, field)?;
        Ok(VariableValue::Secret(sealed))
    }
}

fn fields(draft: &Draft, value: VariableValue) -> VariableFields {
    let mut fields = VariableFields::new(value);
    fields.description.clone_from(&draft.description);
    fields
}

/// Returns the stored value if the draft sends the mask, or `None` if the draft brings a new value.
///
/// A masked value never turns a secret into readable text.
fn keep_masked(draft: &Draft, old: &VariableValue) -> Result<Option<VariableValue>> {
    if draft.value.expose() != MASKED {
        return Ok(None);
    }
    match (draft.is_secret, old) {
        (true, VariableValue::Secret(_)) => Ok(Some(old.clone())),
        (false, VariableValue::Plain(_)) => Ok(None),
        (true, VariableValue::Plain(_)) => Err(invalid_mask(
            "stands for the stored secret, but the stored value is not secret: send the value",
        )),
        (false, VariableValue::Secret(_)) => Err(invalid_mask(
            "stands for the stored secret, which type string would reveal: send a new value or type secret",
        )),
    }
}

fn invalid_mask(why: &str) -> Error {
    let issue = Issue::pointer("/value", format!("{MASKED} {why}"));
    Error::invalid(Problem::InvalidField, vec![issue])
}

/// Parses the key in a path.
fn parse_path_key(key: &str) -> Result<VariableKey> {
    VariableKey::new(key).map_err(|_| Error::variable_not_found(quote(key)))
}

/// Parses the key in a body.
fn parse_body_key(given: Option<&str>, issues: &mut Issues) -> Option<VariableKey> {
    let given = given.unwrap_or_default();
    let received = |error| format!("key {error}, received {}", quote(given));
    let key = VariableKey::new(given);
    key.map_err(|error| issues.push("/key", || received(error)))
        .ok()
}

fn parse_draft(body: Value, issues: &mut Issues) -> Draft {
    const VALUE: &str = "a string of at most 65536 characters";
    let mut draft = Draft {
        key: None,
        value: Secret::new(String::new()),
        is_secret: false,
        description: String::new(),
    };
    let Some(mut fields) = Fields::new(body, "a variable", String::new(), issues) else {
        return draft;
    };
    draft.key = fields.text("key");
    fields.require("value", VALUE);
    let value = fields.take_secret("value", VALUE, |value| {
        value
            .as_str()
            .map(str::to_owned)
            .filter(|text| secret_input::has_at_most_chars(text, VALUE_CHARS_MAX))
    });
    draft.value = Secret::new(value.unwrap_or_default());
    let is_secret = fields.take("type", "\"string\" or \"secret\"", |value| {
        match value.as_str() {
            Some("string") => Some(false),
            Some("secret") => Some(true),
            Some(_) | None => None,
        }
    });
    draft.is_secret = is_secret.unwrap_or(false);
    draft.description = secret_input::take_text(&mut fields, "description", DESCRIPTION_CHARS_MAX);
    draft
}
