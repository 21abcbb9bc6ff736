//! The templates of a concurrency key, in which only parameters and the date of a run may stand.
//!
//! The parent module resolves those of a config.

use chrono::NaiveDate;

use super::date;
use super::pieces::{Piece, pieces};
use crate::error::quote;
use crate::model::{Concurrency, Params};
use crate::suggestion::{did_you_mean, nearest};

/// Why a key has no text for a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// A parameter that the run does not have.
    #[error("the parameter {} is missing; the concurrency key of the pipeline needs it{hint}", quote(.name))]
    Missing {
        name: String,
        /// The question that names the nearest known name, or nothing.
        hint: String,
    },
    /// A template that no run can resolve.
    #[error("{0}")]
    Template(String),
    /// The text has too many characters.
    #[error(
        "the concurrency key of the run has at most {} characters, and this one has more: {}",
        Concurrency::KEY_CHARS_MAX,
        quote(.0)
    )]
    TooLong(String),
}

/// Returns the text that a key stands for in a run with these parameters and this date.
///
/// # Errors
/// Returns [`KeyError`] for the first template that has no value, or if the text is too long.
pub(crate) fn resolve_key(key: &str, params: &Params, date: NaiveDate) -> Result<String, KeyError> {
    let mut resolved = String::new();
    for piece in pieces(key) {
        match piece {
            Piece::Text(text) => resolved.push_str(text),
            Piece::Dollar(_) => resolved.push('$'),
            Piece::Reference(inside) | Piece::Misspelled(inside) => {
                resolved.push_str(&value_of(inside, params, date)?);
            }
        }
        // A parameter may be large, and its template may stand in the key many times.
        if resolved.chars().nth(Concurrency::KEY_CHARS_MAX).is_some() {
            return Err(KeyError::TooLong(resolved));
        }
    }
    Ok(resolved)
}

/// Returns the first template of a key that no run can resolve.
pub(crate) fn unresolvable(key: &str) -> Option<KeyError> {
    pieces(key).find_map(|piece| match piece {
        Piece::Text(_) | Piece::Dollar(_) => None,
        Piece::Reference(inside) | Piece::Misspelled(inside) => {
            match value_of(inside, &Params::new(), NaiveDate::default()) {
                Ok(_) | Err(KeyError::Missing { .. }) => None,
                Err(error) => Some(error),
            }
        }
    })
}

/// Returns the names of the parameters that a key needs.
pub(crate) fn parameters_of_key(key: &str) -> impl Iterator<Item = &str> {
    pieces(key).filter_map(|piece| match piece {
        Piece::Reference(inside) => inside.strip_prefix("param."),
        Piece::Text(_) | Piece::Dollar(_) | Piece::Misspelled(_) => None,
    })
}

fn value_of(inside: &str, params: &Params, date: NaiveDate) -> Result<String, KeyError> {
    if let Some(name) = inside.strip_prefix("param.") {
        let found = params.get(name).map(str::to_owned);
        return found.ok_or_else(|| KeyError::Missing {
            name: name.to_owned(),
            hint: nearest(name, params.names())
                .map(did_you_mean)
                .unwrap_or_default(),
        });
    }
    let shift = inside.strip_prefix("run.").and_then(date::shift).flatten();
    let shifted = shift.and_then(|shift| shift.apply(date));
    shifted.map(|date| date.to_string()).ok_or_else(|| {
        KeyError::Template(format!(
            "{} cannot stand in a concurrency key, which takes ${{param.NAME}} and ${{run.date}}, \
             shifted as in ${{run.date-1d}} within the years 0 to 9999",
            quote(&format!("${{{inside}}}"))
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn resolved(key: &str) -> Result<String, KeyError> {
        let params = [("customer", "acme"), ("empty", ""), ("trap", "${run.date}")];
        let params: BTreeMap<_, _> = params
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        let date = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
        resolve_key(key, &params.into(), date)
    }

    #[test]
    fn parameters_and_the_date_are_replaced_and_other_text_stays() {
        for (key, expected) in [
            ("all", "all"),
            ("${param.customer}", "acme"),
            (
                "${param.customer}/${run.date}/${run.date-1d}",
                "acme/2024-02-29/2024-02-28",
            ),
            ("${param.empty}", ""),
            ("${param.trap}", "${run.date}"),
            (
                "$${param.customer} $ ${HOME} ${param.x",
                "${param.customer} $ ${HOME} ${param.x",
            ),
        ] {
            assert_eq!(resolved(key).as_deref(), Ok(expected), "{key}");
            assert_eq!(unresolvable(key), None, "{key}");
        }
    }

    #[test]
    fn what_a_run_cannot_resolve_is_named() {
        let missing = resolved("${param.custmer}").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the parameter \"custmer\" is missing; the concurrency key of the pipeline needs it; \
             did you mean \"customer\"?"
        );
        assert_eq!(unresolvable("${param.custmer}"), None, "a run may have it");
        for key in [
            "${run.id}",
            "${var.BUCKET}",
            "${run.dat}",
            "${params.customer}",
            "${run.date-1x}",
            "${run.date-999999d}",
        ] {
            let error = resolved(key).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
            assert_eq!(unresolvable(&format!("a{key}")), Some(error), "{key}");
        }
    }

    #[test]
    fn a_text_has_a_bound() {
        let max = Concurrency::KEY_CHARS_MAX;
        for (count, fits) in [(max - 4, true), (max - 3, false)] {
            let key = format!("{}${{param.customer}}", "ä".repeat(count));
            assert_eq!(resolved(&key).is_ok(), fits, "{count}");
        }
    }

    #[test]
    fn the_parameters_of_a_key_are_known() {
        let names: Vec<_> = parameters_of_key("${param.a}/${run.date}${param.b}").collect();
        assert_eq!(names, ["a", "b"]);
    }
}
