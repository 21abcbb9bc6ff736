//! The parameters of a resume: those of the resumed run, and over them the given ones.
//!
//! `param_check` checks the parameters of other new runs.

use std::collections::BTreeMap;

use super::{ResumeDefinition, ResumeRequest};
use crate::engine::Shared;
use crate::engine::secret_params::Owner;
use crate::error::{Error, Issue, IssueLocation, Problem, Result, reference_token};
use crate::graph::{param_defs, sizes};
use crate::model::{DATE_PARAM, ParamDef, Params, Pipeline, Run};

impl Shared {
    /// Returns the parameters of a resume, of which `current` may make some secret, too. On the
    /// current definition, they have the defaults of
    /// parameters that the resumed run does not have.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field` for the date, `params-too-large`, `param-invalid`), and
    /// `Conflict` (`encryption-key-missing`).
    pub(super) fn resume_params(
        &self,
        resume: &ResumeRequest,
        old: &Run,
        definition: &Pipeline,
        current: &[ParamDef],
    ) -> Result<Params> {
        let given = &resume.params;
        let is_current = resume.definition == ResumeDefinition::Current;
        if given.is_empty() && !is_current {
            return self.resealed_params(old, definition, current);
        }
        refuse_date(given)?;
        let repeated = self.repeated_params(old, given.clone(), current)?;
        let mut params = repeated.to_map();
        if !given.is_empty() {
            sizes::check_params(&params, &self.limits)?;
        }
        if is_current && !definition.param_defs.is_empty() {
            params = param_defs::resolve(definition, params);
        }
        let mut issues = self.param_issues(definition, &params, &repeated).into_vec();
        if is_current {
            issues = blame_definition(issues, given);
        }
        if !issues.is_empty() {
            return Err(Error::invalid(Problem::ParamInvalid, issues));
        }
        self.seal_params(definition, Owner::of(old), params, &repeated)
    }
}

impl Shared {
    /// Returns the parameters of a run, with its secrets sealed by the current key of the host.
    ///
    /// # Errors
    /// `Invalid` (`param-invalid`) if a secret cannot be opened.
    fn resealed_params(
        &self,
        old: &Run,
        definition: &Pipeline,
        current: &[ParamDef],
    ) -> Result<Params> {
        let mut secrets = current.iter().filter(|def| def.secret);
        if old.params.sealed().next().is_none() && secrets.next().is_none() {
            return Ok(old.params.clone());
        }
        let repeated = self.repeated_params(old, BTreeMap::new(), current)?;
        self.seal_params(definition, Owner::of(old), repeated.to_map(), &repeated)
    }
}

fn refuse_date(given: &BTreeMap<String, String>) -> Result<()> {
    if !given.contains_key(DATE_PARAM) {
        return Ok(());
    }
    let detail = "a resume has the date of the run that it resumes; a rerun can have another";
    let issues = vec![Issue::pointer("/params/date", detail)];
    Err(Error::invalid(Problem::InvalidField, issues))
}

/// Moves the issues of parameters that the caller has not given to the choice of the definition.
fn blame_definition(issues: Vec<Issue>, given: &BTreeMap<String, String>) -> Vec<Issue> {
    let pointer = |name| format!("/params/{}", reference_token(name));
    let given: Vec<_> = given.keys().map(|name| pointer(name)).collect();
    let is_given = |issue: &Issue| match &issue.location {
        IssueLocation::Pointer(at) => given.contains(at),
        IssueLocation::Parameter(_) => false,
    };
    let blame = |issue: Issue| {
        if is_given(&issue) {
            return issue;
        }
        let detail = issue.detail;
        let detail = format!("the current definition does not take the run: {detail}");
        Issue::pointer("/definition", detail)
    };
    issues.into_iter().map(blame).collect()
}
