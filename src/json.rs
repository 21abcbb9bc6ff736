//! A strict JSON reader: refuses duplicate keys and deep nesting, and reports the position of each
//! error.
//!
//! The callers interpret the values: `graph/definition` for pipelines, `api` for bodies.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::error::{Error, Problem, Result, quote};

/// The maximum nesting of arrays and objects: deeper than people write, yet shallow enough for
/// recursion.
pub(crate) const DEPTH_MAX: usize = 128;

/// Reads a JSON text.
///
/// Integers from `i64::MIN` to `u64::MAX` are exact. Other numbers become the nearest `f64`.
///
/// # Errors
/// Returns `Malformed` with the slug `json-too-deep`, `duplicate-key` or `invalid-json`. The last
/// means a syntax error, invalid UTF-8 or a truncated text.
pub(crate) fn read(bytes: &[u8]) -> Result<Value> {
    check_depth(bytes)?;
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    decode::<UniqueKeys>(text.as_bytes()).map_err(syntax_error)?;
    decode(text.as_bytes()).map_err(syntax_error)
}

/// Decodes a text that [`read`] has accepted, or that is known to have little nesting.
///
/// The nesting limit of `serde_json`, which is 127, is disabled.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.disable_recursion_limit();
    let value = T::deserialize(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

/// Returns whether a value has more than `max` levels of arrays and objects.
///
/// It does not recurse, since the value may be nested too deep for that.
pub(crate) fn is_deeper_than(value: &Value, max: usize) -> bool {
    let mut open = vec![(value, max)];
    while let Some((value, room)) = open.pop() {
        let inner: &mut dyn Iterator<Item = &Value> = match value {
            Value::Array(items) => &mut items.iter(),
            Value::Object(entries) => &mut entries.values(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => continue,
        };
        let Some(left) = room.checked_sub(1) else {
            return true;
        };
        open.extend(inner.map(|value| (value, left)));
    }
    false
}

/// Checks the nesting by counting brackets, which refuses a text of many brackets cheaply.
fn check_depth(bytes: &[u8]) -> Result<()> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth = depth.saturating_add(1),
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            let at = position(bytes, index);
            return Err(malformed(
                Problem::JsonTooDeep,
                format!("arrays and objects are nested deeper than {DEPTH_MAX} levels, {at}"),
            ));
        }
    }
    Ok(())
}

fn not_utf8(bytes: &[u8], index: usize) -> Error {
    let at = position(bytes, index);
    malformed(
        Problem::InvalidJson,
        format!("not JSON: invalid UTF-8 {at}"),
    )
}

/// Describes a position as `serde_json` does.
///
/// Lines and columns count from 1. A column is one byte.
fn position(bytes: &[u8], index: usize) -> String {
    let before = bytes.get(..index).unwrap_or(bytes);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count()
        + 1;
    format!("at line {line} column {column}")
}

fn syntax_error(error: serde_json::Error) -> Error {
    let message = error.to_string();
    // serde keeps only the text of a visitor's error. No syntax error of `serde_json` starts with
    // this prefix.
    let malformed_error = if let Some(duplicate) = message.strip_prefix(DUPLICATE) {
        malformed(
            Problem::DuplicateKey,
            format!("a key is given twice: {duplicate}"),
        )
    } else {
        malformed(Problem::InvalidJson, format!("not JSON: {message}"))
    };
    malformed_error.with_source(error)
}

fn malformed(problem: Problem, message: String) -> Error {
    Error::new(problem, message)
}

const DUPLICATE: &str = "duplicate key ";

/// Accepts JSON in which no object has duplicate keys, and stores no values.
///
/// [`read`] then decodes a `serde_json::Value`, which also handles numbers if a host enables
/// `arbitrary_precision`.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(de::Error::custom(format_args!(
                    "{DUPLICATE}{}",
                    quote(&key)
                )));
            }
            keys.insert(key);
            entries.next_value::<Self>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;

    fn refused(text: impl AsRef<[u8]>) -> (&'static str, String) {
        let error = read(text.as_ref()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        (error.slug(), error.to_string())
    }

    #[test]
    fn values_are_read_as_written() {
        let text = r#"{"a":[1,-2,2.5,true,null,"x"],"big":18446744073709551615,"small":-9223372036854775808}"#;
        assert_eq!(
            read(text.as_bytes()).unwrap(),
            json!({"a": [1, -2, 2.5, true, null, "x"], "big": u64::MAX, "small": i64::MIN})
        );
    }

    #[test]
    fn the_same_key_in_two_objects_is_not_a_duplicate() {
        assert!(read(br#"[{"a":1},{"a":{"a":2}}]"#).is_ok());
    }

    #[test]
    fn a_duplicate_key_is_refused_even_if_escaped() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"[{"b":{"a":1,"x":2,"a":3}}]"#,
        ] {
            let (slug, message) = refused(text);
            assert_eq!(slug, "duplicate-key", "{text}");
            assert!(
                message.starts_with("a key is given twice: \"a\" at line 1 column "),
                "{message}"
            );
        }
    }

    #[test]
    fn syntax_errors_report_their_position() {
        for (text, position) in [
            ("", "line 1 column 0"),
            ("{\n  \"a\": tru }", "line 2 column 11"),
            ("[1, 2", "line 1 column 5"),
            ("[1] 2", "line 1 column 5"),
            ("{\"a\"}", "line 1 column 5"),
            ("\"\\ud800\"", "line 1 column 8"),
            ("\u{feff}{}", "line 1 column 1"),
            ("NaN", "line 1 column 1"),
        ] {
            let (slug, message) = refused(text);
            assert_eq!(slug, "invalid-json", "{text}");
            assert!(message.ends_with(position), "{text}: {message}");
        }
    }

    #[test]
    fn invalid_utf_8_is_refused_with_its_position() {
        let (slug, message) = refused(b"{\n\"a\": \"\xff\"}");
        assert_eq!(
            (slug, message.as_str()),
            ("invalid-json", "not JSON: invalid UTF-8 at line 2 column 7")
        );
    }

    #[test]
    fn a_depth_of_128_is_read_and_a_depth_of_129_is_refused() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(128).as_bytes()).is_ok());
        assert_eq!(refused(nested(129)).0, "json-too-deep");
        let objects = format!("{}1{}", "{\"a\":".repeat(129), "}".repeat(129));
        let (slug, message) = refused(objects);
        assert_eq!(slug, "json-too-deep");
        assert!(message.ends_with("at line 1 column 641"), "{message}");
    }

    #[test]
    fn brackets_inside_strings_do_not_nest() {
        let text = format!(r#"["{}\"{}"]"#, "[".repeat(200), "{".repeat(200));
        assert!(read(text.as_bytes()).is_ok());
    }

    #[test]
    fn megabytes_of_brackets_are_refused_as_too_deep() {
        assert_eq!(refused("[".repeat(4 << 20)).0, "json-too-deep");
    }
}
