//! Why a config does not fit the type of a function's argument.
//!
//! `reader` finds it. The parent module decides what is reported.

use std::fmt;

use serde::de::{Error, Unexpected};

/// Why a value does not fit, and where.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The JSON pointer of the value, or of the object that lacks or has the field. `None` until
    /// the innermost reader of a value adds it.
    pub(super) pointer: Option<String>,
    pub(super) reason: Reason,
}

/// A reason why a value does not fit.
#[derive(Debug)]
pub(super) enum Reason {
    /// The object has no such field.
    Missing(&'static str),
    /// The object has a field that its type refuses.
    Unknown(String),
    /// The value is of another type, or its type refuses it.
    Value(String),
}

impl Misfit {
    pub(super) fn text(message: impl Into<String>) -> Self {
        Reason::Value(message.into()).into()
    }

    /// Adds the position, if an inner reader has not.
    pub(super) fn at(mut self, pointer: impl FnOnce() -> String) -> Self {
        self.pointer.get_or_insert_with(pointer);
        self
    }
}

impl From<Reason> for Misfit {
    fn from(reason: Reason) -> Self {
        Self {
            pointer: None,
            reason,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "the key {field} is missing"),
            Self::Unknown(field) => write!(f, "the key {field:?} is unknown"),
            Self::Value(message) => f.write_str(message),
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Misfit {}

impl Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::text(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        let found = match found {
            // As JSON writes it.
            Unexpected::Unit => "null".to_owned(),
            found => found.to_string(),
        };
        Self::text(format!("expected {expected}, not {found}"))
    }

    fn missing_field(field: &'static str) -> Self {
        Reason::Missing(field).into()
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Reason::Unknown(field.to_owned()).into()
    }
}
