//! The labels of a run: names with values, by which callers find their runs again.
//!
//! `storage/rules` merges the changes of an edit, and `engine` checks what a caller gives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Issue, Problem, Result, quote, reference_token};

/// The most labels of a run. 16: more are data, which belongs into parameters.
pub(crate) const LABELS_MAX: usize = 16;

/// The most characters of a name, and of a value. 128, the same as for an id.
const LABEL_CHARS_MAX: usize = 128;

/// The character between name and value in a filter, as in `team:data`.
pub(crate) const LABEL_SEPARATOR: char = ':';

/// The labels of a run: values by name.
///
/// A run has at most 16. A name has 1 to 128 characters and no colon, a value at most 128, and
/// neither has control characters.
///
/// ```
/// use floret::Labels;
///
/// let labels = Labels::from_iter([("team", "data"), ("order", "17")]);
/// assert_eq!(labels.get("team"), Some("data"));
/// assert_eq!(labels.iter().next(), Some(("order", "17")));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        inline,
        description = "Names with values, by which lists find the run."
    )
)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

/// Changes to the labels of a run: a value to set by name, or `None` to remove the label.
pub type LabelChanges = BTreeMap<String, Option<String>>;

impl Labels {
    /// Returns no labels.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Returns the value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets a label. What creates or edits a run refuses labels that are out of bounds.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Returns all labels in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.0.iter();
        texts.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns how many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the labels after an edit: those that it does not name stay.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) if these are more than 16.
    pub fn edited(&self, changes: &LabelChanges) -> Result<Self> {
        let mut labels = self.clone();
        for (name, change) in changes {
            match change {
                Some(value) => labels.insert(name, value),
                None => drop(labels.0.remove(name)),
            }
        }
        labels.check_count()?;
        Ok(labels)
    }

    /// Returns the labels that `other` does not have with the same values. Only a store of rows
    /// needs it.
    #[cfg(feature = "sqlite")]
    pub(crate) fn without(&self, other: &Self) -> Self {
        let own = self.iter();
        own.filter(|(name, value)| other.get(name) != Some(value))
            .collect()
    }

    /// Checks that every label is within its bounds.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) with the pointer of each label that is not.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_count()?;
        let issues: Vec<_> = self.iter().filter_map(label_issue).collect();
        if issues.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(Problem::InvalidField, issues))
    }

    /// Checks the number of labels, whatever they are.
    fn check_count(&self) -> Result<()> {
        let count = self.len();
        if count <= LABELS_MAX {
            return Ok(());
        }
        let detail = format!("a run has at most {LABELS_MAX} labels, these are {count}");
        let issues = vec![Issue::pointer("/labels", detail)];
        Err(Error::invalid(Problem::InvalidField, issues))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(labels: I) -> Self {
        let labels = labels.into_iter();
        Self(
            labels
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

fn label_issue((name, value): (&str, &str)) -> Option<Issue> {
    let detail = match (label_fault(name), label_fault(value)) {
        _ if name.is_empty() => "the name of a label must not be empty".to_owned(),
        _ if name.contains(LABEL_SEPARATOR) => {
            format!("the name of a label has no colon, received {}", quote(name))
        }
        (Some(fault), _) => format!("the name of a label {fault}, received {}", quote(name)),
        (None, Some(fault)) => {
            let (name, value) = (quote(name), quote(value));
            format!("the label {name} {fault}, received {value}")
        }
        (None, None) => return None,
    };
    Some(Issue::pointer(
        format!("/labels/{}", reference_token(name)),
        detail,
    ))
}

fn label_fault(text: &str) -> Option<String> {
    if text.chars().nth(LABEL_CHARS_MAX).is_some() {
        return Some(format!("has at most {LABEL_CHARS_MAX} characters"));
    }
    let has_control = text.chars().any(char::is_control);
    has_control.then(|| "has no control characters".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::IssueLocation;

    fn details(labels: &Labels) -> Vec<String> {
        match labels.check() {
            Ok(()) => Vec::new(),
            Err(error) => error.issues().iter().map(shown).collect(),
        }
    }

    fn shown(issue: &Issue) -> String {
        let IssueLocation::Pointer(pointer) = &issue.location else {
            panic!("{issue:?}");
        };
        format!("{pointer}: {}", issue.detail)
    }

    #[test]
    fn labels_within_bounds_are_accepted() {
        let longest = "\u{1f980}".repeat(LABEL_CHARS_MAX);
        let most = (0..LABELS_MAX).map(|n| (n.to_string(), String::new()));
        for labels in [
            Labels::new(),
            Labels::from_iter([("team", "a:b, c = d")]),
            Labels::from_iter([(&longest, &longest)]),
            most.collect(),
        ] {
            assert_eq!(details(&labels), Vec::<String>::new());
        }
    }

    #[test]
    fn each_label_out_of_bounds_is_named() {
        let long = "x".repeat(LABEL_CHARS_MAX + 1);
        let labels = Labels::from_iter([
            ("", "a"),
            ("a:b", "c"),
            ("a/b", "c\nd"),
            ("e\u{1b}", "f"),
            ("ok", "ok"),
            (&long, "g"),
            ("h", &long),
        ]);
        let details = details(&labels);
        let quoted = quote(&long);
        assert_eq!(
            details,
            [
                "/labels/: the name of a label must not be empty".to_owned(),
                "/labels/a~1b: the label \"a/b\" has no control characters, received \"c\\nd\"".to_owned(),
                "/labels/a:b: the name of a label has no colon, received \"a:b\"".to_owned(),
                "/labels/e\u{1b}: the name of a label has no control characters, received \"e\\u{1b}\"".to_owned(),
                format!("/labels/h: the label \"h\" has at most 128 characters, received {quoted}"),
                format!("/labels/{long}: the name of a label has at most 128 characters, received {quoted}"),
            ]
        );
    }

    #[test]
    fn too_many_labels_are_one_issue() {
        let labels: Labels = (0..100_000).map(|n| (n.to_string(), "\n")).collect();
        let expected = "/labels: a run has at most 16 labels, these are 100000";
        assert_eq!(details(&labels), [expected]);
    }

    #[test]
    fn an_edit_sets_and_removes_labels_and_keeps_the_others() {
        let before = Labels::from_iter([("a", "1"), ("b", "2"), ("c", "3")]);
        let changes = LabelChanges::from([
            ("a".to_owned(), Some("9".to_owned())),
            ("b".to_owned(), None),
            ("absent".to_owned(), None),
            ("d".to_owned(), Some(String::new())),
        ]);
        let after = Labels::from_iter([("a", "9"), ("c", "3"), ("d", "")]);
        assert_eq!(before.edited(&changes).unwrap(), after);
    }
}
