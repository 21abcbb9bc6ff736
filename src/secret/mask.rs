//! Hides secrets that are known in texts and values: each is replaced by `***`.
//!
//! Which secrets are known is told by whoever opened them. What was changed on its way (in base64, or upside down) is not found.

use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::{Map, Value};

use super::Secret;

/// Secrets shorter than this are not looked for: `a` or `5432` stands in every second text.
const BYTES_MIN: usize = 4;

/// Lines shorter than this are not looked for alone: they are brackets and words rather than secrets.
const LINE_BYTES_MIN: usize = 8;

const HIDDEN: &str = "***";

/// The secrets that a run knows. Clones know the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mask(Arc<RwLock<Known>>);

/// The longest first, so that one that is a part of another leaves nothing of it.
#[derive(Debug, Default)]
struct Known(Vec<Secret<String>>);

impl Mask {
    /// Makes a secret known, also as it reads inside of a JSON string, and each line of it: what a program writes is logged line by line.
    pub(crate) fn add(&self, secret: &str) {
        let lines = secret.lines().map(str::trim);
        let lines = lines.filter(|line| line.len() >= LINE_BYTES_MIN);
        let mut known = self.0.write();
        for text in [secret, secret.trim()].into_iter().chain(lines) {
            known.add(text);
            known.add(&inside_of_json(text));
        }
    }

    /// Makes every text inside of a value known.
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

    /// Whether a known secret stands in a text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.0.read().is_in(text)
    }

    /// The text without known secrets.
    pub(crate) fn text(&self, text: String) -> String {
        let known = self.0.read();
        if !known.is_in(&text) {
            return text;
        }
        let hide = |text: String, secret: &Secret<String>| text.replace(secret.expose(), HIDDEN);
        known.0.iter().fold(text, hide)
    }

    /// The value without known secrets, in keys and numbers too.
    pub(crate) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(number) if self.is_in(&number.to_string()) => Value::from(HIDDEN),
            // Recursion is bounded: a dataset's values are nested at most 120 levels deep.
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(entries) => Value::Object(self.object(entries)),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
        }
    }

    /// The object without known secrets.
    pub(crate) fn object(&self, entries: Map<String, Value>) -> Map<String, Value> {
        let hidden = entries.into_iter();
        hidden
            .map(|(key, value)| (self.text(key), self.value(value)))
            .collect()
    }
}

impl Known {
    fn add(&mut self, text: &str) {
        if text.len() < BYTES_MIN || self.0.iter().any(|known| known.expose() == text) {
            return;
        }
        let place = self
            .0
            .partition_point(|known| known.expose().len() >= text.len());
        self.0.insert(place, Secret::new(text.to_owned()));
    }

    fn is_in(&self, text: &str) -> bool {
        self.0
            .iter()
            .any(|known| text.contains(known.expose().as_str()))
    }
}

/// A text as it reads inside of a JSON string.
fn inside_of_json(text: &str) -> String {
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
    fn every_occurrence_is_hidden_and_the_longest_first() {
        let mask = mask(&["hunter", "hunter2-and-more", "abc", "pass word\n"]);
        for (text, hidden) in [
            ("hunter2-and-more, hunter2", "***, ***2"),
            ("hunterhunter", "******"),
            ("abc", "abc"),
            ("a pass word here", "a *** here"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(mask.text(text.to_owned()), hidden);
            assert_eq!(mask.is_in(text), text != hidden);
        }
    }

    #[test]
    fn a_secret_is_hidden_as_json_writes_it_too() {
        let secret = "say \"hi\"\n\u{1}now";
        let written = json!({ "x": secret }).to_string();
        assert_eq!(mask(&[secret]).text(written), r#"{"x":"***"}"#);
    }

    #[test]
    fn each_line_of_a_secret_is_hidden_alone_too() {
        let mask = mask(&["-----BEGIN KEY-----\r\nAbCd0123\n  EfGh4567\n}\n"]);
        for (text, hidden) in [
            ("AbCd0123", "***"),
            ("read EfGh4567", "read ***"),
            ("}", "}"),
        ] {
            assert_eq!(mask.text(text.to_owned()), hidden);
        }
    }

    #[test]
    fn values_are_hidden_wherever_they_stand() {
        let mask = mask(&["hunter2", "12345"]);
        let value =
            json!({"a": ["x hunter2"], "hunter2": {"b": 912345, "c": 7, "d": null, "e": true}});
        let hidden = json!({"a": ["x ***"], "***": {"b": "***", "c": 7, "d": null, "e": true}});
        assert_eq!(mask.value(value), hidden);
    }

    #[test]
    fn texts_inside_of_a_value_become_known_and_clones_know_them() {
        let mask = Mask::default();
        let clone = mask.clone();
        assert!(clone.is_empty());
        mask.add_value(&json!({"token": "t-0123", "deep": [{"key": "k-4567"}], "port": 5432}));
        assert_eq!(clone.text("t-0123 k-4567 5432".to_owned()), "*** *** 5432");
        assert!(!format!("{mask:?}").contains("0123"));
    }
}
