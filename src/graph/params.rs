//! Reads parameters from a JSON object and converts their values to strings.
//!
//! `template` puts them into configs.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use serde_json::{Map, Value};

use super::fields::mismatch;
use super::issues::Issues;
use crate::error::reference_token;
use crate::model::scalar_text;

/// The values that [`scalar_text`] takes.
pub(super) const SCALAR: &str = "a string, a number or a boolean";

/// Reads the object at the JSON pointer `at`.
///
/// A number or a boolean becomes its text. Any other value that is not a string adds an issue.
pub(crate) fn read(
    params: Map<String, Value>,
    at: &str,
    issues: &mut Issues,
) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for (name, value) in params {
        if let Some(text) = scalar_text(&value) {
            texts.insert(name, text);
        } else {
            let at = format!("{at}/{}", reference_token(&name));
            issues.push(&at, || mismatch("a parameter", SCALAR, &value));
        }
    }
    texts
}

/// Reads a date as ISO 8601 writes it, with four digits for the year.
pub(crate) fn parse_date(text: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let is_canonical = (0..=9_999).contains(&date.year()) && date.to_string() == text;
    is_canonical.then_some(date)
}

/// Reads the date of a run: any from 0001-01-01 to 9999-12-30, so that its beginning has a year of
/// four digits in every time zone, as RFC 3339 wants it.
pub(crate) fn parse_run_date(text: &str) -> Option<NaiveDate> {
    let has_instant = |date: &NaiveDate| {
        let next = date.succ_opt().map(|next| next.year());
        date.year() >= 1 && next.is_some_and(|year| year <= 9_999)
    };
    parse_date(text).filter(has_instant)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Issue;

    #[test]
    fn the_date_of_a_run_has_an_instant_in_every_zone() {
        for (text, expected) in [
            ("0001-01-01", true),
            ("9999-12-30", true),
            ("0000-12-31", false),
            ("9999-12-31", false),
            ("2024-1-1", false),
        ] {
            assert_eq!(parse_run_date(text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn a_date_has_one_form() {
        let date = |text| parse_date(text).map(|date| date.to_string());
        for text in ["2024-01-15", "2024-02-29", "0000-01-01", "9999-12-31"] {
            assert_eq!(date(text).as_deref(), Some(text));
        }
        for text in [
            "",
            "today",
            "24-02-29",
            "2024/02/29",
            "99999-01-01",
            "2024-1-15",
            "2023-02-29",
            "20240115",
            " 2024-01-15",
            "2024-01-15T00:00",
            "15.01.2024",
            "+12024-01-15",
            "-0001-01-01",
            "\u{662}024-01-15",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn strings_numbers_and_booleans_are_accepted_and_other_values_are_refused() {
        let Value::Object(params) = json!({
            "text": "2024-01-15", "whole": 7, "big": u64::MAX, "half": 0.5, "flag": true,
            "none": null, "a/b": [1], "object": {}
        }) else {
            panic!("the value above is an object");
        };
        let mut issues = Issues::default();
        let texts: Vec<_> = read(params, "/params", &mut issues).into_iter().collect();
        let expected = [
            ("big", "18446744073709551615"),
            ("flag", "true"),
            ("half", "0.5"),
            ("text", "2024-01-15"),
            ("whole", "7"),
        ];
        assert_eq!(
            texts,
            expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
        );
        let expected_issues = ["/params/a~1b", "/params/none", "/params/object"];
        let received = ["an array", "null", "an object"];
        let expected_issues = expected_issues
            .into_iter()
            .zip(received)
            .map(|(at, received)| {
                let detail = "a parameter must be a string, a number or a boolean, received ";
                Issue::pointer(at, format!("{detail}{received}"))
            });
        assert_eq!(issues.into_vec(), expected_issues.collect::<Vec<_>>());
    }
}
