//! Masks secrets in texts and values: replaces each occurrence with `***`.
//!
//! `engine` adds each secret that it opens for a run, and `secret_list` finds them.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::{Map, Number, Value};

use super::encoded;
use super::secret_list::SecretList;

/// Shorter lines of a secret are not masked separately: they are usually brackets or plain words.
const LINE_BYTES_MIN: usize = 8;

const MASKED: &str = "***";

/// The secrets that were opened for a run. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mask(Arc<RwLock<SecretList>>);

impl Mask {
    /// Adds a secret, what it says if it is a URL or part of one, and each of its longer lines.
    ///
    /// The lines are added because the output of a program is logged line by line.
    pub(crate) fn add(&self, secret: &str) {
        let lines = secret.lines().map(str::trim);
        let lines = lines.filter(|line| line.len() >= LINE_BYTES_MIN);
        let decoded = encoded::decode_url(secret);
        let mut secrets = self.0.write();
        for text in [secret, secret.trim()]
            .into_iter()
            .chain(decoded.as_deref())
            .chain(lines)
        {
            secrets.add(text);
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
        self.0.read().is_empty()
    }

    /// Returns whether a text contains a secret.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.read().matches(text)
    }

    /// Returns whether a number contains a secret in its digits, or is equal to one.
    pub(crate) fn matches_number(&self, number: &Number) -> bool {
        self.0.read().matches_number(number)
    }

    /// Returns whether a number can contain a secret at all.
    pub(crate) fn has_numbers(&self) -> bool {
        self.0.read().has_numbers()
    }

    /// Masks a text: each secret, and the start of one before the mark of a cut.
    pub(crate) fn text(&self, text: String) -> String {
        let found = self.0.read().find(&text);
        if found.is_empty() {
            return text;
        }
        hide(&text, found)
    }

    /// Masks the strings, keys and numbers inside a value.
    pub(crate) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(number) if self.matches_number(&number) => Value::from(MASKED),
            // The recursion is bounded: a dataset's values are nested at most 120 levels deep.
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(entries) => Value::Object(self.object(entries)),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
        }
    }

    /// Masks the keys and values of an object.
    pub(crate) fn object(&self, entries: Map<String, Value>) -> Map<String, Value> {
        let entries = entries.into_iter();
        entries
            .map(|(key, value)| (self.text(key), self.value(value)))
            .collect()
    }
}

