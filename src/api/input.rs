//! The fields of a JSON body: reads plain values and refuses unknown fields.
//!
//! The engine reads the definitions of pipelines.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::query::INSTANT;
use crate::error::{Error, Issue, Problem, Result, quote, reference_token};
use crate::graph::fields::{mismatch, unknown_field, whole_number};
use crate::graph::issues::Issues;
use crate::graph::params::parse_run_date;
use crate::model::{LabelChanges, Labels, rfc3339};

/// What a date must be.
pub(super) const DATE: &str = "a date of the calendar, like 2024-01-31";

/// Returns the body as an object that has no unknown fields.
///
/// # Errors
/// `Invalid` (`invalid-field`, `unknown-field`).
pub(super) fn object<'a>(body: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>> {
    object_at("", body, known)
}

fn object_at<'a>(at: &str, value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>> {
    let Value::Object(fields) = value else {
        let what = if at.is_empty() {
            "the body"
        } else {
            "the value"
        };
        let detail = mismatch(what, "an object", value);
        return Err(Error::invalid(
            Problem::InvalidField,
            vec![Issue::pointer(at, detail)],
        ));
    };
    let unknown = fields.keys().filter(|name| !known.contains(&name.as_str()));
    let issue = |name: &String| {
        let at = format!("{at}/{}", reference_token(name));
        Issue::pointer(at, unknown_field(name, known))
    };
    let issues: Vec<_> = unknown.map(issue).collect();
    if issues.is_empty() {
        Ok(fields)
    } else {
        Err(Error::invalid(Problem::UnknownField, issues))
    }
}

/// Reads the fields of a body one by one and reports every problem at the end.
pub(super) struct BodyFields<'a> {
    given: &'a Map<String, Value>,
    /// The pointer of the object.
    at: &'static str,
    issues: Issues,
}

impl<'a> BodyFields<'a> {
    /// Starts to read an object that has no unknown fields.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`, `unknown-field`).
    pub(super) fn of(body: &'a Value, known: &[&str]) -> Result<Self> {
        Self::within("", body, known)
    }

    /// Starts to read an object in a body, which has no unknown fields.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`, `unknown-field`).
    pub(super) fn within(at: &'static str, value: &'a Value, known: &[&str]) -> Result<Self> {
        Ok(Self {
            given: object_at(at, value, known)?,
            at,
            issues: Issues::default(),
        })
    }

    /// Returns whether the object has a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Refuses a field for a reason of its reader.
    pub(super) fn refuse(&mut self, name: &str, detail: &str) {
        let at = format!("{}/{name}", self.at);
        self.issues.push(&at, || detail.to_owned());
    }

    /// Refuses fields that another one replaces.
    pub(super) fn refuse_beside(&mut self, name: &str, replaced: &[&str]) {
        for other in replaced
            .iter()
            .filter(|other| self.given.contains_key(**other))
        {
            self.issues.push(&format!("/{other}"), || {
                format!("{other} must be omitted, because {name} is given")
            });
        }
    }

