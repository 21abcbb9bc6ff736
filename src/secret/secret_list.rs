//! The secrets of a mask, and where a text has one of them.
//!
//! `encoded` reads a text in the encodings of URLs, forms and strings, and `search` finds a secret
//! in it. No other encoding, such as base64, is read.

use std::iter;
use std::ops::Range;

use serde_json::Number;

use super::encoded::{self, Encoding, Reading};
use super::{Secret, search};

/// Shorter secrets are not masked, because a text such as `a` or `123` occurs almost everywhere.
const BYTES_MIN: usize = 4;

/// The end of a text that was cut. What is before it may be the start of a secret.
const CUT: char = '…';

#[derive(Debug, Default)]
pub(super) struct SecretList(Vec<MaskedSecret>);

#[derive(Debug)]
struct MaskedSecret {
    text: Secret<String>,
    /// Whether it looks different in a URL, a form or JSON.
    is_encodable: bool,
    /// How often it has the mark of a cut itself.
    cuts: usize,
    /// The number that it is, if it is one: a dataset may spell it in another way.
    number: Option<f64>,
}

impl SecretList {
    pub(super) fn add(&mut self, text: &str) {
        if text.len() < BYTES_MIN || self.0.iter().any(|secret| secret.text.expose() == text) {
            return;
        }
        self.0.push(MaskedSecret {
            is_encodable: encoded::is_encodable(text),
            cuts: text.matches(CUT).count(),
            number: text.parse().ok().filter(|number: &f64| number.is_finite()),
            text: Secret::new(text.to_owned()),
        });
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.0
            .iter()
            .any(|secret| text.contains(secret.text.expose()))
            || !self.find_encoded(text).is_empty()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether a number contains a secret in its digits, or is equal to one.
    pub(super) fn matches_number(&self, number: &Number) -> bool {
        let value = number.as_f64();
        let is_equal = |secret: &MaskedSecret| secret.number.is_some() && secret.number == value;
        self.matches(&number.to_string()) || self.0.iter().any(is_equal)
    }

    /// Returns whether a number can contain a secret at all.
    pub(super) fn has_numbers(&self) -> bool {
        let in_number = |text: &str| text.bytes().all(|byte| b"0123456789.eE+-".contains(&byte));
        let mut secrets = self.0.iter();
        secrets.any(|secret| in_number(secret.text.expose()))
    }

    /// Returns where a text has secrets, or the starts of secrets whose ends were cut off.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut found = self.find_encoded(text);
        for secret in &self.0 {
            let matches = text.match_indices(secret.text.expose());
            found.extend(matches.map(|(start, secret)| start..start + secret.len()));
        }
        found.extend(self.find_starts(text));
        found
    }

    /// Returns what is before the mark of a cut and may be the start of a secret.
    fn find_starts(&self, text: &str) -> Vec<Range<usize>> {
        let own_cuts = self.0.iter().map(|secret| secret.cuts).max().unwrap_or(0);
        let cuts: Vec<_> = text.match_indices(CUT).map(|(at, _)| at).collect();
        let part = |(index, end): (usize, &usize)| {
            let before = index.checked_sub(own_cuts + 1);
            let start = before.map_or(0, |cut| cuts[cut] + CUT.len_utf8());
            let found = self.find_start(&text[start..*end])?;
            Some(start + found..*end)
        };
        cuts.iter().enumerate().filter_map(part).collect()
    }

    fn find_encoded(&self, text: &str) -> Vec<Range<usize>> {
        let secrets = || self.0.iter().filter(|secret| secret.is_encodable);
        if secrets().next().is_none() {
            return Vec::new();
        }
        let find = |encoding| {
            let reading = Reading::of(text, encoding);
            let find = move |secret: &MaskedSecret| search::find(&reading, secret.bytes());
            secrets().flat_map(find)
        };
        Encoding::changing(text).flat_map(find).collect()
    }

    /// Returns where a text begins to be the start of a secret.
    fn find_start(&self, text: &str) -> Option<usize> {
        let find = |encoding| {
            let reading = Reading::of(text, encoding);
            let find =
                |secret: &MaskedSecret| search::find_start(&reading, secret.bytes(), BYTES_MIN);
            self.0.iter().filter_map(find).min()
        };
        let encodings = iter::once(Encoding::Plain).chain(Encoding::changing(text));
        encodings.filter_map(find).min()
    }
}

impl MaskedSecret {
    const fn bytes(&self) -> &[u8] {
        self.text.expose().as_bytes()
    }
}
