//! The problems of one definition, gathered so that all are told at once.
//!
//! What is a problem is decided by `validate` and `definition`.

use crate::error::{Error, Issue, IssueAt, Result};

/// Problems that one answer tells. 20, as promised on the wire.
const ISSUES_MAX: usize = 20;

/// Problems in the order in which they were found, at most 20, one a place.
#[derive(Debug, Default)]
pub(crate) struct Issues {
    told: Vec<Issue>,
    /// The slug of each that has one of its own.
    slugs: Vec<Option<&'static str>>,
}

impl Issues {
    /// Adds a problem, unless the answer is full or the place (or one that holds it) has a problem
    /// already: what is inside something unreadable is only a consequence.
    pub(crate) fn push(&mut self, pointer: &str, detail: impl FnOnce() -> String) {
        self.add(pointer, None, detail);
    }

    /// The same for a problem that has a slug of its own.
    pub(crate) fn push_as(&mut self, slug: &'static str, pointer: &str, detail: String) {
        self.add(pointer, Some(slug), || detail);
    }

    fn add(&mut self, pointer: &str, slug: Option<&'static str>, detail: impl FnOnce() -> String) {
        if !self.is_full() && !self.told.iter().any(|issue| covers(&issue.at, pointer)) {
            self.told.push(Issue::pointer(pointer, detail()));
            self.slugs.push(slug);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Whether nothing more will be told.
    pub(crate) fn is_full(&self) -> bool {
        self.told.len() >= ISSUES_MAX
    }

    pub(crate) fn into_vec(self) -> Vec<Issue> {
        self.told
    }

    /// Refuses an input that has problems: with their own slug where all have the same, else with
    /// `slug`.
    pub(crate) fn refuse(self, slug: &'static str) -> Result<()> {
        let Some(first) = self.slugs.first().copied() else {
            return Ok(());
        };
        let is_shared = self.slugs.iter().all(|own| *own == first);
        let slug = first.filter(|_| is_shared).unwrap_or(slug);
        Err(Error::invalid(slug, self.told))
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
    fn a_slug_that_all_problems_have_is_that_of_the_answer() {
        let slug = |pushed: &[Option<&'static str>]| {
            let mut issues = Issues::default();
            for (index, own) in pushed.iter().enumerate() {
                match own {
                    Some(own) => issues.push_as(own, &format!("/{index}"), "own".to_owned()),
                    None => issues.push(&format!("/{index}"), || "plain".to_owned()),
                }
            }
            issues.refuse("plain").map_err(|error| error.slug())
        };
        assert_eq!(slug(&[]), Ok(()));
        assert_eq!(slug(&[None]), Err("plain"));
        assert_eq!(slug(&[Some("a")]), Err("a"));
        assert_eq!(slug(&[Some("a"), Some("a")]), Err("a"));
        assert_eq!(slug(&[Some("a"), Some("b")]), Err("plain"));
        assert_eq!(slug(&[Some("a"), None]), Err("plain"));
    }

    #[test]
    fn a_key_becomes_a_step_of_a_pointer() {
        assert_eq!(step("a/b~c"), "a~1b~0c");
    }
}
