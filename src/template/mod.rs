//! Templates in a node's config: `${param.NAME}`, `${var.KEY}`, `${run.id}`, `${run.date}`,
//! `${run.date-1d}`, `${run.scheduled_at}`, and `$${` for `${`.
//!
//! `engine` supplies parameters and variables; the executor interprets the resolved config.

mod date;
mod key;
mod pieces;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};

pub(crate) use self::key::{KeyError, parameters_of_key, resolve_key, unresolvable};
use self::pieces::{PREFIXES, Piece, meant_prefix, pieces};
use crate::error::{quote, reference_token};
use crate::model::{Params, Run, RunId, rfc3339};
use crate::suggestion::{did_you_mean, nearest};

/// The total size of the values substituted into one config. 16 MiB, as the largest stored output:
/// without a limit a config could repeat a parameter of a megabyte a hundred thousand times.
const SUBSTITUTED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a template can name of a run.
const RUN_FIELDS: [&str; 3] = ["id", "date", "scheduled_at"];

/// The values that templates refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bindings<'a> {
    pub(crate) params: &'a Params,
    pub(crate) vars: &'a BTreeMap<String, String>,
    pub(crate) run_id: RunId,
    pub(crate) date: NaiveDate,
    pub(crate) scheduled_at: DateTime<Utc>,
}

impl<'a> Bindings<'a> {
    /// Returns the values of a run, with these variables.
    pub(crate) const fn of(run: &'a Run, vars: &'a BTreeMap<String, String>) -> Self {
        Self {
            params: &run.params,
            vars,
            run_id: run.id,
            date: run.date,
            scheduled_at: run.instant(),
        }
    }
}

/// Why a config cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// A reference with a valid prefix to an unknown name.
    #[error("{} in the config: no {what} is called {}{hint}", quote(.template), quote(.name))]
    Unknown {
        template: String,
        what: &'static str,
        name: String,
        /// The question that names the nearest known name, or nothing.
        hint: String,
    },
    /// A reference whose prefix is nearly one of ours.
    #[error("{} in the config is not a template{}", quote(.template), did_you_mean(.meant))]
    Misspelled { template: String, meant: String },
    /// A date that is shifted in no known way, or out of the calendar.
    #[error(
        "{} in the config: a date is shifted by days, weeks or months, as in ${{run.date-1d}}, \
         ${{run.date+2w}} or ${{run.date-1m}}, and stays within the years 0 to 9999",
        quote(.template)
    )]
    Date { template: String },
    /// The values are too large together.
    #[error("the values substituted into the config exceed {SUBSTITUTED_BYTES_MAX} bytes in total")]
    TooLarge,
}

/// Resolves the templates in every string of a config, also inside arrays and objects. Keys stay
/// unchanged.
///
/// A substituted value is not resolved again.
///
/// # Errors
/// Returns [`TemplateError`] for the first unknown name, or if the substituted values are too
/// large.
pub(crate) fn resolve(
    config: &Map<String, Value>,
    bindings: &Bindings<'_>,
) -> Result<Map<String, Value>, TemplateError> {
    let mut resolver = Resolver {
        bindings,
        room: SUBSTITUTED_BYTES_MAX,
    };
    resolver.object(config)
}

/// Resolves the templates in every string of a config, except those of variables and of secret
/// parameters.
///
/// # Errors
/// Those of [`resolve`].
pub(crate) fn resolve_known(
    config: &Map<String, Value>,
    run: &Run,
) -> Result<Map<String, Value>, TemplateError> {
    let names = variables(config).into_iter();
    let vars = names.map(|name| (name.clone(), format!("${{var.{name}}}")));
    let vars = vars.collect();
    let mut params = run.params.clone();
    for (name, _) in run.params.sealed() {
        params.set_text(name, format!("${{param.{name}}}"));
    }
    let bindings = Bindings {
        params: &params,
        ..Bindings::of(run, &vars)
    };
    resolve(config, &bindings)
}

