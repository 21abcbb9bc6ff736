//! Reads typed fields from JSON objects. It continues after a fault, so that an error reports every
//! fault.
//!
//! This file checks types only. `rules` checks ranges.

use std::time::Duration;

use serde_json::{Map, Value};

use super::issues::Issues;
use crate::error::{Problem, quote, reference_token, truncate};
use crate::suggestion::{did_you_mean, nearest};

/// The number of bytes of a received number that an issue shows. With `arbitrary_precision`, which
/// a host may enable, a number can have megabytes.
const NUMBER_BYTES_MAX: usize = 80;

/// The fields of one object that were not taken yet, and the JSON pointer of the object.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    at: String,
    rest: Map<String, Value>,
    issues: &'a mut Issues,
}

impl<'a> Fields<'a> {
    /// Returns the fields of `value`, or adds an issue if it is not an object. The issue calls the
    /// value `what`.
    pub(crate) fn new(
        value: Value,
        what: &str,
        at: String,
        issues: &'a mut Issues,
    ) -> Option<Self> {
        match value {
            Value::Object(rest) => Some(Self { at, rest, issues }),
            other => {
                issues.push(&at, || mismatch(what, "an object", &other));
                None
            }
        }
    }

    /// Takes a field. `expects` describes the values that `read` accepts.
    ///
    /// If `read` rejects the value, for example `null`, adds an issue and returns `None` as for an
    /// omitted field.
    pub(crate) fn take<T>(
        &mut self,
        key: &str,
        expects: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.rest.remove(key)?;
        let taken = read(&value);
        if taken.is_none() {
            let at = self.pointer(key);
            self.issues.push(&at, || mismatch(key, expects, &value));
        }
        taken
    }

