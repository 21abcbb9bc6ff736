//! The fields of a body: which are known, and what the plain ones may be.
//!
//! Definitions of pipelines are read by the engine.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::{Error, Issue, Result, shown};

/// The object that a body must be, with no field but the known ones.
///
/// # Errors
/// `Invalid` (`invalid-field`, `unknown-field`).
pub(super) fn object<'a>(body: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>> {
    let Value::Object(fields) = body else {
        let detail = format!("the body must be an object, received {}", kind(body));
        return Err(Error::invalid(
            "invalid-field",
            vec![Issue::pointer("", detail)],
        ));
    };
    let unknown = fields.keys().filter(|name| !known.contains(&name.as_str()));
    let issues: Vec<_> = unknown.map(|name| unknown_field(name, known)).collect();
    if issues.is_empty() {
        Ok(fields)
    } else {
        Err(Error::invalid("unknown-field", issues))
    }
}

fn unknown_field(name: &str, known: &[&str]) -> Issue {
    let hint = match alike(name, known.iter().copied()) {
        Some(like) => format!("; did you mean {}?", shown(like)),
        None if known.is_empty() => "; this takes no fields".to_owned(),
        None => format!("; known are {}", known.join(", ")),
    };
    let detail = format!("the field {} is not known here{hint}", shown(name));
    Issue::pointer(format!("/{}", step(name)), detail)
}

/// A whole number within bounds; where it is none, the reason is among the issues.
pub(super) fn number(
    fields: &Map<String, Value>,
    name: &str,
    bounds: RangeInclusive<u32>,
    issues: &mut Vec<Issue>,
) -> Option<u32> {
    let given = fields.get(name)?;
    let number = given.as_u64().and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| bounds.contains(number));
    if number.is_none() {
        let (least, most) = (bounds.start(), bounds.end());
        let detail = format!(
            "{name} must be a whole number from {least} to {most}, received {}",
            shown(&given.to_string())
        );
        issues.push(Issue::pointer(format!("/{name}"), detail));
    }
    number
}

/// `true` or `false`; where it is neither, the reason is among the issues.
pub(super) fn flag(
    fields: &Map<String, Value>,
    name: &str,
    issues: &mut Vec<Issue>,
) -> Option<bool> {
    let given = fields.get(name)?;
    let flag = given.as_bool();
    if flag.is_none() {
        let detail = format!(
            "{name} must be true or false, received {}",
            shown(&given.to_string())
        );
        issues.push(Issue::pointer(format!("/{name}"), detail));
    }
    flag
}

/// Refuses an input that has issues.
///
/// # Errors
/// `Invalid` (`invalid-field`) with all of them.
pub(super) fn refuse(issues: Vec<Issue>) -> Result<()> {
    if issues.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid("invalid-field", issues))
    }
}

/// The parameters of a run: texts, with numbers and booleans taken as they are written.
///
/// # Errors
/// `Invalid` (`invalid-field`) with every value that is none.
pub(super) fn params(fields: &Map<String, Value>, body: &[u8]) -> Result<BTreeMap<String, String>> {
    let given = match fields.get("params") {
        None => return Ok(BTreeMap::new()),
        Some(Value::Object(given)) => given,
        Some(other) => {
            let detail = format!("params must be an object, received {}", kind(other));
            return Err(Error::invalid(
                "invalid-field",
                vec![Issue::pointer("/params", detail)],
            ));
        }
    };
    let has_number = given.values().any(Value::is_number);
    let written = has_number.then(|| written(body)).flatten();
    let number = |name, value: &Value| match written.as_ref().and_then(|all| all.get(name)) {
        Some(text) => text.get().to_owned(),
        None => value.to_string(),
    };
    let (mut params, mut issues) = (BTreeMap::new(), Vec::new());
    for (name, value) in given {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(_) => number(name, value),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                issues.push(no_param(name, value));
                continue;
            }
        };
        params.insert(name.clone(), text);
    }
    if issues.is_empty() {
        Ok(params)
    } else {
        Err(Error::invalid("invalid-field", issues))
    }
}

fn no_param(name: &str, value: &Value) -> Issue {
    let detail = format!(
        "the parameter {} must be a string, a number or a boolean, received {}",
        shown(name),
        kind(value)
    );
    Issue::pointer(format!("/params/{}", step(name)), detail)
}

