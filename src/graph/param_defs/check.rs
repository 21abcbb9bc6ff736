//! Checks the parameters of a run against the definitions of its pipeline.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::patterns::Patterns;
use super::values::{self, expectation};
use crate::error::{Problem, quote, reference_token};
use crate::graph::issues::Issues;
use crate::limits::PATTERN_VALUE_BYTES_MAX;
use crate::model::{DATE_PARAM, MASKED, ParamDef, ParamKind, Params, Pipeline};
use crate::suggestion::{did_you_mean, nearest};

/// The number of defined names that a refusal lists if none is similar to the given one.
const NAMES_SHOWN_MAX: usize = 20;

/// Returns the parameters of a run: the defaults of the definitions, over them those of the
/// pipeline, and over these the given ones.
pub(crate) fn resolve(
    pipeline: &Pipeline,
    given: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut params = pipeline.params.clone();
    for def in &pipeline.param_defs {
        if let Some(default) = def
            .default_text()
            .filter(|_| !params.contains_key(&def.name))
        {
            params.insert(def.name.clone(), default);
        }
    }
    params.extend(given);
    params
}

/// Adds an issue (`param-invalid`) for each parameter that is not defined, does not fit, or is
/// required and missing. Without a definition, every parameter fits.
///
/// `date` needs no value, since each run has one, and no definition. No issue shows a value that a
/// definition or `secrets` makes secret.
pub(crate) fn check(
    defs: &[ParamDef],
    params: &BTreeMap<String, String>,
    secrets: &Params,
    patterns: &Patterns,
    issues: &mut Issues,
) {
    if defs.is_empty() {
        return;
    }
    for def in defs {
        match params.get(&def.name) {
            Some(text) => {
                let def = hidden(def, secrets.is_secret(&def.name));
                check_value(&def, text, patterns, issues);
            }
            None if def.required && def.name != DATE_PARAM => {
                add(issues, &def.name, || {
                    let expects = expectation(def);
                    format!(
                        "the parameter {} is missing; it must be {expects}",
                        quote(&def.name)
                    )
                });
            }
            None => {}
        }
    }
    check_names(defs, params, patterns, issues);
}

/// Returns a definition that makes its parameter secret, if the parameter is.
fn hidden(def: &ParamDef, is_secret: bool) -> Cow<'_, ParamDef> {
    if !is_secret || def.secret {
        return Cow::Borrowed(def);
    }
    let mut def = def.clone();
    def.secret = true;
    Cow::Owned(def)
}

/// Adds an issue for each parameter that no definition has. `date` needs none.
pub(super) fn check_names(
    defs: &[ParamDef],
    params: &BTreeMap<String, String>,
    patterns: &Patterns,
    issues: &mut Issues,
) {
    let names: BTreeSet<_> = defs.iter().map(|def| def.name.as_str()).collect();
    for (name, text) in params {
        if names.contains(name.as_str()) {
            continue;
        }
        if name == DATE_PARAM {
            check_value(&ParamDef::date(DATE_PARAM), text, patterns, issues);
        } else {
            add(issues, name, || undefined(name, &names));
        }
    }
}

fn undefined(name: &str, names: &BTreeSet<&str>) -> String {
    let known = || names.iter().copied().chain([DATE_PARAM]);
    let hint = nearest(name, known()).map_or_else(
        || {
            let shown: Vec<_> = names
                .iter()
                .take(NAMES_SHOWN_MAX)
                .map(|name| quote(name))
                .collect();
            format!("; defined are {}", shown.join(", "))
        },
        did_you_mean,
    );
    format!("the pipeline defines no parameter {}{hint}", quote(name))
}

/// Adds an issue if a text does not fit a definition.
pub(super) fn check_value(def: &ParamDef, text: &str, patterns: &Patterns, issues: &mut Issues) {
    if def.secret && text == MASKED {
        add(issues, &def.name, || {
            format!(
                "{MASKED} stands for a stored value of the parameter {}, and there is none",
                quote(&def.name)
            )
        });
        return;
    }
    // Each run has a date, so an empty one stands for none.
    let is_unset = def.name == DATE_PARAM && text.is_empty();
    if is_unset || fits(def, text, patterns) {
        return;
    }
    add(issues, &def.name, || unfit("the parameter", def, text));
}

