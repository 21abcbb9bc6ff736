//! Checks the definitions of a pipeline's parameters, and its own parameters against them.
//!
//! `graph/rules` checks the names and the descriptions, `graph/sizes` the sizes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::check::{check_names, check_value, fits, resolve, unfit};
use super::patterns::{Patterns, compile};
use super::values::{bound, bound_expectation};
use crate::error::{Problem, Result, quote, reference_token};
use crate::graph::fields::mismatch;
use crate::graph::issues::Issues;
use crate::graph::params::SCALAR;
use crate::limits::{Limits, PATTERNS_MAX};
use crate::model::{DATE_PARAM, ParamDef, ParamKind, Pipeline};

/// Adds an issue for everything that is wrong with the definitions, for each parameter of the
/// pipeline that does not fit them, and for each value that its schedule cannot give.
pub(crate) fn check_definitions(pipeline: &Pipeline, limits: &Limits, issues: &mut Issues) {
    let defs = &pipeline.param_defs;
    if defs.is_empty() {
        return;
    }
    if defs.len() > limits.params_max {
        let (count, max) = (defs.len(), limits.params_max);
        let detail = format!("a pipeline defines at most {max} parameters, these are {count}");
        issues.push_with_problem(Problem::ParamsTooLarge, "/param_defs", detail);
        return;
    }
    let mut with_pattern = defs
        .iter()
        .enumerate()
        .filter(|(_, def)| def.pattern.is_some());
    if let Some((index, _)) = with_pattern.nth(PATTERNS_MAX) {
        issues.push(&format!("/param_defs/{index}/pattern"), || {
            format!("a pipeline has at most {PATTERNS_MAX} patterns, and this is one more")
        });
        return;
    }
    let patterns = Patterns::default();
    let resolved = resolve(pipeline, BTreeMap::new());
    let mut names = BTreeSet::new();
    for (index, def) in defs.iter().enumerate() {
        let mut rules = DefRules {
            at: format!("/param_defs/{index}"),
            def,
            issues,
            is_sound: true,
        };
        if !names.insert(def.name.as_str()) {
            rules.push("name", || {
                format!("the parameter {} is defined twice", quote(&def.name))
            });
        }
        rules.check(&patterns);
        let is_sound = rules.is_sound;
        match pipeline.params.get(&def.name) {
            Some(_) if def.secret => refuse_secret_text(def, issues),
            Some(text) if is_sound => check_value(def, text, &patterns, issues),
            Some(_) => {}
            None if is_sound && pipeline.schedule.is_some() => {
                check_given("the schedule has", (index, def), &resolved, issues);
            }
            None if is_sound && pipeline.is_started_by_others() => {
                let start = "a run that another pipeline starts has";
                check_given(start, (index, def), &resolved, issues);
            }
            None => {}
        }
    }
    check_names(defs, &pipeline.params, &patterns, issues);
}

/// Refuses definitions from a Rust type that are none. They would not survive the way through JSON.
///
/// # Errors
/// `Invalid` (`invalid-field`) with each of them.
pub(crate) fn refuse_faults(pipeline: &Pipeline) -> Result<()> {
    let mut issues = Issues::default();
    for (index, def) in pipeline.param_defs.iter().enumerate() {
        if let Some(fault) = &def.fault {
            issues.push(&format!("/param_defs/{index}"), || fault.clone());
        }
    }
    issues.into_result(Problem::InvalidField)
}

/// Adds an issue if a run that no caller gives a value has none of a required parameter.
fn check_given(
    whose: &str,
    (index, def): (usize, &ParamDef),
    resolved: &BTreeMap<String, String>,
    issues: &mut Issues,
) {
    let is_missing = def.required && def.name != DATE_PARAM && !resolved.contains_key(&def.name);
    if is_missing {
        let name = quote(&def.name);
        let detail = format!(
            "{whose} no value of the required parameter {name}; {}",
            if def.secret {
                "a secret has no default, so it must not be required"
            } else {
                "give it a default, or a value in params"
            }
        );
        let at = format!("/param_defs/{index}");
        issues.push_with_problem(Problem::ParamInvalid, &at, detail);
    }
}

/// Refuses a secret in the definition of a pipeline, which everyone who may view it sees.
fn refuse_secret_text(def: &ParamDef, issues: &mut Issues) {
    let at = format!("/params/{}", reference_token(&def.name));
    issues.push(&at, || {
        format!(
            "the parameter {} is secret, so only a run is given its value; keep one for all runs \
             in a secret variable",
            quote(&def.name)
        )
    });
}

