//! The problems of one definition, gathered so that all are told at once.
//!
//! What is a problem is decided by `validate` and `definition`.

use crate::error::{Error, Issue, IssueAt, Result};

/// Problems that one answer tells. 20, as promised on the wire.
const ISSUES_MAX: usize = 20;

/// Problems in the order in which they were found, at most 20, one a place.
#[derive(Debug, Default)]
pub(crate) struct Issues(Vec<Issue>);

impl Issues {
    /// Adds a problem, unless the answer is full or the place (or one that holds it) has a problem already:
    /// what is inside something unreadable is only a consequence.
    pub(crate) fn push(&mut self, pointer: &str, detail: impl FnOnce() -> String) {
        if !self.is_full() && !self.0.iter().any(|issue| covers(&issue.at, pointer)) {
            self.0.push(Issue::pointer(pointer, detail()));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing more will be told.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= ISSUES_MAX
    }

    pub(crate) fn into_vec(self) -> Vec<Issue> {
        self.0
    }

    /// Refuses an input that has problems.
    pub(crate) fn refuse(self, slug: &'static str) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid(slug, self.0))
        }
    }
}

fn covers(at: &IssueAt, pointer: &str) -> bool {
    match at {
        IssueAt::Pointer(held) => pointer
            .strip_prefix(held.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        IssueAt::Parameter(_) => false,
    }
}

/// A key as a step of a JSON pointer (RFC 6901, section 3).
pub(crate) fn step(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_problem_a_place_is_told_and_twenty_in_all() {
        let mut issues = Issues::default();
        issues.push("/a/1", || "first".to_owned());
        issues.push("/a/1", || "again".to_owned());
        issues.push("/a/1/b", || "inside".to_owned());
        issues.push("/a/12", || "another place".to_owned());
        for index in 0..30 {
            issues.push(&format!("/b/{index}"), || "more".to_owned());
        }
        assert!(issues.is_full());
        let told = issues.into_vec();
        assert_eq!(told.len(), 20);
        assert_eq!(told[1].at, IssueAt::Pointer("/a/12".to_owned()));
    }

    #[test]
    fn a_key_becomes_a_step_of_a_pointer() {
        assert_eq!(step("a/b~c"), "a~1b~0c");
    }
}
