//! The audit: entries of commands that took effect, and of those that a rule has refused.
//!
//! The request of a command has its entry in a field `audit`, so that storage writes both in one
//! step. The engine decides which commands have one.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::model::{
    AuditAction, AuditEntry, AuditId, AuditOutcome, AuditSubject, CallerName, Page, PageRequest,
    Scope, TenantId,
};

/// The entry of a command that is given to storage. It gets the tenant of its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewAudit {
    /// What the command does.
    pub action: AuditAction,
    /// The object that it names.
    pub subject: AuditSubject,
    /// Who gives it, if the host knows the caller.
    pub by: Option<CallerName>,
    /// Why, in the words of the caller.
    pub reason: Option<String>,
    /// The time of the command.
    pub at: DateTime<Utc>,
}

impl NewAudit {
    /// Creates an entry without a caller and without a reason.
    #[must_use]
    pub const fn new(action: AuditAction, subject: AuditSubject, at: DateTime<Utc>) -> Self {
        Self {
            action,
            subject,
            by: None,
            reason: None,
            at,
        }
    }

    /// Returns the stored entry: this one with what storage adds.
    #[must_use]
    pub fn into_entry(
        self,
        id: AuditId,
        outcome: AuditOutcome,
        tenant: Option<TenantId>,
    ) -> AuditEntry {
        let Self {
            action,
            subject,
            by,
            reason,
            at,
        } = self;
        AuditEntry {
            by,
            reason,
            outcome,
            tenant,
            ..AuditEntry::new(id, action, subject, at)
        }
    }
}

/// A command that a rule has refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedCommand {
    /// The command.
    pub audit: NewAudit,
    /// The slug of the problem.
    pub problem: String,
    /// The tenant of its subject, if any.
    pub tenant: Option<TenantId>,
}

impl RefusedCommand {
    /// Creates the refusal of a command whose subject has no tenant.
    #[must_use]
    pub fn new(audit: NewAudit, problem: impl Into<String>) -> Self {
        Self {
            audit,
            problem: problem.into(),
            tenant: None,
        }
    }
}

/// The conditions that every entry of a list meets.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AuditFilter {
    /// The scope of the caller.
    pub scope: Scope,
    /// Only commands that do this.
    pub action: Option<AuditAction>,
    /// Only commands of this caller.
    pub by: Option<CallerName>,
    /// Only commands that name this object.
    pub subject: Option<AuditSubject>,
    /// Only entries from this time on.
    pub from: Option<DateTime<Utc>>,
    /// Only entries before this time.
    pub to: Option<DateTime<Utc>>,
}

impl AuditFilter {
    /// Returns whether an entry meets all conditions.
    #[must_use]
    pub fn admits(&self, entry: &AuditEntry) -> bool {
        let Self {
            scope,
            action,
            by,
            subject,
            from,
            to,
        } = self;
        scope.admits(entry.tenant.as_ref())
            && action.is_none_or(|action| action == entry.action)
            && (by.is_none() || *by == entry.by)
            && subject
                .as_ref()
                .is_none_or(|subject| *subject == entry.subject)
            && from.is_none_or(|from| entry.at >= from)
            && to.is_none_or(|to| entry.at < to)
    }
}

/// Records refused commands, lists the entries of the audit, and deletes old ones.
///
/// A command whose request has an entry MUST be in the audit if and only if it took effect, also
/// after the storage was opened again. It has taken effect if its method returns no error, unless
/// the request is a preview, creates no run, or repeats an earlier one with its idempotency key.
#[async_trait]
pub trait Audits: Send + Sync + 'static {
    /// Stores the entry of a command that a rule has refused.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn record_refusal(&self, refused: RefusedCommand) -> Result<()>;

    /// Returns a page of entries, in descending order of their time, then of their id.
    ///
    /// The time is that of the command, which is earlier than its step, so that an entry with a
    /// greater id may have an earlier time. A caller that follows the list reads it again from some
    /// minutes before the newest entry that it has, and leaves out the ids that it knows.
    ///
    /// - An entry MUST have a greater id than all that were stored before it, also those that were
    ///   deleted.
    /// - An entry of another tenant MUST look absent.
    ///
    /// A cursor is the id of an entry. After an entry that was deleted, nothing follows: each
    /// earlier one was deleted, too.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`): the cursor is not the id of an entry.
    async fn list_audit(&self, filter: AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>>;

    /// Deletes entries that are older than `before`, the oldest first, and at most `count_max`.
    /// Returns how many were deleted.
    ///
    /// # Errors
    /// `Unavailable`. In that case, nothing was deleted.
    async fn trim_audit(&self, before: DateTime<Utc>, count_max: u32) -> Result<u64>;
}
