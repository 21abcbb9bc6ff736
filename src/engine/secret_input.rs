//! Reads the secret and text fields of a connection or variable, and helps to retry its save.
//!
//! `connections` and `variables` decide which fields are secret; `secret/keyring` seals them.

use serde_json::Value;

use crate::error::{Problem, Result};
use crate::graph::fields::Fields;
use crate::graph::issues::Issues;
use crate::model::{MASKED, Sealed};
use crate::secret::{Field, Keyring, Secret};

/// How many times the engine tries to save a connection or variable that other writers change
/// meanwhile.
pub(super) const TRIES_MAX: u32 = 8;

/// A secret field of a request body.
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

/// Takes a text field of at most `chars_max` characters. A missing or null field reads as empty
/// text.
pub(super) fn take_text(fields: &mut Fields<'_>, key: &str, chars_max: usize) -> String {
    let expects = format!("a string of at most {chars_max} characters");
    let taken = fields.take(key, &expects, |value| match value {
        Value::Null => Some(String::new()),
        Value::String(text) if has_at_most_chars(text, chars_max) => Some(text.clone()),
        Value::String(_)
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    });
    taken.unwrap_or_default()
}

pub(super) fn has_at_most_chars(text: &str, chars_max: usize) -> bool {
    text.chars().nth(chars_max).is_none()
}

/// Reports a [`MASKED`] field of a new connection or variable, which has no stored secret.
pub(super) fn refuse_unchanged(given: &SecretInput, pointer: &str, issues: &mut Issues) {
    if matches!(given, SecretInput::Unchanged) {
        issues.push(pointer, || {
            format!("{MASKED} stands for the stored secret, but none is stored yet")
        });
    }
}

/// Returns whether storage refused a save because another writer changed the row after the read.
pub(super) fn is_precondition_failed<T>(saved: &Result<T>) -> bool {
    saved
        .as_ref()
        .is_err_and(|error| error.problem() == Problem::PreconditionFailed)
}
