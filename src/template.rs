//! Templates in a node's config: `${param.NAME}`, `${var.KEY}`, `${run.id}`, `${run.date}`, and
//! `$${` for `${`.
//!
//! `engine` supplies parameters and variables; the executor interprets the resolved config.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::{Map, Value};

use crate::error::shown;
use crate::model::RunId;

/// The total size of the values substituted into one config. 16 MiB, as the largest stored output:
/// without a limit a config could repeat a parameter of a megabyte a hundred thousand times.
const SUBSTITUTED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The values that templates refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bindings<'a> {
    pub(crate) params: &'a BTreeMap<String, String>,
    pub(crate) vars: &'a BTreeMap<String, String>,
    pub(crate) run_id: RunId,
    pub(crate) date: NaiveDate,
}

/// Why a config cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// A reference with a valid prefix to an unknown name.
    #[error("{} in the config: no {what} is called {}", shown(.template), shown(.name))]
    Unknown {
        template: String,
        what: &'static str,
        name: String,
    },
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
                Piece::Reference(inside) => resolved.push_str(&self.substitute(inside)?),
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
            "param" => ("parameter", self.bindings.params.get(name).cloned()),
            "var" => ("variable", self.bindings.vars.get(name).cloned()),
            _ => ("field of a run", self.run(name)),
        };
        found.ok_or_else(|| TemplateError::Unknown {
            template: format!("${{{inside}}}"),
            what,
            name: name.to_owned(),
        })
    }

    fn run(&self, name: &str) -> Option<String> {
        match name {
            "id" => Some(self.bindings.run_id.to_string()),
            "date" => Some(self.bindings.date.to_string()),
            _ => None,
        }
    }
}

/// Returns the names of all variables that a config refers to.
pub(crate) fn variables(config: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    config
        .values()
        .for_each(|value| collect_variables(value, &mut found));
    found
}

/// The recursion is bounded as in [`Resolver::value`].
fn collect_variables(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => found.extend(pieces(text).filter_map(|piece| match piece {
            Piece::Reference(inside) => inside.strip_prefix("var.").map(str::to_owned),
            Piece::Text(_) => None,
        })),
        Value::Array(items) => items.iter().for_each(|item| collect_variables(item, found)),
        Value::Object(entries) => entries
            .values()
            .for_each(|item| collect_variables(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A part of a string.
enum Piece<'t> {
    Text(&'t str),
    /// The inside of `${…}`, with one of our prefixes.
    Reference(&'t str),
}

/// Splits a string into its parts, in order.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    // After the last `}` no reference is closed. Searching for its end each time would be
    // quadratic.
    let unclosed = text.rsplit('}').next().map_or(0, str::len);
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = rest.find('$').unwrap_or(rest.len());
        if rest.is_empty() {
            return None;
        }
        let (before, dollar) = rest.split_at(at);
        let (piece, taken) = if !before.is_empty() {
            (Piece::Text(before), before.len())
        } else if dollar.starts_with("$${") {
            (Piece::Text("${"), "$${".len())
        } else if dollar.len() > unclosed
            && let Some(inside) = reference(dollar)
        {
            (Piece::Reference(inside), "${}".len() + inside.len())
        } else {
            (Piece::Text("$"), "$".len())
        };
        rest = &rest[taken..];
        Some(piece)
    })
}

/// Returns the inside of `${…}` at the start of a string if it has one of our prefixes.
fn reference(text: &str) -> Option<&str> {
    let (inside, _) = text.strip_prefix("${")?.split_once('}')?;
    let is_ours = ["param.", "var.", "run."]
        .iter()
        .any(|prefix| inside.starts_with(prefix));
    is_ours.then_some(inside)
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
            params: &params,
            vars: &texts(&[("BUCKET", "s3://orders")]),
            run_id: RunId::from_uuid(uuid::Uuid::nil()),
            date: NaiveDate::from_ymd_opt(2024, 2, 29).unwrap(),
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
            ("${param.trap}", "${param.date}$${run.id}"),
            (
                "${HOME} ${} ${param} ${params.date} ${ param.date }",
                "${HOME} ${} ${param} ${params.date} ${ param.date }",
            ),
            ("$${param.date}", "${param.date}"),
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
                "\"${param.dat}\" in the config: no parameter is called \"dat\"",
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