/// Replaces parts of a text. Parts that overlap are one: a secret may contain another one.
fn hide(text: &str, mut parts: Vec<Range<usize>>) -> String {
    parts.sort_unstable_by_key(|part| (part.start, part.end));
    let (mut hidden, mut shown_to) = (String::new(), None);
    for Range { start, end } in parts {
        if shown_to.is_some_and(|shown_to| start < shown_to) {
            shown_to = shown_to.max(Some(end));
            continue;
        }
        hidden.push_str(&text[shown_to.unwrap_or(0)..start]);
        hidden.push_str(MASKED);
        shown_to = Some(end);
    }
    hidden.push_str(&text[shown_to.unwrap_or(0)..]);
    hidden
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
    fn every_occurrence_is_masked_and_the_longest_secret_first() {
        let mask = mask(&["hunter", "hunter2-and-more", "abc", "pass word\n"]);
        for (text, expected) in [
            ("hunter2-and-more, hunter2", "***, ***2"),
            ("hunterhunter", "******"),
            ("abc", "abc"),
            ("a pass word here", "a *** here"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(mask.text(text.to_owned()), expected);
            assert_eq!(mask.matches(text), text != expected);
        }
    }

    #[test]
    fn secrets_that_overlap_are_masked_together() {
        let mask = mask(&["abcdef", "defghi", "ghi\"jk"]);
        for (text, expected) in [
            ("xabcdefghix", "x***x"),
            ("abcdefghi\\\"jk", "***"),
            ("abcdef, defghi", "***, ***"),
        ] {
            assert_eq!(mask.text(text.to_owned()), expected);
        }
    }

    #[test]
    fn a_secret_with_parts_of_a_url_is_masked_if_it_is_decoded_or_encoded_further() {
        let mask = mask(&["https://u:p%40ss@host/a b"]);
        for text in [
            "https://u:p%40ss@host/a b",
            "https://u:p%40ss@host/a%20b",
            "https://u:p@ss@host/a b",
            "https%3A%2F%2Fu%3Ap%2540ss%40host%2Fa+b",
        ] {
            assert_eq!(mask.text(text.to_owned()), "***", "{text}");
        }
    }

    #[test]
    fn a_json_escaped_secret_is_masked() {
        let secret = "say \"hi\"\n\u{1}now";
        let json_text = json!({ "x": secret }).to_string();
        assert_eq!(mask(&[secret]).text(json_text), r#"{"x":"***"}"#);
    }

    #[test]
    fn an_encoded_secret_is_masked_with_the_longest_first() {
        let mask = mask(&["p@ss word", "p@ss word/extra"]);
        for (text, expected) in [
            ("url p%40ss%20word, p%40ss+word%2Fextra!", "url ***, ***!"),
            ("{\"x\":\"p@ss word\\/extra\"}", "{\"x\":\"***\"}"),
            ("p\\u0040ss word", "***"),
            ("p%41ss%20word 100%", "p%41ss%20word 100%"),
        ] {
            assert_eq!(mask.text(text.to_owned()), expected);
            assert_eq!(mask.matches(text), text != expected, "{text}");
        }
    }

    #[test]
    fn the_start_of_a_secret_before_a_cut_is_masked() {
        let mask = mask(&["hunter2-and-more", "p@ss word/extra"]);
        for (text, expected) in [
            ("got hunter2-an…", "got ***…"),
            (
                "got \"hunter2…\", then p%40ss%2… (cut)",
                "got \"***…\", then ***… (cut)",
            ),
            ("hunter2-and-more…hunter2-and-more", "***…***"),
            ("hun…", "hun…"),
            ("hunters…", "hunters…"),
            ("hunter2 …", "hunter2 …"),
            ("a…b", "a…b"),
        ] {
            assert_eq!(mask.text(text.to_owned()), expected);
        }
        let odd = self::mask(&["ab…SeCrEt…needle"]);
        for (text, expected) in [
            ("x ab…SeCrEt…nee… (cut)", "x ***… (cut)"),
            ("x ab…SeC…", "x ***…"),
            ("…ab…SeC… ab…S…", "…***… ***…"),
        ] {
            assert_eq!(odd.text(text.to_owned()), expected);
        }
        let quoted = crate::error::quote(&("x".repeat(73) + "hunter2-and-more"));
        assert!(mask.text(quoted).ends_with("x***…\""));
        let cut = crate::error::truncate("x".repeat(90) + "hunter2-and-more", 106);
        assert!(!mask.text(cut).contains("hunt"));
        assert_eq!(Mask::default().text("hunter2…".to_owned()), "hunter2…");
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
    fn a_secret_number_is_masked_in_every_spelling() {
        let mask = mask(&["98765432.10", "18446744073709551617", "12345"]);
        assert!(mask.has_numbers() && !self::mask(&["hunter2"]).has_numbers());
        for number in [
            "98765432.1",
            "9.87654321e7",
            "1.8446744073709552e19",
            "912345",
            "12345.0",
        ] {
            let number: Number = serde_json::from_str(number).unwrap();
            assert!(mask.matches_number(&number), "{number}");
        }
        for number in ["98765432.2", "0", "-12.5"] {
            let number: Number = serde_json::from_str(number).unwrap();
            assert!(!mask.matches_number(&number), "{number}");
        }
    }

    #[test]
    fn clones_share_the_strings_that_add_value_adds() {
        let mask = Mask::default();
        let clone = mask.clone();
        assert!(clone.is_empty());
        mask.add_value(&json!({"token": "t-0123", "deep": [{"key": "k-4567"}], "port": 5432}));
        assert_eq!(clone.text("t-0123 k-4567 5432".to_owned()), "*** *** 5432");
        assert!(!format!("{mask:?}").contains("0123"));
    }
}
