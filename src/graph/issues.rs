//! The problems of one definition, gathered so that all are issues at once.
//!
//! What is a problem is decided by `validate` and `definition`.

use crate::error::{Error, Issue, IssueAt, Problem, Result};

/// Problems that one answer tells. 20, as promised on the wire.
const ISSUES_MAX: usize = 20;

/// Problems in the order in which they were found, at most 20, one a place.
#[derive(Debug, Default)]
pub(crate) struct Issues {
    issues: Vec<Issue>,
    /// The problem of each that has one of its own.
    problems: Vec<Option<Problem>>,
}

impl Issues {
    /// Adds a problem, unless the answer is full or the place (or one that holds it) has a problem
    /// already: what is inside something unreadable is only a consequence.
    pub(crate) fn push(&mut self, pointer: &str, detail: impl FnOnce() -> String) {
        self.add(pointer, None, detail);
    }

    /// Adds one that has a problem of its own, under the same conditions.
    pub(crate) fn push_with_problem(&mut self, problem: Problem, pointer: &str, detail: String) {
        self.add(pointer, Some(problem), || detail);
    }

    fn add(&mut self, pointer: &str, problem: Option<Problem>, detail: impl FnOnce() -> String) {
        if !self.is_full() && !self.issues.iter().any(|issue| covers(&issue.at, pointer)) {
            self.issues.push(Issue::pointer(pointer, detail()));
            self.problems.push(problem);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.issues.is_empty()
    }

    /// Whether nothing more will be issues.
    pub(crate) fn is_full(&self) -> bool {
        self.issues.len() >= ISSUES_MAX
    }

    pub(crate) fn into_vec(self) -> Vec<Issue> {
        self.issues
    }

    /// Refuses an input that has issues: with their own problem where all share it, else with
    /// `problem`.
    pub(crate) fn into_result(self, problem: Problem) -> Result<()> {
        let Some(first) = self.problems.first().copied() else {
            return Ok(());
        };
        let is_shared = self.problems.iter().all(|own| *own == first);
        let problem = first.filter(|_| is_shared).unwrap_or(problem);
        Err(Error::invalid(problem, self.issues))
    }
}

fn covers(at: &IssueAt, pointer: &str) -> bool {
    match at {
        IssueAt::Pointer(parent) => pointer
            .strip_prefix(parent.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        IssueAt::Parameter(_) => false,
    }
}

/// A key as a reference_token of a JSON pointer (RFC 6901, section 3).
pub(crate) fn reference_token(key: &str) -> String {
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
        let issues = issues.into_vec();
        assert_eq!(issues.len(), 20);
        assert_eq!(issues[1].at, IssueAt::Pointer("/a/12".to_owned()));
    }

    #[test]
    fn a_problem_that_all_issues_share_is_that_of_the_answer() {
        const PLAIN: Problem = Problem::InvalidField;
        const OWN: Problem = Problem::CronInvalid;
        const OTHER: Problem = Problem::TimezoneUnknown;
        let refused = |pushed: &[Option<Problem>]| {
            let mut issues = Issues::default();
            for (index, own) in pushed.iter().enumerate() {
                match own {
                    Some(own) => {
                        issues.push_with_problem(*own, &format!("/{index}"), "own".to_owned())
                    }
                    None => issues.push(&format!("/{index}"), || "plain".to_owned()),
                }
            }
            let refused = issues.into_result(PLAIN);
            refused.map_err(|error| error.problem())
        };
        assert_eq!(refused(&[]), Ok(()));
        assert_eq!(refused(&[None]), Err(PLAIN));
        assert_eq!(refused(&[Some(OWN)]), Err(OWN));
        assert_eq!(refused(&[Some(OWN), Some(OWN)]), Err(OWN));
        assert_eq!(refused(&[Some(OWN), Some(OTHER)]), Err(PLAIN));
        assert_eq!(refused(&[Some(OWN), None]), Err(PLAIN));
    }

    #[test]
    fn a_key_becomes_a_step_of_a_pointer() {
        assert_eq!(reference_token("a/b~c"), "a~1b~0c");
    }
}
