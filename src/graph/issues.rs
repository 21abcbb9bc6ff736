//! Collects the issues of one input, for an error that reports all of them.
//!
//! `fields`, `rules`, `validate` and `policy` find the issues. [`Error::invalid`] makes the error.

use crate::error::{Error, Issue, IssueLocation, Problem, Result};

/// The largest number of issues in one error. The wire contract promises 20.
pub(crate) const ISSUES_MAX: usize = 20;

/// The issues in the order in which they were found: at most 20, and at most one per JSON pointer.
#[derive(Debug, Default)]
pub(crate) struct Issues {
    issues: Vec<Issue>,
    /// The problem of each issue that has one of its own.
    problems: Vec<Option<Problem>>,
}

impl Issues {
    /// Adds an issue at a JSON pointer.
    ///
    /// Does nothing if the collection is full. Also does nothing if the pointer or one of its
    /// parents already has an issue, because the new issue is only a consequence of that one.
    pub(crate) fn push(&mut self, pointer: &str, detail: impl FnOnce() -> String) {
        self.add(pointer, None, detail);
    }

    /// Adds an issue with a problem of its own, under the same conditions as [`Issues::push`].
    pub(crate) fn push_with_problem(&mut self, problem: Problem, pointer: &str, detail: String) {
        self.add(pointer, Some(problem), || detail);
    }

    fn add(&mut self, pointer: &str, problem: Option<Problem>, detail: impl FnOnce() -> String) {
        if !self.is_full()
            && !self
                .issues
                .iter()
                .any(|issue| covers(&issue.location, pointer))
        {
            self.issues.push(Issue::pointer(pointer, detail()));
            self.problems.push(problem);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.issues.is_empty()
    }

    /// Returns whether the collection takes no more issues.
    pub(crate) fn is_full(&self) -> bool {
        self.issues.len() >= ISSUES_MAX
    }

    pub(crate) fn into_vec(self) -> Vec<Issue> {
        self.issues
    }

    /// Returns `Ok` if there is no issue.
    ///
    /// # Errors
    /// `Invalid` with all issues. If every issue has the same problem of its own, the error has
    /// that problem, otherwise `problem`.
    pub(crate) fn into_result(self, problem: Problem) -> Result<()> {
        let Some(first) = self.problems.first().copied() else {
            return Ok(());
        };
        let is_shared = self.problems.iter().all(|own| *own == first);
        let problem = first.filter(|_| is_shared).unwrap_or(problem);
        Err(Error::invalid(problem, self.issues))
    }
}

fn covers(at: &IssueLocation, pointer: &str) -> bool {
    match at {
        IssueLocation::Pointer(parent) => pointer
            .strip_prefix(parent.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        IssueLocation::Parameter(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_issue_per_pointer_and_twenty_in_total_are_kept() {
        let mut issues = Issues::default();
        issues.push("/a/1", || "first".to_owned());
        issues.push("/a/1", || "again".to_owned());
        issues.push("/a/1/b", || "inside".to_owned());
        issues.push("/a/12", || "another pointer".to_owned());
        for index in 0..30 {
            issues.push(&format!("/b/{index}"), || "more".to_owned());
        }
        assert!(issues.is_full());
        let issues = issues.into_vec();
        assert_eq!(issues.len(), 20);
        assert_eq!(
            issues[1].location,
            IssueLocation::Pointer("/a/12".to_owned())
        );
    }

    #[test]
    fn a_problem_that_all_issues_share_becomes_the_problem_of_the_error() {
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
}
