//! The parameters that the host's code gives a run, one by one or as a value.
//!
//! `run`, `dry_run` and `backfill` take them. `param_serializer` makes texts of a value.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::param_serializer::{Unfit, entries};
use crate::error::{Error, Problem, Result, quote, reference_token};
use crate::graph::issues::Issues;

/// Parameters by name, and why others cannot be given. Its `Debug` shows the names alone, since any
/// text may be secret.
#[derive(Clone, Default)]
pub(crate) struct GivenParams {
    texts: BTreeMap<String, String>,
    /// What cannot be given, by JSON pointers.
    unfit: Vec<(String, String)>,
}

impl fmt::Debug for GivenParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.texts.keys()).finish()
    }
}

impl GivenParams {
    pub(crate) fn insert(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.texts.insert(name.into(), text.into());
    }

    /// Adds each field of a struct or entry of a map. One without a value (`None`) is left out.
    pub(crate) fn extend(&mut self, params: &(impl Serialize + ?Sized)) {
        let entries = entries(params).unwrap_or_else(|Unfit(found)| {
            let detail = format!("the parameters must be a struct or a map, received {found}");
            self.unfit.push(("/params".to_owned(), detail));
            Vec::new()
        });
        for (name, text) in entries {
            match text {
                Ok(Some(text)) => self.insert(name, text),
                Ok(None) => {}
                Err(Unfit(found)) => {
                    let at = format!("/params/{}", reference_token(&name));
                    let name = quote(&name);
                    let detail = format!(
                        "the parameter {name} must be a text, a number or a boolean, received {found}"
                    );
                    self.unfit.push((at, detail));
                }
            }
        }
    }