/// Describes a value that does not fit. It does not show a secret.
pub(super) fn unfit(what: &str, def: &ParamDef, text: &str) -> String {
    let (name, expects, received) = (quote(&def.name), expectation(def), quote(text));
    if def.secret {
        return format!("{what} {name} must be {expects}; its value is secret and not shown");
    }
    let mut hint = String::new();
    if def.kind == ParamKind::Enum {
        let near = nearest(text, def.values.iter().map(String::as_str));
        hint = near.map(did_you_mean).unwrap_or_default();
    } else if def.pattern.is_some() && text.len() > PATTERN_VALUE_BYTES_MAX {
        hint = format!("; with a pattern, it has at most {PATTERN_VALUE_BYTES_MAX} bytes");
    }
    format!("{what} {name} must be {expects}, received {received}{hint}")
}

/// Returns whether a text is a value that a definition takes.
pub(super) fn fits(def: &ParamDef, text: &str, patterns: &Patterns) -> bool {
    let Some(magnitude) = values::read(def.kind, text) else {
        return false;
    };
    let bound = |value| values::bound(def.kind, value);
    let (min, max) = (
        def.min.as_ref().and_then(bound),
        def.max.as_ref().and_then(bound),
    );
    let is_match = |pattern: &String| {
        text.len() <= PATTERN_VALUE_BYTES_MAX && patterns.is_match(pattern, text)
    };
    min.is_none_or(|min| min <= magnitude)
        && max.is_none_or(|max| magnitude <= max)
        && (def.kind != ParamKind::Enum || def.values.iter().any(|value| value == text))
        && def.pattern.as_ref().is_none_or(is_match)
}

