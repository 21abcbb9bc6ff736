//! Copies nested JSON values without their white space. Keys keep their order and numbers their
//! digits.
//!
//! It does not recurse, because the nesting comes from outside.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{number_error, reason};
use crate::error::quote;
use crate::model::dataset::build::{NESTING_MAX, RowError};
use crate::model::dataset::number;

/// An array or an object that is not closed yet.
enum Open<'a> {
    Array,
    Object { keys: HashSet<Cow<'a, str>> },
}

/// Returns the text of an array or object without white space.
///
/// The text MUST be valid JSON, except that strings may have invalid surrogates.
pub(super) fn compact(text: &str) -> Result<String, RowError> {
    let mut compacted = String::with_capacity(text.len());
    let mut open = Vec::new();
    let (mut rest, mut is_key) = (text, false);
    while let Some(byte) = rest.bytes().next() {
        let token = &rest[..token_length(rest)];
        rest = &rest[token.len()..];
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'[' | b'{' => {
                push_open(&mut open, byte)?;
                is_key = byte == b'{';
            }
            b']' | b'}' => {
                open.pop();
                is_key = false;
            }
            b',' => is_key = matches!(open.last(), Some(Open::Object { .. })),
            b'"' => {
                let string = read_string(token)?;
                if let (true, Some(Open::Object { keys })) = (is_key, open.last_mut()) {
                    add_key(keys, string)?;
                }
                is_key = false;
            }
            b'-' | b'0'..=b'9' if number::finite(token).is_none() => {
                return Err(number_error(token));
            }
            _ => {}
        }
        compacted.push_str(token);
    }
    Ok(compacted)
}

fn push_open(open: &mut Vec<Open<'_>>, byte: u8) -> Result<(), RowError> {
    if open.len() >= NESTING_MAX {
        return Err(RowError::new(format!(
            "a value is nested more than {NESTING_MAX} levels deep"
        )));
    }
    open.push(match byte {
        b'{' => Open::Object {
            keys: HashSet::new(),
        },
        _ => Open::Array,
    });
    Ok(())
}

fn add_key<'a>(keys: &mut HashSet<Cow<'a, str>>, key: Cow<'a, str>) -> Result<(), RowError> {
    if keys.contains(&key) {
        let key = quote(&key);
        return Err(RowError::new(format!("the key {key} comes twice")));
    }
    keys.insert(key);
    Ok(())
}

/// Returns the length of the first token: a string, a number, a word or one other byte.
fn token_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_end = |byte: &u8| !matches!(byte, b'-' | b'+' | b'.') && !byte.is_ascii_alphanumeric();
    let length = match bytes.first() {
        Some(b'"') => string_length(bytes),
        Some(first) if !is_end(first) => bytes.iter().position(is_end),
        Some(_) | None => Some(1),
    };
    length.unwrap_or(bytes.len())
}

fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    let end = bytes.iter().skip(1).position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    // The first quote is skipped, and the last one is part of the string.
    end.map(|index| index.saturating_add(2))
}

fn read_string(token: &str) -> Result<Cow<'_, str>, RowError> {
    match token.get(1..token.len().saturating_sub(1)) {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        Some(_) | None => serde_json::from_str(token)
            .map(Cow::Owned)
            .map_err(|error| RowError::new(reason(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_goes_and_everything_else_stays() {
        for (text, expected) in [
            (
                "{ \"b\" : [ 1.50 ,\t-2e3, \"a \\\" b\" ] ,\r\n\"a\": { } }",
                r#"{"b":[1.50,-2e3,"a \" b"],"a":{}}"#,
            ),
            ("[ ]", "[]"),
            ("[true, false , null]", "[true,false,null]"),
            (
                r#"{"a":{"a":["a","a"]},"é":"\u00e9"}"#,
                r#"{"a":{"a":["a","a"]},"é":"\u00e9"}"#,
            ),
            (
                "[36893488147419103232, 1234567890123456.78]",
                "[36893488147419103232,1234567890123456.78]",
            ),
        ] {
            assert_eq!(compact(text).unwrap(), expected);
        }
    }

    #[test]
    fn duplicate_keys_and_unreadable_values_are_refused() {
        for (text, reason) in [
            (r#"{"a":1,"a":2}"#, "the key \"a\" comes twice"),
            (r#"[{"b":{"a":1,"\u0061":2}}]"#, "the key \"a\" comes twice"),
            ("[1e999]", "the number 1e999 is too large"),
            (r#"["\ud800"]"#, "unexpected end of hex escape"),
        ] {
            assert_eq!(compact(text).unwrap_err().to_string(), reason, "{text}");
        }
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(compact(&nested(NESTING_MAX)).is_ok());
        assert!(compact(&nested(NESTING_MAX + 1)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn the_value_stays_the_same(value in crate::model::dataset::tests::nested_value()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            proptest::prop_assert_eq!(compact(&text).unwrap(), value.to_string());
        }
    }
}