    /// Takes a field whose value must never appear in an issue.
    pub(crate) fn take_secret(
        &mut self,
        key: &str,
        expects: &str,
        read: impl FnOnce(&Value) -> Option<String>,
    ) -> Option<String> {
        let value = self.rest.remove(key)?;
        let taken = read(&value);
        if taken.is_none() {
            let at = self.pointer(key);
            self.issues.push(&at, || {
                let received = match &value {
                    Value::String(_) => "a longer string",
                    Value::Null => "null",
                    Value::Bool(_) => "a boolean",
                    Value::Number(_) => "a number",
                    Value::Array(_) => "an array",
                    Value::Object(_) => "an object",
                };
                format!("{key} must be {expects}, received {received}")
            });
        }
        taken
    }

    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        self.take(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    /// Takes a string that is required.
    pub(crate) fn required(&mut self, key: &str) -> String {
        self.require(key, "a string");
        self.text(key).unwrap_or_default()
    }

    /// Adds an issue if the field is missing.
    pub(crate) fn require(&mut self, key: &str, expects: &str) {
        if !self.rest.contains_key(key) {
            let at = self.pointer(key);
            self.issues
                .push(&at, || format!("{key} is missing; it must be {expects}"));
        }
    }

    pub(crate) fn object(&mut self, key: &str) -> Map<String, Value> {
        self.take_or_default(key, "an object", |value| match value {
            Value::Object(map) => Ok(map),
            other => Err(other),
        })
    }

    /// Takes an object with fields of its own. For any other value, adds an issue that calls it
    /// `what`.
    pub(crate) fn inner<T>(
        &mut self,
        key: &str,
        what: &str,
        read: impl FnOnce(Fields<'_>) -> T,
    ) -> Option<T> {
        let value = self.rest.remove(key)?;
        let at = self.pointer(key);
        Fields::new(value, what, at, self.issues).map(read)
    }

    /// Takes an array of objects. For any other item, adds an issue that calls the item `what`, and
    /// reads it as the default.
    pub(crate) fn objects<T: Default>(
        &mut self,
        key: &str,
        what: &str,
        read: impl Fn(Fields<'_>) -> T,
    ) -> Vec<T> {
        let at = self.pointer(key);
        let items = self.list(key);
        let read_one = |(index, item)| {
            let at = format!("{at}/{index}");
            Fields::new(item, what, at, self.issues).map_or_else(T::default, &read)
        };
        items.into_iter().enumerate().map(read_one).collect()
    }

    /// Takes an array of strings. For any other item, adds an issue that calls the item `what`, and
    /// reads it as empty.
    pub(crate) fn texts(&mut self, key: &str, what: &str) -> Vec<String> {
        let at = self.pointer(key);
        let items = self.list(key);
        let mut read_one = |(index, item)| match item {
            Value::String(text) => text,
            other => {
                let at = format!("{at}/{index}");
                self.issues.push(&at, || mismatch(what, "a string", &other));
                String::new()
            }
        };
        items.into_iter().enumerate().map(&mut read_one).collect()
    }

    /// Takes a field that may not be there. If it is, adds an issue.
    pub(crate) fn refuse(&mut self, key: &str, detail: impl FnOnce() -> String) {
        if self.rest.remove(key).is_some() {
            let at = self.pointer(key);
            self.issues
                .push_with_problem(Problem::UnknownField, &at, detail());
        }
    }

    /// Adds an issue for each field that was not taken. `known` has the names of those that may be.
    pub(crate) fn refuse_rest(self, known: &[&str]) {
        for key in self.rest.keys() {
            let (at, detail) = (self.pointer(key), unknown_field(key, known));
            self.issues
                .push_with_problem(Problem::UnknownField, &at, detail);
            if self.issues.is_full() {
                return;
            }
        }
    }

    /// Returns the fields that were not taken.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.rest
    }

    /// Returns the JSON pointer of a field and the collection that takes its issues.
    pub(crate) fn nested(&mut self, key: &str) -> (String, &mut Issues) {
        (self.pointer(key), self.issues)
    }

    fn list(&mut self, key: &str) -> Vec<Value> {
        self.take_or_default(key, "an array", |value| match value {
            Value::Array(items) => Ok(items),
            other => Err(other),
        })
    }

    fn take_or_default<T: Default>(
        &mut self,
        key: &str,
        expects: &str,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> T {
        let Some(value) = self.rest.remove(key) else {
            return T::default();
        };
        read(value).unwrap_or_else(|other| {
            let at = self.pointer(key);
            self.issues.push(&at, || mismatch(key, expects, &other));
            T::default()
        })
    }

    fn pointer(&self, key: &str) -> String {
        format!("{}/{}", self.at, reference_token(key))
    }
}

/// Describes the expected and the received value.
pub(crate) fn mismatch(what: &str, expects: &str, received: &Value) -> String {
    let received = match received {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => truncate(number.to_string(), NUMBER_BYTES_MAX),
        Value::String(text) => quote(text),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    format!("{what} must be {expects}, received {received}")
}

/// Reads a number of seconds, rounded to milliseconds.
pub(crate) fn seconds(value: &Value) -> Option<Duration> {
    crate::model::seconds::read(value.as_f64()?)
}

/// Describes a field that is none of the known ones.
pub(crate) fn unknown_field(name: &str, known: &[&str]) -> String {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => did_you_mean(near),
        None if known.is_empty() => "; this takes no fields".to_owned(),
        None => format!("; known are {}", known.join(", ")),
    };
    format!("the field {} is not known here{hint}", quote(name))
}

/// Reads a whole number from 0 to `u32::MAX`. JSON does not tell 30 from 30.0, and some clients
/// write the latter.
pub(crate) fn whole_number(value: &Value) -> Option<u32> {
    if let Some(number) = value.as_u64() {
        return u32::try_from(number).ok();
    }
    let number = value.as_f64()?;
    if number < 0.0 || number.fract() != 0.0 {
        return None;
    }
    // Its digits, which are too many for a number that is too large. -0.0 is 0.
    format!("{:.0}", number.abs()).parse().ok()
}