struct Resolver<'a> {
    bindings: &'a Bindings<'a>,
    room: usize,
}

impl Resolver<'_> {
    /// The recursion is bounded: no definition is nested deeper than `json::DEPTH_MAX`.
    fn value(&mut self, value: &Value) -> Result<Value, TemplateError> {
        match value {
            Value::String(text) => self.text(text).map(Value::String),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(entries) => self.object(entries).map(Value::Object),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
        }
    }

    fn object(
        &mut self,
        entries: &Map<String, Value>,
    ) -> Result<Map<String, Value>, TemplateError> {
        let resolved = |(key, value): (&String, &Value)| Ok((key.clone(), self.value(value)?));
        entries.iter().map(resolved).collect()
    }

    fn text(&mut self, text: &str) -> Result<String, TemplateError> {
        let mut resolved = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => resolved.push_str(text),
                Piece::Dollar(_) => resolved.push('$'),
                Piece::Reference(inside) => resolved.push_str(&self.substitute(inside)?),
                Piece::Misspelled(inside) => return Err(misspelled(inside)),
            }
        }
        Ok(resolved)
    }

    fn substitute(&mut self, inside: &str) -> Result<String, TemplateError> {
        let value = self.lookup(inside)?;
        let room = self.room.checked_sub(value.len());
        self.room = room.ok_or(TemplateError::TooLarge)?;
        Ok(value)
    }

    fn lookup(&self, inside: &str) -> Result<String, TemplateError> {
        let (prefix, name) = inside.split_once('.').unwrap_or_default();
        let (what, found) = match prefix {
            "param" => (
                "parameter",
                self.bindings.params.get(name).map(str::to_owned),
            ),
            "var" => ("variable", self.bindings.vars.get(name).cloned()),
            _ => ("field of a run", self.run(inside, name)?),
        };
        found.ok_or_else(|| TemplateError::Unknown {
            template: format!("${{{inside}}}"),
            what,
            name: name.to_owned(),
            hint: self.hint(prefix, name),
        })
    }

    fn hint(&self, prefix: &str, name: &str) -> String {
        let near = match prefix {
            "param" => nearest(name, self.bindings.params.names()),
            "var" => None,
            _ => nearest(name, RUN_FIELDS),
        };
        near.map(did_you_mean).unwrap_or_default()
    }

    fn run(&self, inside: &str, name: &str) -> Result<Option<String>, TemplateError> {
        match name {
            "id" => return Ok(Some(self.bindings.run_id.to_string())),
            "scheduled_at" => return Ok(Some(rfc3339::text(&self.bindings.scheduled_at))),
            _ => {}
        }
        let Some(shift) = date::shift(name) else {
            return Ok(None);
        };
        let shifted = shift.and_then(|shift| shift.apply(self.bindings.date));
        let shifted = shifted.ok_or_else(|| TemplateError::Date {
            template: format!("${{{inside}}}"),
        })?;
        Ok(Some(shifted.to_string()))
    }
}

/// Returns the names of all variables that a config refers to.
pub(crate) fn variables(config: &Map<String, Value>) -> BTreeSet<String> {
    names(config, "var.")
}

/// Returns whether a text has a template.
pub(crate) fn has_reference(text: &str) -> bool {
    pieces(text).any(|piece| match piece {
        Piece::Reference(_) | Piece::Misspelled(_) => true,
        Piece::Text(_) | Piece::Dollar(_) => false,
    })
}

/// Returns whether a text refers to a parameter or a variable, whose values may be anything.
#[cfg(feature = "nodes")]
pub(crate) fn has_value(text: &str) -> bool {
    pieces(text).any(|piece| match piece {
        Piece::Reference(inside) => !inside.starts_with("run."),
        Piece::Text(_) | Piece::Dollar(_) | Piece::Misspelled(_) => false,
    })
}

/// Returns the names of all parameters that a config refers to.
pub(crate) fn parameters(config: &Map<String, Value>) -> BTreeSet<String> {
    names(config, "param.")
}

