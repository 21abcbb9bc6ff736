//! Secrets as they come in a body: given, kept as they were, or left out; and the fields beside them.
//!
//! Sealing is `secret/keyring`'s; which fields are secret is said in `connections` and `variables`.

use serde_json::Value;

use crate::error::{Problem, Result};
use crate::graph::fields::Fields;
use crate::graph::issues::Issues;
use crate::model::{MASKED, Sealed};
use crate::secret::{Field, Keyring, Secret};

/// Saves of a connection or a variable that others change all the while.
pub(super) const TRIES_MAX: u32 = 8;

/// A secret field of a body.
#[derive(Debug)]
pub(super) enum Given {
    /// Left out, null or empty: none.
    Nothing,
    /// [`MASKED`]: what is there stays.
    Kept,
    /// A secret.
    Text(Secret<String>),
}

impl Given {
    pub(super) fn of(text: Option<String>) -> Self {
        match text {
            None => Self::Nothing,
            Some(text) if text.is_empty() => Self::Nothing,
            Some(text) if text == MASKED => Self::Kept,
            Some(text) => Self::Text(Secret::new(text)),
        }
    }

    /// What is stored of it, where `old` is what is stored so far.
    ///
    /// # Errors
    /// `Conflict` (`encryption-key-missing`).
    pub(super) fn sealed(
        &self,
        old: Option<&Sealed>,
        keyring: &Keyring,
        field: Field<'_>,
    ) -> Result<Option<Sealed>> {
        match self {
            Self::Nothing => Ok(None),
            Self::Kept => Ok(old.cloned()),
            Self::Text(secret) => keyring.seal(secret, field).map(Some),
        }
    }
}

/// Takes a text that may be null, left out or empty, and has at most `chars_max` characters.
pub(super) fn text(fields: &mut Fields<'_>, key: &str, chars_max: usize) -> String {
    let expects = format!("a string of at most {chars_max} characters");
    let taken = fields.take(key, &expects, |value| match value {
        Value::Null => Some(String::new()),
        Value::String(text) if is_within(text, chars_max) => Some(text.clone()),
        Value::String(_)
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    });
    taken.unwrap_or_default()
}

pub(super) fn is_within(text: &str, chars_max: usize) -> bool {
    text.chars().nth(chars_max).is_none()
}

/// Tells a secret that is to be kept where none is.
pub(super) fn refuse_kept(given: &Given, pointer: &str, issues: &mut Issues) {
    if matches!(given, Given::Kept) {
        issues.push(pointer, || {
            format!("{MASKED} stands for the secret that is stored, and none is stored yet")
        });
    }
}

/// Whether a save met a change that came between its look and itself.
pub(super) fn came_between<T>(saved: &Result<T>) -> bool {
    saved
        .as_ref()
        .is_err_and(|error| error.problem() == Problem::PreconditionFailed)
}
