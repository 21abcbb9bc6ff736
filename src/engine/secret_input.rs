//! Secret fields of a request body, and text fields beside them.
//!
//! Sealing is left to `secret/keyring`. Which fields are secret is decided by `connections` and
//! `variables`.

use serde_json::Value;

use crate::error::{Problem, Result};
use crate::graph::fields::Fields;
use crate::graph::issues::Issues;
use crate::model::{MASKED, Sealed};
use crate::secret::{Field, Keyring, Secret};

/// How often a save of a connection or variable is tried when other writers change it meanwhile.
pub(super) const TRIES_MAX: u32 = 8;

/// A secret field of a body.
#[derive(Debug)]
pub(super) enum SecretInput {
    /// The field is missing, null or empty: no secret is stored.
    Absent,
    /// The field is [`MASKED`]: the stored secret stays.
    Unchanged,
    /// A new secret.
    New(Secret<String>),
}

impl SecretInput {
    pub(super) fn from_text(text: Option<String>) -> Self {
        match text {
            None => Self::Absent,
            Some(text) if text.is_empty() => Self::Absent,
            Some(text) if text == MASKED => Self::Unchanged,
            Some(text) => Self::New(Secret::new(text)),
        }
    }

    /// Returns the sealed secret to store. `old` is the secret that is stored now.
    ///
    /// # Errors
    /// `Conflict` (`encryption-key-missing`).
    pub(super) fn seal(
        &self,
        old: Option<&Sealed>,
        keyring: &Keyring,
        field: Field<'_>,
    ) -> Result<Option<Sealed>> {
        match self {
            Self::Absent => Ok(None),
            Self::Unchanged => Ok(old.cloned()),
            Self::New(secret) => keyring.seal(secret, field).map(Some),
        }
    }
}

/// Takes a text of at most `chars_max` characters. The field may be missing, null or empty.
pub(super) fn take_text(fields: &mut Fields<'_>, key: &str, chars_max: usize) -> String {
    let expects = format!("a string of at most {chars_max} characters");
    let taken = fields.take(key, &expects, |value| match value {
        Value::Null => Some(String::new()),
        Value::String(text) if has_chars_at_most(text, chars_max) => Some(text.clone()),
        Value::String(_)
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    });
    taken.unwrap_or_default()
}

pub(super) fn has_chars_at_most(text: &str, chars_max: usize) -> bool {
    text.chars().nth(chars_max).is_none()
}

/// Reports a [`MASKED`] field for which no secret is stored.
pub(super) fn refuse_unchanged(given: &SecretInput, pointer: &str, issues: &mut Issues) {
    if matches!(given, SecretInput::Unchanged) {
        issues.push(pointer, || {
            format!("{MASKED} stands for the secret that is stored, and none is stored yet")
        });
    }
}

/// Returns whether a save was refused since another writer changed the row after it was read.
pub(super) fn is_precondition_failed<T>(saved: &Result<T>) -> bool {
    saved
        .as_ref()
        .is_err_and(|error| error.problem() == Problem::PreconditionFailed)
}
