//! The audit from the host's own code.
//!
//! `engine/audit` decides what is in it.

use chrono::{DateTime, Utc};
use futures_core::future::BoxFuture;

use super::Client;
use super::paging::{PageChoice, page_methods};
use crate::error::Result;
use crate::model::{AuditAction, AuditEntry, AuditSubject, CallerName, Page};
use crate::storage::AuditFilter;

/// The audit of the objects in the scope of a client, from [`Client::audit`].
///
/// Awaiting it returns a page of its entries, newest first. An entry must meet every condition.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::{AuditAction, AuditOutcome};
///
/// let alice = floret.by("alice");
/// alice.pipelines().pause("daily").reason("the source moves").await?;
///
/// let subject = "pipeline:daily".parse()?;
/// let audit = floret.audit().subject(subject).page(10).await?;
/// let entry = &audit.items[0];
/// assert_eq!(entry.action, AuditAction::PipelinePause);
/// assert_eq!(entry.by, Some("alice".into()));
/// assert_eq!(entry.reason.as_deref(), Some("the source moves"));
/// assert_eq!(entry.outcome, AuditOutcome::Done);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Audit {
    client: Client,
    action: Option<AuditAction>,
    by: Option<CallerName>,
    subject: Option<AuditSubject>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    page: PageChoice,
}

impl Client {
    /// Returns the audit of the objects in scope, to be listed: which commands took effect or were
    /// refused by a rule, who gave them, and why.
    ///
    /// A run that was triggered, and one that Floret starts by itself, is not in it: the run has
    /// its trigger, its time and its creator.
    pub fn audit(&self) -> Audit {
        Audit {
            client: self.clone(),
            action: None,
            by: None,
            subject: None,
            from: None,
            to: None,
            page: PageChoice::default(),
        }
    }
}

impl Audit {
    /// Lists only commands that do this.
    pub const fn action(mut self, action: AuditAction) -> Self {
        self.action = Some(action);
        self
    }

    /// Lists only commands of the caller with this name.
    pub fn by(mut self, name: impl Into<CallerName>) -> Self {
        self.by = Some(name.into());
        self
    }

    /// Lists only commands that name this object.
    pub fn subject(mut self, subject: AuditSubject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Lists only commands that were given at or after this time.
    pub const fn from(mut self, from: DateTime<Utc>) -> Self {
        self.from = Some(from);
        self
    }

    /// Lists only commands that were given before this time.
    pub const fn to(mut self, to: DateTime<Utc>) -> Self {
        self.to = Some(to);
        self
    }

    page_methods!();
}

impl IntoFuture for Audit {
    /// A page of the audit, newest first.
    ///
    /// # Errors
    /// - `Malformed` if the cursor is invalid, the page is out of range, or `from` is later than
    ///   `to`.
    /// - `Unavailable`.
    type Output = Result<Page<AuditEntry>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let page = self.page.into_request()?;
            let filter = AuditFilter {
                scope: self.client.scope().clone(),
                action: self.action,
                by: self.by,
                subject: self.subject,
                from: self.from,
                to: self.to,
            };
            self.client.views().list_audit(filter, page).await
        })
    }
}
