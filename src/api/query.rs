//! The query parameters of a request: decodes them and refuses unknown ones.
//!
//! The handlers and `paging` interpret the values.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::path;
use crate::error::{Error, Issue, Result, quote};
use crate::model::rfc3339;
use crate::suggestion::{did_you_mean, nearest};

/// A query parameter that a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// May be given at most once.
    Single(&'static str),
    /// May be given any number of times.
    Repeatable(&'static str),
}

impl Parameter {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Single(name) | Self::Repeatable(name) => name,
        }
    }
}

/// How a message describes an instant.
pub(super) const INSTANT: &str = "an RFC 3339 time like 2024-01-15T06:00:00Z";

/// The parameter that names a tenant. `tenant` reads it.
pub(super) const TENANT: &str = "tenant";

/// The parameters that every route takes.
const EVERYWHERE: [Parameter; 1] = [Parameter::Single(TENANT)];

/// The decoded parameters of a request, all known to its route.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads a query string.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) with every problem: an unknown name, a single parameter
    /// that is given twice, broken encoding.
    pub(super) fn read(text: Option<&str>, known: &[Parameter]) -> Result<Self> {
        let Some(text) = text else {
            return Ok(Self::default());
        };
        let (mut pairs, mut issues) = (Vec::new(), Vec::new());
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            match read_pair(pair, known, &pairs) {
                Ok(pair) => pairs.push(pair),
                Err(issue) => issues.push(issue),
            }
        }
        refuse(issues)?;
        Ok(Self(pairs))
    }

    /// Returns the value of a single parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the values of a repeatable parameter, in their order.
    pub(super) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(own, _)| *own == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Parses a value of the model.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`), which names the allowed values.
    pub(super) fn parse<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<Option<T>> {
        let parse = |text: &str| {
            text.parse().map_err(|error: T::Err| {
                invalid(name, format!("{error}, received {}", quote(text)))
            })
        };
        self.get(name).map(parse).transpose()
    }

    /// Parses a whole number within bounds that consists of digits.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`).
    pub(super) fn number(
        &self,
        name: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>> {
        let parse = |text| whole_number(name, text, bounds);
        self.get(name).map(parse).transpose()
    }

    /// Parses `true` or `false`.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`).
    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>> {
        self.choice(name, &[("true", true), ("false", false)])
    }

    /// Parses one of these words.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`).
    pub(super) fn choice<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Result<Option<T>> {
        self.get(name)
            .map(|text| choose(name, text, words))
            .transpose()
    }

    /// Parses every value of a repeatable parameter as one of these words.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`).
    pub(super) fn choices<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Result<Vec<T>> {
        let chosen = self.all(name).map(|text| choose(name, text, words));
        chosen.collect()
    }

    /// Parses an instant (RFC 3339).
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`).
    pub(super) fn instant(&self, name: &'static str) -> Result<Option<DateTime<Utc>>> {
        let read = |text: &str| {
            rfc3339::parse(text).ok_or_else(|| {
                let detail = format!("must be {INSTANT}, received {}", quote(text));
                invalid(name, detail)
            })
        };
        self.get(name).map(read).transpose()
    }

    /// Sets a single parameter.
    pub(super) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.0.retain(|(own, _)| *own != name);
        self.0.push((name, value.to_owned()));
        self
    }

    /// Returns the query with one parameter replaced and the others unchanged.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let mut text = String::new();
        let others = self.0.iter().filter(|(own, _)| *own != name);
        let others = others.map(|(own, value)| (*own, value.as_str()));
        for (own, value) in others.chain([(name, value)]) {
            text.push(if text.is_empty() { '?' } else { '&' });
            path::encode(own, &mut text);
            text.push('=');
            path::encode(value, &mut text);
        }
        text
    }
}

/// Returns the value of a parameter in a query whose other parameters may be wrong.
pub(super) fn value_of(text: Option<&str>, name: &str) -> Option<String> {
    text?.split('&').find_map(|pair| {
        let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_named = form_decode(own).is_some_and(|own| own == name);
        is_named.then(|| form_decode(value))?
    })
}

/// Parses a whole number within bounds that consists of digits. `name` is that of the parameter or
/// the header.
///
/// # Errors
/// `Malformed` (`invalid-parameter`).
pub(super) fn whole_number(
    name: &str,
    text: &str,
    bounds: std::ops::RangeInclusive<u64>,
) -> Result<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    match number {
        Some(number) if is_plain => Ok(number),
        Some(_) | None => Err(invalid(
            name,
            format!(
                "must be a whole number from {} to {}, received {}",
                bounds.start(),
                bounds.end(),
                quote(text)
            ),
        )),
    }
}

/// Returns the error that refuses one parameter.
pub(super) fn invalid(name: &str, detail: impl Into<String>) -> Error {
    Error::invalid_parameter(name, detail)
}

fn refuse(issues: Vec<Issue>) -> Result<()> {
    if issues.is_empty() {
        return Ok(());
    }
    Err(Error::invalid_parameters(issues))
}

fn read_pair(
    pair: &str,
    known: &[Parameter],
    before: &[(&'static str, String)],
) -> Result<(&'static str, String), Issue> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let name = form_decode(name).ok_or_else(|| broken(name))?;
    let value = form_decode(value).ok_or_else(|| broken(&name))?;
    let mut takes = known.iter().chain(&EVERYWHERE);
    let parameter = takes.find(|own| own.name() == name);
    let parameter = *parameter.ok_or_else(|| unknown(&name, known))?;
    let is_again = before.iter().any(|(own, _)| *own == parameter.name());
    match parameter {
        Parameter::Single(own) if is_again => {
            Err(Issue::parameter(own, "is given twice; it has one value"))
        }
        Parameter::Single(own) | Parameter::Repeatable(own) => Ok((own, value)),
    }
}

/// Decodes a name or value; forms encode a space as a plus sign.
fn form_decode(text: &str) -> Option<String> {
    let text = if text.contains('+') {
        Cow::Owned(text.replace('+', " "))
    } else {
        Cow::Borrowed(text)
    };
    path::decode(&text).map(Cow::into_owned)
}

fn broken(name: &str) -> Issue {
    Issue::parameter(name, "is not percent-encoded UTF-8")
}

fn unknown(name: &str, known: &[Parameter]) -> Issue {
    let names = known.iter().chain(&EVERYWHERE).map(|own| own.name());
    let detail = match nearest(name, names.clone()) {
        Some(near) => format!("is not known here{}", did_you_mean(near)),
        None => format!(
            "is not known here; known are {}",
            names.collect::<Vec<_>>().join(", ")
        ),
    };
    Issue::parameter(name, detail)
}

/// Parses a text as one of these words.
///
/// # Errors
/// `Malformed` (`invalid-parameter`), which lists the words.
pub(super) fn choose<T: Copy>(
    name: &'static str,
    text: &str,
    words: &[(&'static str, T)],
) -> Result<T> {
    let chosen = words.iter().find(|(word, _)| *word == text);
    chosen.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let words = words.join(", ");
        invalid(
            name,
            format!("must be one of {words}, received {}", quote(text)),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Problem;

    const KNOWN: &[Parameter] = &[
        Parameter::Single("page"),
        Parameter::Single("from"),
        Parameter::Repeatable("status"),
    ];

    fn read(text: &str) -> Query {
        Query::read(Some(text), KNOWN).unwrap()
    }

    fn refused(text: &str) -> String {
        let error = Query::read(Some(text), KNOWN).unwrap_err();
        assert_eq!(error.problem(), Problem::InvalidParameter);
        error.to_string()
    }

    #[test]
    fn values_are_decoded_and_kept_in_order() {
        let query = read("status=a+b&page=%31&status=%C3%A4&");
        assert_eq!(query.get("page"), Some("1"));
        assert_eq!(query.all("status").collect::<Vec<_>>(), ["a b", "ä"]);
        assert_eq!(Query::read(None, KNOWN).unwrap().get("page"), None);
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_a_hint() {
        assert_eq!(
            refused("pgae=1"),
            "the parameter \"pgae\" is not known here; did you mean \"page\"?"
        );
        assert_eq!(
            refused("x=1"),
            "the parameter \"x\" is not known here; known are page, from, status, tenant"
        );
        assert_eq!(
            refused("page=1&page=1"),
            "the parameter \"page\" is given twice; it has one value"
        );
        assert!(refused("page=%f").contains("percent-encoded"));
        assert!(refused("%ff=1").contains("percent-encoded"));
    }

    #[test]
    fn every_problem_of_a_query_is_reported() {
        let error = Query::read(Some("a=1&b=2&page=1&page=2"), KNOWN).unwrap_err();
        assert_eq!(error.issues().len(), 3);
    }

    #[test]
    fn numbers_are_digits_within_their_bounds() {
        assert_eq!(read("page=7").number("page", 1..=9).unwrap(), Some(7));
        assert_eq!(read("").number("page", 1..=9).unwrap(), None);
        for bad in [
            "page=0",
            "page=10",
            "page=-1",
            "page=%2B7",
            "page=",
            "page=1.5",
            "page=99999999999999999999",
        ] {
            let error = read(bad).number("page", 1..=9).unwrap_err();
            assert_eq!(error.problem(), Problem::InvalidParameter, "{bad}");
        }
    }

    #[test]
    fn times_are_read_in_any_zone() {
        let query = read("from=2024-01-15T07:00:00%2B01:00");
        let read = query.instant("from").unwrap().unwrap();
        assert_eq!(read.to_rfc3339(), "2024-01-15T06:00:00+00:00");
        assert!(self::read("from=2024-01-15").instant("from").is_err());
    }

    #[test]
    fn a_link_keeps_the_other_parameters() {
        let query = read("status=a%26b&page=1&status=c");
        assert_eq!(query.with("page", "2"), "?status=a%26b&status=c&page=2");
    }
}