    /// Reads an object, whose own fields are read later.
    pub(super) fn object(&mut self, name: &str) -> Option<&'a Value> {
        self.read(
            name,
            || "an object".to_owned(),
            |given| given.is_object().then_some(given),
        )
    }

    /// Reads an array of strings.
    pub(super) fn texts(&mut self, name: &str) -> Option<Vec<&'a str>> {
        self.read_all(name, || "a string".to_owned(), Value::as_str)
    }

    /// Reads an array of strings that stand for something else. `expected` describes one of them.
    pub(super) fn all_parsed<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.read_all(name, || expected.to_owned(), |text| parse(text.as_str()?))
    }

    /// Reads a string that stands for something else.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.read(name, || expected.to_owned(), |given| parse(given.as_str()?))
    }

    /// Reads an array of a few words.
    pub(super) fn choices<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<Vec<T>> {
        let allowed = || format!("one of {}", all_words(words));
        self.read_all(name, allowed, |given| meant(words, given))
    }

    /// Reads a string.
    pub(super) fn text(&mut self, name: &str) -> Option<&'a str> {
        self.read(name, || "a string".to_owned(), Value::as_str)
    }

    /// Reads a string, or `null` as an empty one.
    pub(super) fn text_or_null(&mut self, name: &str) -> Option<&'a str> {
        self.read(
            name,
            || "a string or null".to_owned(),
            |given| match given {
                Value::Null => Some(""),
                given => given.as_str(),
            },
        )
    }

    /// Reads the labels of a new run.
    pub(super) fn labels(&mut self) -> Labels {
        let given = self.read("labels", || "an object".to_owned(), Value::as_object);
        let mut labels = Labels::new();
        for (name, value) in given.into_iter().flatten() {
            match value {
                Value::String(value) => labels.insert(name, value),
                other => self.refuse_label(name, "a string", other),
            }
        }
        labels
    }

    /// Reads changes to the labels of a run: a value to set, or `null` to remove a label.
    pub(super) fn label_changes(&mut self) -> LabelChanges {
        let given = self.read("labels", || "an object".to_owned(), Value::as_object);
        let mut changes = LabelChanges::new();
        for (name, value) in given.into_iter().flatten() {
            let change = match value {
                Value::String(value) => Some(value.clone()),
                Value::Null => None,
                other => {
                    self.refuse_label(name, "a string or null", other);
                    continue;
                }
            };
            changes.insert(name.clone(), change);
        }
        changes
    }

    fn refuse_label(&mut self, name: &str, allowed: &str, given: &Value) {
        let at = format!("/labels/{}", reference_token(name));
        self.issues.push(&at, || {
            mismatch(&format!("the label {}", quote(name)), allowed, given)
        });
    }

    /// Reads one of a few words.
    pub(super) fn choice<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let allowed = || format!("one of {}", all_words(words));
        self.read(name, allowed, |given| meant(words, given))
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.read(name, || "true or false".to_owned(), Value::as_bool)
    }

    /// Reads a whole number within bounds.
    pub(super) fn number(&mut self, name: &str, bounds: RangeInclusive<u32>) -> Option<u32> {
        let (least, most) = (*bounds.start(), *bounds.end());
        let allowed = || format!("a whole number from {least} to {most}");
        self.read(name, allowed, |given| {
            whole_number(given).filter(|number| bounds.contains(number))
        })
    }

    /// Reads a required whole number within bounds.
    pub(super) fn required_number(&mut self, name: &str, bounds: RangeInclusive<u32>) -> u32 {
        if !self.given.contains_key(name) {
            self.issues.push(&format!("/{name}"), || {
                format!("{name} is missing; it must be a whole number")
            });
        }
        self.number(name, bounds).unwrap_or_default()
    }

    /// Reads a required date in the format of RFC 3339.
    pub(super) fn date(&mut self, name: &str) -> NaiveDate {
        const ALLOWED: &str = DATE;
        if !self.given.contains_key(name) {
            self.issues.push(&format!("/{name}"), || {
                format!("{name} is missing; it must be {ALLOWED}")
            });
        }
        let read = |given: &Value| parse_run_date(given.as_str()?);
        let date = self.read(name, || ALLOWED.to_owned(), read);
        date.unwrap_or_default()
    }

    /// Reads an instant in the format of RFC 3339.
    pub(super) fn instant(&mut self, name: &str) -> Option<DateTime<Utc>> {
        self.parsed(name, INSTANT, rfc3339::parse)
    }

    /// Reads the parameters of a run: strings, and numbers and booleans exactly as the body spells
    /// them.
    pub(super) fn params(&mut self, body: &[u8]) -> BTreeMap<String, String> {
        let given = self.read("params", || "an object".to_owned(), Value::as_object);
        let Some(given) = given else {
            return BTreeMap::new();
        };
        let has_number = given.values().any(Value::is_number);
        let written = has_number.then(|| written(body)).flatten();
        let mut params = BTreeMap::new();
        for (name, value) in given {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(flag) => flag.to_string(),
                Value::Number(number) => match written.as_ref().and_then(|all| all.get(name)) {
                    Some(text) => text.get().to_owned(),
                    None => number.to_string(),
                },
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    let at = format!("/params/{}", reference_token(name));
                    self.issues.push(&at, || no_param(name, value));
                    continue;
                }
            };
            params.insert(name.clone(), text);
        }
        params
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) with every problem that was found.
    pub(super) fn finish(self) -> Result<()> {
        self.issues.into_result(Problem::InvalidField)
    }

    /// Reads an array. `allowed` describes one of its elements.
    fn read_all<T>(
        &mut self,
        name: &str,
        allowed: impl Fn() -> String,
        meant: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let array = || format!("an array, each element {}", allowed());
        let given = self.read(name, array, Value::as_array)?;
        let mut all = Vec::with_capacity(given.len());
        for (index, element) in given.iter().enumerate() {
            if let Some(read) = meant(element) {
                all.push(read);
                continue;
            }
            self.issues
                .push(&format!("{}/{name}/{index}", self.at), || {
                    mismatch(&format!("{name}[{index}]"), &allowed(), element)
                });
        }
        (all.len() == given.len()).then_some(all)
    }

    fn read<T>(
        &mut self,
        name: &str,
        allowed: impl FnOnce() -> String,
        meant: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let given = self.given.get(name)?;
        let read = meant(given);
        if read.is_none() {
            self.issues.push(&format!("{}/{name}", self.at), || {
                mismatch(name, &allowed(), given)
            });
        }
        read
    }
}