/// Returns the parameters that a config refers to, each with the JSON pointer of the string that
/// names it.
pub(crate) fn parameters_with_pointers(config: &Map<String, Value>) -> Vec<(String, String)> {
    names_with_pointers(config, "param.")
}

fn names(config: &Map<String, Value>, prefix: &str) -> BTreeSet<String> {
    let found = names_with_pointers(config, prefix).into_iter();
    found.map(|(_, name)| name).collect()
}

fn names_with_pointers(config: &Map<String, Value>, prefix: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    each_text(config, |pointer, text| {
        found.extend(pieces(text).filter_map(|piece| match piece {
            Piece::Reference(inside) => {
                let name = inside.strip_prefix(prefix)?;
                Some((pointer.to_owned(), name.to_owned()))
            }
            Piece::Text(_) | Piece::Dollar(_) | Piece::Misspelled(_) => None,
        }));
    });
    found
}

/// Returns the first template of each string that no run can resolve, with the JSON pointer of the
/// string in the config. Parameters and variables may become known later.
pub(crate) fn unknown_names(config: &Map<String, Value>) -> Vec<(String, TemplateError)> {
    let bindings = Bindings {
        params: &Params::new(),
        vars: &BTreeMap::new(),
        run_id: RunId::from_uuid(uuid::Uuid::nil()),
        date: NaiveDate::default(),
        scheduled_at: DateTime::UNIX_EPOCH,
    };
    let resolver = Resolver {
        bindings: &bindings,
        room: 0,
    };
    let mut found = Vec::new();
    each_text(config, |pointer, text| {
        let mut errors = pieces(text).filter_map(|piece| match piece {
            Piece::Reference(inside) if inside.starts_with("run.") || inside == "var." => {
                resolver.lookup(inside).err()
            }
            Piece::Misspelled(inside) => Some(misspelled(inside)),
            Piece::Reference(_) | Piece::Text(_) | Piece::Dollar(_) => None,
        });
        found.extend(errors.next().map(|error| (pointer.to_owned(), error)));
    });
    found
}

/// Returns a warning for the first text of each string that stays as it is, although it looks like
/// a template: one that names nothing or is never closed. Each with the JSON pointer of the string.
pub(crate) fn unread(config: &Map<String, Value>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    each_text(config, |pointer, text| {
        let mut warnings = pieces(text).filter_map(|piece| match piece {
            Piece::Dollar(text) => unread_template(text),
            Piece::Text(_) | Piece::Reference(_) | Piece::Misspelled(_) => None,
        });
        found.extend(warnings.next().map(|warning| (pointer.to_owned(), warning)));
    });
    found
}