/// The rules of one definition.
struct DefRules<'a> {
    at: String,
    def: &'a ParamDef,
    issues: &'a mut Issues,
    /// Whether no issue was found.
    is_sound: bool,
}

impl DefRules<'_> {
    fn check(&mut self, patterns: &Patterns) {
        let def = self.def;
        if let Some(fault) = &def.fault {
            self.is_sound = false;
            self.issues.push(&self.at, || fault.clone());
            return;
        }
        if def.name == DATE_PARAM {
            self.check_date();
        }
        self.check_values();
        self.check_bounds();
        self.check_pattern();
        self.check_secret();
        if let Some(default) = def.default.as_ref().filter(|_| self.is_sound) {
            self.check_default(default, patterns);
        }
    }

    fn push(&mut self, field: &str, detail: impl FnOnce() -> String) {
        self.is_sound = false;
        self.issues.push(&format!("{}/{field}", self.at), detail);
    }

    /// Floret sets `date` in every run, also in one that nobody could refuse.
    fn check_date(&mut self) {
        let def = self.def;
        if def.kind != ParamKind::Date {
            self.push("type", || {
                let kind = def.kind.as_str();
                format!("date is the date of the run, so its type must be date, received {kind}")
            });
        }
        for (field, bound) in [("min", &def.min), ("max", &def.max)] {
            if bound.is_some() {
                self.push(field, || {
                    format!("date is the date of the run and has no {field}")
                });
            }
        }
    }

    fn check_values(&mut self) {
        let values = &self.def.values;
        match (self.def.kind, values.as_slice()) {
            (ParamKind::Enum, []) => {
                self.push("values", || {
                    "values of an enum must have at least one text".to_owned()
                });
            }
            (ParamKind::Enum, _) => {
                let mut seen = BTreeSet::new();
                let repeated = values.iter().position(|value| !seen.insert(value));
                if let Some((index, value)) = repeated.and_then(|at| Some((at, values.get(at)?))) {
                    self.push(&format!("values/{index}"), || {
                        format!("the value {} is given twice", quote(value))
                    });
                }
            }
            (_, []) => {}
            (kind, _) => self.push("values", || {
                let kind = kind.as_str();
                format!("only the type enum has values, and this type is {kind}")
            }),
        }
    }

    fn check_bounds(&mut self) {
        let def = self.def;
        let mut found = Vec::new();
        for (field, value) in [("min", &def.min), ("max", &def.max)] {
            let Some(value) = value else {
                continue;
            };
            let kind = def.kind;
            let Some(expects) = bound_expectation(kind) else {
                let kind = kind.as_str();
                self.push(field, || format!("the type {kind} has no {field}"));
                continue;
            };
            match bound(kind, value) {
                Some(bound) => found.push(bound),
                None => self.push(field, || mismatch(field, expects, value)),
            }
        }
        if let [min, max] = found[..]
            && min > max
        {
            self.push("max", || "max must not be less than min".to_owned());
        }
    }

    fn check_pattern(&mut self) {
        let Some(pattern) = &self.def.pattern else {
            return;
        };
        let kind = self.def.kind;
        if kind != ParamKind::Text {
            let kind = kind.as_str();
            self.push("pattern", || format!("the type {kind} has no pattern"));
        } else if let Err(refused) = compile(pattern) {
            self.push("pattern", || {
                format!("the pattern {} {refused}", quote(pattern))
            });
        }
    }

    /// A secret is a text that no answer shows, not even as a default.
    fn check_secret(&mut self) {
        let def = self.def;
        if !def.secret {
            return;
        }
        if def.kind != ParamKind::Text {
            let kind = def.kind.as_str();
            self.push("secret", || {
                format!("only a string can be secret, and the type is {kind}")
            });
        }
        if def.default.is_some() {
            self.push("default", || {
                "a secret has no default; keep a value for all runs in a secret variable".to_owned()
            });
        }
    }

    fn check_default(&mut self, default: &Value, patterns: &Patterns) {
        let def = self.def;
        match def.default_text() {
            None => self.push("default", || mismatch("default", SCALAR, default)),
            Some(text) if !fits(def, &text, patterns) => {
                self.push("default", || unfit("the default of", def, &text));
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::IssueLocation;
    use crate::graph::definition;

    fn refused(pipeline: &Pipeline) -> (&'static str, Vec<(String, String)>) {
        let error = definition::check(pipeline, &Limits::default()).unwrap_err();
        let issues = error.issues().iter().map(|issue| match &issue.location {
            IssueLocation::Pointer(pointer) => (pointer.clone(), issue.detail.clone()),
            IssueLocation::Parameter(name) => panic!("{name} is not a pointer"),
        });
        (error.slug(), issues.collect())
    }

    fn with(defs: impl IntoIterator<Item = ParamDef>) -> Pipeline {
        let pipeline = Pipeline::new("p").node("a", "x");
        defs.into_iter().fold(pipeline, Pipeline::param_def)
    }

    /// A definition that is wrong in one field.
    fn wrong_bounds() -> Vec<(ParamDef, &'static str, &'static str)> {
        let it = |kind| ParamDef::new("it", kind);
        let integer = || it(ParamKind::Integer);
        vec![
            (
                integer().min(1.5),
                "min",
                "min must be a whole number, received 1.5",
            ),
            (
                integer().max("many"),
                "max",
                "max must be a whole number, received \"many\"",
            ),
            (
                integer().min(2).max(1),
                "max",
                "max must not be less than min",
            ),
            (
                it(ParamKind::Text).min(-1),
                "min",
                "min must be a number of characters, 0 or more",
            ),
            (
                it(ParamKind::Number).min("x"),
                "min",
                "min must be a number, received \"x\"",
            ),
            (
                it(ParamKind::Boolean).min(1),
                "min",
                "the type boolean has no min",
            ),
            (
                it(ParamKind::Date).min("2023-02-29"),
                "min",
                "min must be a date such as 2024-01-15",
            ),
            (
                it(ParamKind::DateTime).max(5),
                "max",
                "max must be a time such as 2024-01-15T06:30",
            ),
            (
                ParamDef::date("date").min("2024-01-01"),
                "min",
                "date is the date of the run and has",
            ),
        ]
    }

    fn wrong_values() -> Vec<(ParamDef, &'static str, &'static str)> {
        let (integer, text) = (|| ParamDef::integer("it"), || ParamDef::string("it"));
        vec![
            (
                integer().default("x"),
                "default",
                "the default of \"it\" must be a whole number",
            ),
            (
                integer().max(9).default(10),
                "default",
                "the default of \"it\" must be a whole num",
            ),
            (
                integer().default(f64::NAN),
                "default",
                "default must be a string, a number or a b",
            ),
            (
                text().pattern("a+").default("b"),
                "default",
                "the default of \"it\" must be a text",
            ),
            (
                ParamDef::boolean("it").default(1),
                "default",
                "the default of \"it\" must be true",
            ),
            (
                ParamDef::one_of("it", ["a"]).default("b"),
                "default",
                "the default of \"it\" must be one of a",
            ),
            (
                integer().pattern("a"),
                "pattern",
                "the type integer has no pattern",
            ),
            (
                text().pattern("["),
                "pattern",
                "the pattern \"[\" is no regular expression: ",
            ),
            (
                integer().values(["1"]),
                "values",
                "only the type enum has values, and this type is",
            ),
            (
                ParamDef::one_of("it", [""; 0]),
                "values",
                "values of an enum must have at least one text",
            ),
            (
                ParamDef::one_of("it", ["a", "b", "a"]),
                "values/2",
                "the value \"a\" is given twice",
            ),
        ]
    }

    fn wrong_texts() -> Vec<(ParamDef, &'static str, &'static str)> {
        let text = ParamDef::string;
        let long = text("it").description("x".repeat(2_001));
        vec![
            (
                text("date"),
                "type",
                "date is the date of the run, so its type must be date, rec",
            ),
            (
                text(""),
                "name",
                "the name of a parameter must be 1 to 128 characters",
            ),
            (
                text("a}"),
                "name",
                "the name of a parameter must not contain }",
            ),
            (
                long,
                "description",
                "description must be at most 2000 characters",
            ),
        ]
    }

    #[test]
    fn what_is_wrong_with_a_definition_is_refused_where_it_is() {
        for (def, field, expected) in [wrong_bounds(), wrong_values(), wrong_texts()].concat() {
            let (slug, issues) = refused(&with([def]));
            let [(pointer, detail)] = issues.as_slice() else {
                panic!("{issues:?}");
            };
            let at = format!("/param_defs/0/{field}");
            assert_eq!((slug, pointer), ("invalid-field", &at));
            assert!(detail.starts_with(expected), "{detail}");
        }
        let twice = with([ParamDef::string("it"), ParamDef::integer("it")]);
        let (_, issues) = refused(&twice);
        assert_eq!(issues[0].0, "/param_defs/1/name");
        assert_eq!(issues[0].1, "the parameter \"it\" is defined twice");
    }

    #[test]
    fn the_parameters_of_the_pipeline_must_fit_its_definitions() {
        let pipeline = with([
            ParamDef::integer("rows").max(9),
            ParamDef::string("table").min(-1),
        ])
        .param("rows", "10")
        .param("table", "is not checked, since its definition is wrong")
        .param("tabel", "x");
        let (slug, issues) = refused(&pipeline);
        let pointers: Vec<_> = issues.iter().map(|(pointer, _)| &**pointer).collect();
        assert_eq!(
            pointers,
            ["/params/rows", "/param_defs/1/min", "/params/tabel"]
        );
        assert_eq!(slug, "invalid-field");

        let pipeline = with([ParamDef::integer("rows").max(9)]).param("rows", "10");
        let expected = "the parameter \"rows\" must be a whole number, 9 or less, received \"10\"";
        let issue = ("/params/rows".to_owned(), expected.to_owned());
        assert_eq!(refused(&pipeline), ("param-invalid", vec![issue]));
        let pipeline = pipeline.param("rows", "9").param("date", "2024-01-15");
        definition::check(&pipeline, &Limits::default()).unwrap();
    }

    #[test]
    fn a_schedule_needs_a_value_of_each_required_parameter() {
        let defs = || {
            [
                ParamDef::string("note"),
                ParamDef::integer("rows").required(),
                ParamDef::date("date").required(),
            ]
        };
        let pipeline = with(defs());
        definition::check(&pipeline, &Limits::default()).unwrap();
        let scheduled = pipeline.schedule("@daily");
        let (slug, issues) = refused(&scheduled);
        assert_eq!(
            (slug, issues[0].0.as_str()),
            ("param-invalid", "/param_defs/1")
        );
        assert!(
            issues[0]
                .1
                .contains("no value of the required parameter \"rows\"")
        );
        assert_eq!(issues.len(), 1);
        definition::check(&scheduled.param("rows", "1"), &Limits::default()).unwrap();
        let mut defaults = with(defs()).schedule("@daily");
        defaults.param_defs[1] = ParamDef::integer("rows").required().default(1);
        definition::check(&defaults, &Limits::default()).unwrap();
    }

    #[test]
    fn definitions_are_limited_in_number_and_their_defaults_in_bytes() {
        let many = |count: usize| with((0..count).map(|name| ParamDef::string(name.to_string())));
        definition::check(&many(256), &Limits::default()).unwrap();
        let expected = "a pipeline defines at most 256 parameters, these are 257";
        let issue = ("/param_defs".to_owned(), expected.to_owned());
        assert_eq!(refused(&many(257)), ("params-too-large", vec![issue]));
        let large = with([ParamDef::string("a").default("x".repeat(64 * 1024))]);
        let (slug, issues) = refused(&large);
        assert_eq!(
            (slug, issues[0].0.as_str()),
            ("params-too-large", "/param_defs")
        );
    }

    #[test]
    fn a_pipeline_has_a_few_patterns_only() {
        let with_patterns = |count: usize| {
            let names = (0..count).map(|index| format!("p{index}"));
            names.fold(Pipeline::new("p").node("a", "x"), |pipeline, name| {
                pipeline.param_def(ParamDef::string(name).pattern("[a-z]+"))
            })
        };
        let issues = |pipeline: &Pipeline| {
            let mut issues = Issues::default();
            check_definitions(pipeline, &Limits::default(), &mut issues);
            issues.into_vec()
        };
        assert_eq!(issues(&with_patterns(PATTERNS_MAX)), []);
        let refused = issues(&with_patterns(PATTERNS_MAX + 2));
        assert_eq!(refused.len(), 1);
        assert_eq!(
            refused[0].location,
            crate::error::IssueLocation::Pointer(format!("/param_defs/{PATTERNS_MAX}/pattern"))
        );
    }
}