/// The parameters as they stand in the body: a number that was read may have lost digits.
fn written(body: &[u8]) -> Option<BTreeMap<String, &RawValue>> {
    #[derive(Deserialize)]
    struct Written<'a> {
        #[serde(borrow)]
        params: BTreeMap<String, &'a RawValue>,
    }
    let body: Written<'_> = serde_json::from_slice(body).ok()?;
    Some(body.params)
}

/// A field that is a text.
///
/// # Errors
/// `Invalid` (`invalid-field`) when it is there and none.
pub(super) fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let detail = format!("{name} must be a string, received {}", kind(other));
            Err(invalid(name, detail))
        }
    }
}

/// A field that is one of a few words.
///
/// # Errors
/// `Invalid` (`invalid-field`) when it is there and another.
pub(super) fn choice<T: Copy>(
    fields: &Map<String, Value>,
    name: &str,
    words: &[(&str, T)],
) -> Result<Option<T>> {
    let Some(given) = text(fields, name)? else {
        return Ok(None);
    };
    match words.iter().find(|(word, _)| *word == given) {
        Some((_, meant)) => Ok(Some(*meant)),
        None => {
            let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let detail = format!(
                "{name} must be one of {}, received {}",
                all.join(", "),
                shown(given)
            );
            Err(invalid(name, detail))
        }
    }
}

fn invalid(name: &str, detail: String) -> Error {
    let pointer = format!("/{}", step(name));
    Error::invalid("invalid-field", vec![Issue::pointer(pointer, detail)])
}

/// The sort of a value, for a message.
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A key as a step of a JSON pointer (RFC 6901, section 3).
fn step(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The known name that is most like a given one, if one is like it.
pub(super) fn alike<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below it names have little in common.
    const LIKE_MIN: f64 = 0.8;
    /// The comparison takes the product of both lengths.
    const LENGTH_MAX: usize = 64;
    if given.len() > LENGTH_MAX {
        return None;
    }
    names
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(likeness, _)| *likeness >= LIKE_MIN)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<BTreeMap<String, String>> {
        let value = crate::json::read(body.as_bytes()).unwrap();
        params(object(&value, &["params"])?, body.as_bytes())
    }

    fn pointers(body: &str) -> (&'static str, Vec<String>) {
        let error = read(body).unwrap_err();
        let at = error.issues().iter().map(|issue| match &issue.at {
            crate::error::IssueAt::Pointer(pointer) => pointer.clone(),
            crate::error::IssueAt::Parameter(name) => panic!("{name}"),
        });
        (error.slug(), at.collect())
    }

    #[test]
    fn texts_numbers_and_booleans_are_taken_as_they_are_written() {
        let body = r#"{"params":{"date":"2024-01-15","n":12345678901234567890123,"f":1.50,"e":1e3,"b":true}}"#;
        let params = read(body).unwrap();
        for (name, text) in [
            ("date", "2024-01-15"),
            ("n", "12345678901234567890123"),
            ("f", "1.50"),
            ("e", "1e3"),
            ("b", "true"),
        ] {
            assert_eq!(params[name], text);
        }
        assert!(read("{}").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_text_is_refused_at_its_place() {
        assert_eq!(
            pointers(r#"{"params":{"a/b":[],"c":{},"d":null,"e":"ok"}}"#),
            (
                "invalid-field",
                vec![
                    "/params/a~1b".to_owned(),
                    "/params/c".to_owned(),
                    "/params/d".to_owned()
                ]
            )
        );
        assert_eq!(
            pointers(r#"{"params":[]}"#),
            ("invalid-field", vec!["/params".to_owned()])
        );
        assert_eq!(pointers("[]"), ("invalid-field", vec![String::new()]));
        assert_eq!(pointers("5"), ("invalid-field", vec![String::new()]));
        assert_eq!(pointers("null"), ("invalid-field", vec![String::new()]));
    }

    #[test]
    fn a_field_that_is_not_known_is_refused_with_a_hint() {
        let error = read(r#"{"parms":{}}"#).unwrap_err();
        assert_eq!(error.slug(), "unknown-field");
        assert_eq!(
            error.to_string(),
            "the field \"parms\" is not known here; did you mean \"params\"?"
        );
    }
}
