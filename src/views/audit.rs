//! The audit as callers see it.
//!
//! `engine/audit` decides what is in it.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::Views;
use super::pages::Listed;
use crate::error::{Error, Problem, Result};
use crate::model::{
    AuditEntry, AuditOutcome, AuditSubject, CallerName, Page, PageRequest, PipelineId, Scope,
    TenantId, rfc3339,
};
use crate::storage::AuditFilter;

impl Listed for AuditEntry {
    fn cursor(&self) -> String {
        self.id.to_string()
    }
}

impl Views {
    /// Returns a page of the audit, newest first.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if the cursor is invalid, or `from` is later than `to`;
    /// `Unavailable`.
    pub(crate) async fn list_audit(
        &self,
        mut filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>> {
        if let (Some(from), Some(to)) = (filter.from, filter.to)
            && from > to
        {
            let detail = "must not be later than to";
            return Err(Error::invalid_parameter("from", detail));
        }
        if let Some(AuditSubject::Pipeline(key)) = &filter.subject {
            let key = self.audited_pipeline(key, &filter.scope).await?;
            filter.subject = Some(AuditSubject::Pipeline(key));
        }
        self.storage.list_audit(filter, page).await
    }

    /// Returns the id that entries of a pipeline have, of which the caller may know the slug. One
    /// that was deleted, or whose name several tenants have, is found by its id alone.
    async fn audited_pipeline(&self, key: &PipelineId, scope: &Scope) -> Result<PipelineId> {
        match self.storage.find_pipeline(key.as_str(), scope).await {
            Ok(found) => Ok(found.map_or_else(|| key.clone(), |found| found.id)),
            Err(error) if error.problem() == Problem::TenantRequired => Ok(key.clone()),
            Err(error) => Err(error),
        }
    }
}

/// What became of a command.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "AuditOutcome"))]
#[serde(rename_all = "lowercase")]
enum OutcomeWord {
    Done,
    Refused,
}

#[derive(Debug, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "AuditEntry",
        description = "A command that took effect, or that a rule has refused."
    )
)]
struct EntryBody<'a> {
    /// The number of the entry.
    id: String,
    /// When the command was given.
    #[serde(serialize_with = "rfc3339::serialize")]
    at: DateTime<Utc>,
    /// Who gave it. Absent if the host does not know the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a CallerName>,
    /// What it does, such as run.cancel.
    action: &'static str,
    /// The object that it names: its kind and its id, such as pipeline:orders.
    subject: String,
    /// Why, in the words of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    outcome: OutcomeWord,
    /// The slug of the problem, if the command was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a TenantId>,
}

impl Serialize for AuditEntry {
    /// Writes the entry as the API shows it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            id,
            at,
            by,
            action,
            subject,
            reason,
            outcome,
            tenant,
        } = self;
        let (outcome, problem) = match outcome {
            AuditOutcome::Done => (OutcomeWord::Done, None),
            AuditOutcome::Refused(problem) => (OutcomeWord::Refused, Some(problem.as_str())),
        };
        let body = EntryBody {
            id: id.to_string(),
            at: *at,
            by: by.as_ref(),
            action: action.as_str(),
            subject: subject.to_string(),
            reason: reason.as_deref(),
            outcome,
            problem,
            tenant: tenant.as_ref(),
        };
        body.serialize(serializer)
    }
}

#[cfg(test)]
schema_of! { AuditEntry => EntryBody<'static> }