fn add(issues: &mut Issues, name: &str, detail: impl FnOnce() -> String) {
    if !issues.is_full() {
        let at = format!("/params/{}", reference_token(name));
        issues.push_with_problem(Problem::ParamInvalid, &at, detail());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Issue, Result};

    fn params<const N: usize>(given: [(&str, &str); N]) -> BTreeMap<String, String> {
        given
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect()
    }

    fn checked(defs: &[ParamDef], given: &BTreeMap<String, String>) -> Result<()> {
        let mut issues = Issues::default();
        let (secrets, patterns) = (Params::new(), Patterns::default());
        check(defs, given, &secrets, &patterns, &mut issues);
        issues.into_result(Problem::InvalidField)
    }

    /// Returns the detail of the only issue of a value.
    fn refusal(def: ParamDef, text: &str) -> String {
        let given = params([(&*def.name, text)]);
        let refused = checked(&[def], &given).unwrap_err();
        assert_eq!(refused.problem(), Problem::ParamInvalid);
        let [issue] = refused.issues() else {
            panic!("{:?}", refused.issues());
        };
        assert_eq!(*issue, Issue::pointer("/params/it", issue.detail.clone()));
        issue.detail.clone()
    }

    #[test]
    fn a_value_fits_its_bounds_its_values_and_its_pattern() {
        let integer = || ParamDef::integer("it").min(1).max(100);
        let text = || ParamDef::string("it").min(2).max(4);
        let date = || ParamDef::date("it").min("2024-01-01").max("2024-12-31");
        let time = || ParamDef::datetime("it").min("2024-01-01T00:00:00Z");
        let cases = [
            (
                integer(),
                &["1", "50", "100"][..],
                &["0", "101", "-1", "x"][..],
            ),
            (
                ParamDef::number("it").min(0.5).max("1e2"),
                &["0.5", "100"],
                &["0.4999", "100.01"],
            ),
            (
                text(),
                &["ab", "zwöl", "\u{1F600}\u{1F600}"],
                &["a", "zwölf", ""],
            ),
            (text().pattern("[a-z]+"), &["ab"], &["AB", "zwö"]),
            (
                date(),
                &["2024-01-01", "2024-12-31"],
                &["2023-12-31", "2025-01-01", ""],
            ),
            (
                time(),
                &["2024-01-01T00:00:00Z", "2024-01-01T02:00:00+02:00"],
                &["2024-01-01T00:00:00+00:01"],
            ),
            (
                ParamDef::one_of("it", ["eu", "us"]),
                &["eu", "us"],
                &["", "EU", "e", "eu "],
            ),
            (ParamDef::boolean("it"), &["true", "false"], &["1", "TRUE"]),
        ];
        for (def, fitting, unfit) in cases {
            for text in fitting {
                checked(std::slice::from_ref(&def), &params([("it", *text)])).unwrap();
            }
            for text in unfit {
                let detail = refusal(def.clone(), text);
                let received = format!("received {}", quote(text));
                assert!(detail.contains(&received), "{detail}");
            }
        }
    }

    #[test]
    fn a_refusal_says_what_was_expected_and_received() {
        for (def, text, expected) in [
            (
                ParamDef::integer("it").min(1).max(9),
                "0",
                "a whole number from 1 to 9",
            ),
            (
                ParamDef::integer("it").min(1),
                "0",
                "a whole number, 1 or more",
            ),
            (
                ParamDef::number("it").max(0.5),
                "NaN",
                "a number, 0.5 or less",
            ),
            (ParamDef::boolean("it"), "yes", "true or false"),
            (
                ParamDef::date("it"),
                "2023-02-29",
                "a date such as 2024-01-15",
            ),
            (
                ParamDef::datetime("it"),
                "now",
                "a time such as 2024-01-15T06:30:00Z",
            ),
            (
                ParamDef::string("it").max(3),
                "long",
                "a text of 3 characters or less",
            ),
            (
                ParamDef::string("it").pattern("[a-z]+"),
                "A",
                "a text that matches [a-z]+ as a whole",
            ),
            (
                ParamDef::one_of("it", ["north", "south"]),
                "nort",
                "one of north, south",
            ),
        ] {
            let detail = refusal(def, text);
            let start = format!("the parameter \"it\" must be {expected}, received \"{text}\"");
            assert!(detail.starts_with(&start), "{detail}");
        }
        let detail = refusal(ParamDef::one_of("it", ["north", "south"]), "nort");
        assert!(detail.ends_with("; did you mean \"north\"?"), "{detail}");
        let many = ParamDef::one_of("it", (0..30).map(|number| number.to_string()));
        assert!(refusal(many, "x").contains("18, 19 and 10 more, received"));
        let long = "a".repeat(PATTERN_VALUE_BYTES_MAX + 1);
        let detail = refusal(ParamDef::string("it").pattern("a+"), &long);
        assert!(
            detail.ends_with("; with a pattern, it has at most 256 bytes"),
            "{detail}"
        );
    }

    #[test]
    fn a_refusal_does_not_show_a_secret() {
        let secret = || ParamDef::string("it").pattern("[a-z]+").secret();
        let detail = refusal(secret(), "Hunter2");
        let expected = "the parameter \"it\" must be a text that matches [a-z]+ as a whole; \
                        its value is secret and not shown";
        assert_eq!(detail, expected);
        let detail = refusal(ParamDef::string("it").secret(), MASKED);
        assert!(
            detail.starts_with("******** stands for a stored value"),
            "{detail}"
        );
        checked(&[secret()], &params([("it", "hunter")])).unwrap();
    }

    #[test]
    fn every_undefined_unfit_and_missing_parameter_is_named() {
        let defs = [
            ParamDef::integer("rows"),
            ParamDef::string("region").required(),
            ParamDef::string("note"),
        ];
        let given = params([
            ("rows", "x"),
            ("regoin", "eu"),
            ("zzz", "1"),
            ("date", "soon"),
        ]);
        let refused = checked(&defs, &given).unwrap_err();
        assert_eq!(refused.problem(), Problem::ParamInvalid);
        let details: Vec<_> = refused
            .issues()
            .iter()
            .map(|issue| &*issue.detail)
            .collect();
        assert_eq!(
            details,
            [
                "the parameter \"rows\" must be a whole number, received \"x\"",
                "the parameter \"region\" is missing; it must be a text",
                "the parameter \"date\" must be a date such as 2024-01-15, received \"soon\"",
                "the pipeline defines no parameter \"regoin\"; did you mean \"region\"?",
                "the pipeline defines no parameter \"zzz\"; defined are \"note\", \"region\", \"rows\"",
            ]
        );
        let many: BTreeMap<_, _> = (0..99)
            .map(|name| (format!("x{name}"), String::new()))
            .collect();
        assert_eq!(checked(&defs, &many).unwrap_err().issues().len(), 20);
    }

    #[test]
    fn a_date_needs_no_definition_and_no_value() {
        let defs = [ParamDef::string("note"), ParamDef::date("date").required()];
        for defs in [&defs[..1], &defs] {
            for given in [
                params([]),
                params([("date", "")]),
                params([("date", "2024-01-15")]),
            ] {
                checked(defs, &given).unwrap();
            }
            checked(defs, &params([("date", "x")])).unwrap_err();
        }
        checked(&[], &params([("anything", "at all")])).unwrap();
    }

    #[test]
    fn what_is_given_wins_over_the_pipeline_and_that_over_the_definition() {
        let pipeline = Pipeline::new("p")
            .param("b", "of the pipeline")
            .param("c", "of the pipeline")
            .param_def(ParamDef::integer("a").default(1))
            .param_def(ParamDef::string("b").default("of the definition"))
            .param_def(ParamDef::string("c").default("of the definition"))
            .param_def(ParamDef::string("d"));
        let resolved = resolve(&pipeline, params([("c", "given")]));
        let expected = params([("a", "1"), ("b", "of the pipeline"), ("c", "given")]);
        assert_eq!(resolved, expected);
    }
}