    /// Returns the parameters as texts.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) with each value that is no scalar.
    pub(super) fn into_texts(self) -> Result<BTreeMap<String, String>> {
        if self.unfit.is_empty() {
            return Ok(self.texts);
        }
        let mut issues = Issues::default();
        for (at, detail) in self.unfit {
            issues.push(&at, || detail);
        }
        Err(Error::invalid(Problem::InvalidField, issues.into_vec()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use chrono::{DateTime, NaiveDate, Utc};
    use serde_json::json;

    use super::*;
    use crate::error::IssueLocation;
    use crate::model::Params;

    fn texts(params: &(impl Serialize + ?Sized)) -> Vec<(String, String)> {
        let mut given = GivenParams::default();
        given.extend(params);
        given.into_texts().unwrap().into_iter().collect()
    }

    #[test]
    fn the_texts_are_not_shown() {
        let mut given = GivenParams::default();
        given.insert("token", "hunter2");
        assert_eq!(format!("{given:?}"), "{\"token\"}");
    }

    /// Returns the pointer and the detail of each issue.
    fn refused(params: &(impl Serialize + ?Sized)) -> Vec<(String, String)> {
        let mut given = GivenParams::default();
        given.extend(params);
        let error = given.into_texts().unwrap_err();
        assert_eq!(error.problem(), Problem::InvalidField);
        let issues = error.issues().iter().map(|issue| match &issue.location {
            IssueLocation::Pointer(at) => (at.clone(), issue.detail.clone()),
            IssueLocation::Parameter(name) => panic!("{name} is no pointer"),
        });
        issues.collect()
    }

    fn owned<const N: usize>(all: [(&str, &str); N]) -> Vec<(String, String)> {
        all.map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into()
    }

    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    enum Region {
        NorthEast,
    }

    #[derive(Serialize)]
    struct Wrapped(u8);

    #[test]
    fn each_scalar_of_a_struct_is_the_text_that_the_definitions_take() {
        #[derive(Serialize)]
        struct All {
            a_text: &'static str,
            b_letter: char,
            c_whole: i64,
            d_large: u128,
            e_half: f64,
            f_small: f32,
            g_flag: bool,
            h_date: NaiveDate,
            i_time: DateTime<Utc>,
            j_region: Region,
            k_wrapped: Wrapped,
            l_some: Option<u8>,
            m_none: Option<u8>,
            n_unit: (),
            #[serde(skip)]
            _skipped: u8,
            #[serde(rename = "o")]
            renamed: u8,
            p_large: f64,
        }
        let all = All {
            a_text: "007",
            b_letter: 'é',
            c_whole: i64::MIN,
            d_large: u128::MAX,
            e_half: 0.5,
            f_small: 0.1,
            g_flag: true,
            h_date: "2024-02-29".parse().unwrap(),
            i_time: "2024-01-15T06:30:00Z".parse().unwrap(),
            j_region: Region::NorthEast,
            k_wrapped: Wrapped(7),
            l_some: Some(1),
            m_none: None,
            n_unit: (),
            _skipped: 1,
            renamed: 2,
            p_large: 1e300,
        };
        let expected = owned([
            ("a_text", "007"),
            ("b_letter", "é"),
            ("c_whole", "-9223372036854775808"),
            ("d_large", "340282366920938463463374607431768211455"),
            ("e_half", "0.5"),
            ("f_small", "0.1"),
            ("g_flag", "true"),
            ("h_date", "2024-02-29"),
            ("i_time", "2024-01-15T06:30:00Z"),
            ("j_region", "north-east"),
            ("k_wrapped", "7"),
            ("l_some", "1"),
            ("o", "2"),
            ("p_large", "1e+300"),
        ]);
        assert_eq!(texts(&all), expected);
        assert_eq!(texts(&Some(&all)), expected);
    }

    #[test]
    fn a_map_of_any_kind_is_taken() {
        let expected = owned([("rows", "5")]);
        assert_eq!(texts(&HashMap::from([("rows", 5)])), expected);
        assert_eq!(texts(&BTreeMap::from([("rows".to_owned(), "5")])), expected);
        assert_eq!(texts(&Params::from_iter([("rows", "5")])), expected);
        assert_eq!(texts(&json!({"rows": 5, "none": null})), expected);
        assert_eq!(
            texts(&BTreeMap::from([(2024, true)])),
            owned([("2024", "true")])
        );
    }

    #[test]
    fn what_is_no_scalar_is_refused_with_its_name() {
        let nested = json!({"list": [1], "object": {"a": 1}, "fine": 1});
        let must_be =
            |name: &str| format!("the parameter \"{name}\" must be a text, a number or a boolean");
        let expected = vec![
            (
                "/params/list".to_owned(),
                must_be("list") + ", received a list",
            ),
            (
                "/params/object".to_owned(),
                must_be("object") + ", received a map",
            ),
        ];
        assert_eq!(refused(&nested), expected);
        for (number, shown) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
            let expected = must_be("x") + ", received " + shown;
            assert_eq!(
                refused(&BTreeMap::from([("x", number)])),
                [("/params/x".to_owned(), expected)]
            );
        }
        #[derive(Serialize)]
        enum Shape {
            Circle { radius: u8 },
            Square(u8),
        }
        for shape in [Shape::Circle { radius: 1 }, Shape::Square(1)] {
            let expected = must_be("x") + ", received an enum with data";
            assert_eq!(
                refused(&BTreeMap::from([("x", shape)])),
                [("/params/x".to_owned(), expected)]
            );
        }
        let broken = std::path::PathBuf::from("a\0b");
        assert_eq!(
            texts(&BTreeMap::from([("path", &broken)])),
            owned([("path", "a\0b")])
        );
    }

    #[test]
    fn what_is_no_struct_and_no_map_is_refused() {
        let found = |found: &str| {
            let detail = format!("the parameters must be a struct or a map, received {found}");
            vec![("/params".to_owned(), detail)]
        };
        assert_eq!(refused(&vec![("rows", 5)]), found("a list"));
        assert_eq!(refused(&("rows", 5)), found("a tuple"));
        assert_eq!(refused("rows=5"), found("a text"));
        assert_eq!(refused(&5), found("a number"));
        assert_eq!(refused(&true), found("a boolean"));
        assert_eq!(refused(&Region::NorthEast), found("an enum"));
        assert_eq!(
            refused(&BTreeMap::from([((1, 2), 3)])),
            found("a map whose keys are no texts")
        );
        assert_eq!(texts(&None::<Wrapped>), []);
    }
}
