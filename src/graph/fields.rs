//! Typed reading of JSON objects that goes on after a fault, so that every fault of a definition is
//! told.
//!
//! Types only; whether a value that was read is in its range is left to `rules`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::issues::{Issues, reference_token};
use crate::error::{quote, truncate};

/// Bytes of a received number that are shown; a host's `arbitrary_precision` lets it have
/// megabytes.
const NUMBER_BYTES_MAX: usize = 80;

/// The fields of one object that were not taken yet, and where the object is.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    at: String,
    rest: Map<String, Value>,
    issues: &'a mut Issues,
}

impl<'a> Fields<'a> {
    /// The fields of a value that should be an object; `what` names it.
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

    /// Takes a field; `expects` says what `read` takes. A fault, `null` among them, reads as left
    /// out.
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

    /// Takes a field whose content is never told.
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
            self.issues.push(&at, || format!("{key} must be {expects}"));
        }
        taken
    }

    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        self.take(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    /// Takes a text that may not be left out.
    pub(crate) fn required(&mut self, key: &str) -> String {
        self.require(key, "a string");
        self.text(key).unwrap_or_default()
    }

    /// Tells a field that is left out.
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

    /// Takes an array; an item that is no object is told and reads as the default, `what` names it.
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

    /// Takes an array; an item that is no string is told and reads as empty, `what` names it.
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

    /// What was not taken.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.rest
    }

    /// Where a field of the object is, and who gathers its problems.
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

/// Says what was wanted and what came instead.
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

/// A number of seconds, to the millisecond.
pub(crate) fn seconds(value: &Value) -> Option<Duration> {
    crate::model::seconds::read(value.as_f64()?)
}

/// A whole number.
pub(crate) fn whole_number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}