/// Returns what a word means.
fn meant<T: Copy>(words: &[(&str, T)], given: &Value) -> Option<T> {
    let found = words.iter().find(|(word, _)| given == word);
    found.map(|(_, meant)| *meant)
}

fn all_words<T>(words: &[(&str, T)]) -> String {
    let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    words.join(", ")
}

fn no_param(name: &str, value: &Value) -> String {
    let what = format!("the parameter {}", quote(name));
    mismatch(&what, "a string, a number or a boolean", value)
}

/// Returns the parameters as the body spells them: a parsed number may have lost digits.
fn written(body: &[u8]) -> Option<BTreeMap<String, &RawValue>> {
    #[derive(Deserialize)]
    struct Written<'a> {
        #[serde(borrow)]
        params: BTreeMap<String, &'a RawValue>,
    }
    let body: Written<'_> = serde_json::from_slice(body).ok()?;
    Some(body.params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<BTreeMap<String, String>> {
        let value = crate::json::read(body.as_bytes()).unwrap();
        let mut fields = BodyFields::of(&value, &["params"])?;
        let params = fields.params(body.as_bytes());
        fields.finish().map(|()| params)
    }

    fn pointers(body: &str) -> (&'static str, Vec<String>) {
        let error = read(body).unwrap_err();
        let at = error.issues().iter().map(|issue| match &issue.location {
            crate::error::IssueLocation::Pointer(pointer) => pointer.clone(),
            crate::error::IssueLocation::Parameter(name) => panic!("{name}"),
        });
        (error.slug(), at.collect())
    }

    #[test]
    fn parameters_keep_the_spelling_of_the_body() {
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
    fn a_parameter_that_is_not_a_scalar_is_refused_at_its_pointer() {
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
    fn an_unknown_field_is_refused_with_a_hint() {
        let error = read(r#"{"parms":{}}"#).unwrap_err();
        assert_eq!(error.problem(), Problem::UnknownField);
        assert_eq!(
            error.to_string(),
            "the field \"parms\" is not known here; did you mean \"params\"?"
        );
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_fraction_of_zero() {
        for (text, expected) in [
            ("9", Some(9)),
            ("9.0", Some(9)),
            ("0.9e1", Some(9)),
            ("1e0", Some(1)),
            ("4294967295.0", Some(u32::MAX)),
            ("9.5", None),
            ("0.0", None),
            ("-9.0", None),
            ("4294967296.0", None),
            ("1e300", None),
        ] {
            let body = format!(r#"{{"count":{text}}}"#);
            let body = crate::json::read(body.as_bytes()).unwrap();
            let mut fields = BodyFields::of(&body, &["count"]).unwrap();
            assert_eq!(fields.number("count", 1..=u32::MAX), expected, "{text}");
        }
    }

    #[test]
    fn every_problem_of_a_body_is_reported() {
        let body = serde_json::json!({
            "flag": 1, "count": 0, "word": "c", "text": [], "date": "2024-1-1", "params": {"a": null, "b": []},
        });
        let known = ["flag", "count", "word", "text", "date", "absent", "params"];
        let mut fields = BodyFields::of(&body, &known).unwrap();
        assert_eq!(fields.flag("flag"), None);
        assert_eq!(fields.number("count", 1..=9), None);
        assert_eq!(fields.choice("word", &[("a", 1), ("b", 2)]), None);
        assert_eq!(fields.text("text"), None);
        assert_eq!(fields.date("date"), NaiveDate::default());
        assert_eq!(fields.date("absent"), NaiveDate::default());
        assert!(fields.params(b"").is_empty());
        let error = fields.finish().unwrap_err();
        let details: Vec<_> = error.issues().iter().map(|issue| &*issue.detail).collect();
        let expected = [
            "flag must be true or false, received 1",
            "count must be a whole number from 1 to 9, received 0",
            "word must be one of a, b, received \"c\"",
            "text must be a string, received an array",
            "date must be a date of the calendar, like 2024-01-31, received \"2024-1-1\"",
            "absent is missing; it must be a date of the calendar, like 2024-01-31",
            "the parameter \"a\" must be a string, a number or a boolean, received null",
            "the parameter \"b\" must be a string, a number or a boolean, received an array",
        ];
        assert_eq!(details, expected);
    }
}
