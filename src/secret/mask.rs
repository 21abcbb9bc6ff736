//! Masks secrets in texts and values: replaces each occurrence with `***`.
//!
//! `engine` adds each secret that it opens for a run. An encoded secret (for example in base64) is
//! not found.

use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::{Map, Value};

use super::Secret;

/// Shorter secrets are not masked: `a` or `123` occurs in almost every text.
const BYTES_MIN: usize = 4;

/// Shorter lines of a secret are not masked separately: they are brackets and words rather than
/// secrets.
const LINE_BYTES_MIN: usize = 8;

const MASKED: &str = "***";

/// The secrets that were opened for a run. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mask(Arc<RwLock<SecretList>>);

/// Secrets, the longest first, so that a secret inside another leaves no rest of it.
#[derive(Debug, Default)]
struct SecretList(Vec<Secret<String>>);

impl Mask {
    /// Adds a secret, also in its JSON-escaped form, and each of its lines.
    ///
    /// The output of a program is logged line by line.
    pub(crate) fn add(&self, secret: &str) {
        let lines = secret.lines().map(str::trim);
        let lines = lines.filter(|line| line.len() >= LINE_BYTES_MIN);
        let mut secrets = self.0.write();
        for text in [secret, secret.trim()].into_iter().chain(lines) {
            secrets.add(text);
            secrets.add(&json_escaped(text));
        }
    }

    /// Adds every string inside a value.
    pub(crate) fn add_value(&self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Array(items) => items.iter().for_each(|item| self.add_value(item)),
            Value::Object(entries) => entries.values().for_each(|item| self.add_value(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.read().0.is_empty()
    }

    /// Returns whether a text contains a secret.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.0.read().is_in(text)
    }

    /// Masks a text.
    pub(crate) fn text(&self, text: String) -> String {
        let secrets = self.0.read();
        if !secrets.is_in(&text) {
            return text;
        }
        let mask = |text: String, secret: &Secret<String>| text.replace(secret.expose(), MASKED);
        secrets.0.iter().fold(text, mask)
    }

    /// Masks a value, including its keys and numbers.
    pub(crate) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(number) if self.is_in(&number.to_string()) => Value::from(MASKED),
            // The recursion is bounded: a dataset's values are nested at most 120 levels deep.
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(entries) => Value::Object(self.object(entries)),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
        }
    }

    /// Masks an object.
    pub(crate) fn object(&self, entries: Map<String, Value>) -> Map<String, Value> {
        let entries = entries.into_iter();
        entries
            .map(|(key, value)| (self.text(key), self.value(value)))
            .collect()
    }
}

impl SecretList {
    fn add(&mut self, text: &str) {
        if text.len() < BYTES_MIN || self.0.iter().any(|secret| secret.expose() == text) {
            return;
        }
        let index = self
            .0
            .partition_point(|secret| secret.expose().len() >= text.len());
        self.0.insert(index, Secret::new(text.to_owned()));
    }

    fn is_in(&self, text: &str) -> bool {
        self.0
            .iter()
            .any(|secret| text.contains(secret.expose().as_str()))
    }
}

/// Returns a text as it is escaped inside a JSON string.
fn json_escaped(text: &str) -> String {
    let written = Value::from(text).to_string();
    let inside = written.strip_prefix('"');
    let inside = inside.and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mask(secrets: &[&str]) -> Mask {
        let mask = Mask::default();
        secrets.iter().for_each(|secret| mask.add(secret));
        mask
    }

    #[test]
    fn every_occurrence_is_masked_the_longest_secret_first() {
        let mask = mask(&["hunter", "hunter2-and-more", "abc", "pass word\n"]);
        for (text, expected) in [
            ("hunter2-and-more, hunter2", "***, ***2"),
            ("hunterhunter", "******"),
            ("abc", "abc"),
            ("a pass word here", "a *** here"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(mask.text(text.to_owned()), expected);
            assert_eq!(mask.is_in(text), text != expected);
        }
    }

    #[test]
    fn a_json_escaped_secret_is_masked() {
        let secret = "say \"hi\"\n\u{1}now";
        let written = json!({ "x": secret }).to_string();
        assert_eq!(mask(&[secret]).text(written), r#"{"x":"***"}"#);
    }

    #[test]
    fn each_line_of_a_secret_is_masked_separately() {
        let mask = mask(&["-----BEGIN KEY-----\r\nAbCd0123\n  EfGh4567\n}\n"]);
        for (text, expected) in [
            ("AbCd0123", "***"),
            ("read EfGh4567", "read ***"),
            ("}", "}"),
        ] {
            assert_eq!(mask.text(text.to_owned()), expected);
        }
    }

    #[test]
    fn secrets_are_masked_anywhere_in_a_value() {
        let mask = mask(&["hunter2", "12345"]);
        let value =
            json!({"a": ["x hunter2"], "hunter2": {"b": 912345, "c": 7, "d": null, "e": true}});
        let expected = json!({"a": ["x ***"], "***": {"b": "***", "c": 7, "d": null, "e": true}});
        assert_eq!(mask.value(value), expected);
    }

    #[test]
    fn strings_inside_a_value_become_secrets_of_all_clones() {
        let mask = Mask::default();
        let clone = mask.clone();
        assert!(clone.is_empty());
        mask.add_value(&json!({"token": "t-0123", "deep": [{"key": "k-4567"}], "port": 5432}));
        assert_eq!(clone.text("t-0123 k-4567 5432".to_owned()), "*** *** 5432");
        assert!(!format!("{mask:?}").contains("0123"));
    }
}