fn unread_template(text: &str) -> Option<String> {
    let inside = text.strip_prefix("${")?;
    let has_prefix = |prefix: &&str| {
        let rest = inside.strip_prefix(*prefix);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let problem = if inside.starts_with('}') {
        "\"${}\" names nothing".to_owned()
    } else if PREFIXES.iter().any(has_prefix) {
        format!("the template {} is never closed", quote(text))
    } else {
        return None;
    };
    Some(format!(
        "{problem}, and the text stays as it is ($${{ stands for ${{)"
    ))
}

/// Visits every string inside a config, with its JSON pointer.
fn each_text<'a>(config: &'a Map<String, Value>, mut visit: impl FnMut(&str, &'a str)) {
    each_text_of_object(config, &mut String::new(), &mut visit);
}

fn each_text_of_object<'a>(
    entries: &'a Map<String, Value>,
    pointer: &mut String,
    visit: &mut impl FnMut(&str, &'a str),
) {
    for (key, value) in entries {
        each_text_of_value(value, &reference_token(key), pointer, visit);
    }
}

/// The recursion is bounded as in [`Resolver::value`].
fn each_text_of_value<'a>(
    value: &'a Value,
    token: &str,
    pointer: &mut String,
    visit: &mut impl FnMut(&str, &'a str),
) {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(token);
    match value {
        Value::String(text) => visit(pointer, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each_text_of_value(item, &index.to_string(), pointer, visit);
            }
        }
        Value::Object(entries) => each_text_of_object(entries, pointer, visit),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    pointer.truncate(length);
}

fn misspelled(inside: &str) -> TemplateError {
    let (prefix, name) = inside.split_once('.').unwrap_or_default();
    let meant = meant_prefix(prefix).unwrap_or_default();
    TemplateError::Misspelled {
        template: format!("${{{inside}}}"),
        meant: format!("${{{meant}.{}}}", name.trim()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolved(config: Value) -> Result<Value, TemplateError> {
        let Value::Object(config) = config else {
            panic!("a config is an object");
        };
        let texts = |pairs: &[(&str, &str)]| {
            let owned = pairs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            owned.collect::<BTreeMap<_, _>>()
        };
        let params = texts(&[
            ("date", "2024-01-15"),
            ("a b", "blank"),
            ("trap", "${param.date}$${run.id}"),
            ("empty", ""),
            ("large", &"x".repeat(1024 * 1024)),
        ]);
        let bindings = Bindings {
            params: &params.into(),
            vars: &texts(&[("BUCKET", "s3://orders")]),
            run_id: RunId::from_uuid(uuid::Uuid::nil()),
            date: NaiveDate::from_ymd_opt(2024, 2, 29).unwrap(),
            scheduled_at: "2024-02-29T05:00:00Z".parse().unwrap(),
        };
        resolve(&config, &bindings).map(Value::Object)
    }

    fn text(template: &str) -> Result<String, String> {
        let config = resolved(json!({ "key": template })).map_err(|error| error.to_string())?;
        Ok(config["key"].as_str().unwrap().to_owned())
    }

    #[test]
    fn references_are_replaced_and_other_text_stays() {
        for (template, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("${param.date}", "2024-01-15"),
            (
                "in/${param.date}/${var.BUCKET}.csv",
                "in/2024-01-15/s3://orders.csv",
            ),
            ("${param.a b}${param.empty}", "blank"),
            ("${run.id}", "00000000-0000-0000-0000-000000000000"),
            ("${run.date}", "2024-02-29"),
            ("${run.scheduled_at}", "2024-02-29T05:00:00Z"),
            (
                "${run.date-1d}/${run.date+1w}/${run.date-12m}",
                "2024-02-28/2024-03-07/2023-02-28",
            ),
            ("${param.trap}", "${param.date}$${run.id}"),
            (
                "${HOME} ${} ${param} ${env.HOME} ${part.x} ${run} ${spark.run.id}",
                "${HOME} ${} ${param} ${env.HOME} ${part.x} ${run} ${spark.run.id}",
            ),
            ("$${param.date}", "${param.date}"),
            ("$${params.date}", "${params.date}"),
            ("$$${param.date}", "$${param.date}"),
            ("$${${param.date}}", "${2024-01-15}"),
            ("$ $$ $x {param.date} $", "$ $$ $x {param.date} $"),
            ("${param.date", "${param.date"),
            (
                "${param.date} ${param.date $${",
                "2024-01-15 ${param.date ${",
            ),
            ("ä${param.date}ß", "ä2024-01-15ß"),
        ] {
            assert_eq!(text(template).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it() {
        for (template, error) in [
            (
                "${param.dat}",
                "\"${param.dat}\" in the config: no parameter is called \"dat\"; did you mean \"date\"?",
            ),
            (
                "${param.}",
                "\"${param.}\" in the config: no parameter is called \"\"",
            ),
            (
                "x ${var.date}",
                "\"${var.date}\" in the config: no variable is called \"date\"",
            ),
            (
                "${run.time}",
                "\"${run.time}\" in the config: no field of a run is called \"time\"",
            ),
            (
                "${run.dat}",
                "\"${run.dat}\" in the config: no field of a run is called \"dat\"; did you mean \"date\"?",
            ),
            (
                "${run.schedule_at}",
                "\"${run.schedule_at}\" in the config: no field of a run is called \"schedule_at\"; \
                 did you mean \"scheduled_at\"?",
            ),
            (
                "${params.date}",
                "\"${params.date}\" in the config is not a template; did you mean \"${param.date}\"?",
            ),
            (
                "${ Variable. KEY }",
                "\"${ Variable. KEY }\" in the config is not a template; did you mean \"${var.KEY}\"?",
            ),
            (
                "${run.date-1y}",
                "\"${run.date-1y}\" in the config: a date is shifted by days, weeks or months, as in \
                 ${run.date-1d}, ${run.date+2w} or ${run.date-1m}, and stays within the years 0 to 9999",
            ),
            (
                "${param.${param.date}}",
                "\"${param.${param.date}\" in the config: no parameter is called \"${param.date\"",
            ),
        ] {
            assert_eq!(text(template), Err(error.to_owned()));
        }
    }

    #[test]
    fn strings_inside_arrays_and_objects_are_resolved_and_keys_are_not() {
        let config = json!({
            "command": ["load", "--date=${param.date}", {"${param.date}": ["${run.date}"]}],
            "count": 7, "flag": true, "none": null
        });
        let expected = json!({
            "command": ["load", "--date=2024-01-15", {"${param.date}": ["2024-02-29"]}],
            "count": 7, "flag": true, "none": null
        });
        assert_eq!(resolved(config), Ok(expected));
    }

    #[test]
    fn the_variables_of_a_config_are_found() {
        let config = json!({
            "a": "${var.A} $${var.NOT} ${param.date}${var.b-c}",
            "${var.KEY}": [{"b": "${var.A}${var.open"}], "n": 1
        });
        let Value::Object(config) = config else {
            panic!("a config is an object");
        };
        assert_eq!(Vec::from_iter(variables(&config)), ["A", "b-c"]);
    }

    #[test]
    fn templates_that_no_run_resolves_are_found_at_their_pointers() {
        let config = json!({
            "a": "${run.id} ${run.date} ${param.later} ${var.LATER} ${HOME} $${run.no}",
            "b/c": ["x", {"~": "${run.dat}"}], "d": "${params.x} ${run.no}", "e": "${var.}", "n": 1
        });
        let Value::Object(config) = config else {
            panic!("a config is an object");
        };
        let found = unknown_names(&config);
        let pointers: Vec<_> = found.iter().map(|(pointer, _)| &**pointer).collect();
        assert_eq!(pointers, ["/b~1c/1/~0", "/d", "/e"]);
        assert!(matches!(found[1].1, TemplateError::Misspelled { .. }));
    }

    #[test]
    fn a_text_that_looks_like_a_template_and_is_none_is_warned_of() {
        for (text, expected) in [
            (
                "a ${run.date",
                Some("the template \"${run.date\" is never closed"),
            ),
            (
                "${run.date} ${param.x",
                Some("the template \"${param.x\" is never closed"),
            ),
            ("{ ${} }", Some("\"${}\" names nothing")),
            (
                "$${} $${run.date $$${var.x ${run.date} ${HOME} ${HOME $ ${running.x",
                None,
            ),
        ] {
            let config = Map::from_iter([("key".to_owned(), json!([text]))]);
            let expected = expected.map(|problem| {
                let rest = "and the text stays as it is ($${ stands for ${)";
                ("/key/0".to_owned(), format!("{problem}, {rest}"))
            });
            assert_eq!(Vec::from_iter(expected), unread(&config), "{text}");
        }
    }

    #[test]
    fn the_substituted_size_is_limited() {
        let config = |count: usize| json!({"key": vec!["${param.large}"; count]});
        assert!(resolved(config(16)).is_ok());
        assert_eq!(resolved(config(17)), Err(TemplateError::TooLarge));
    }

    #[test]
    fn megabytes_of_unclosed_references_stay_unchanged() {
        let open = "${param.".repeat(512 * 1024);
        assert_eq!(text(&open).as_deref(), Ok(open.as_str()));
    }
}
