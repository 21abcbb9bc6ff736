//! The audit of the commands that people give: their entries, which take effect with them, and the
//! refusals by a rule.
//!
//! Storage writes the entry of a command in its step. What the engine does by itself has none, nor
//! has a trigger: the run has its trigger, its time and its creator.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::note::check_reason;
use super::{Engine, Shared};
use crate::error::{Error, Problem, Result, log};
use crate::model::{
    AuditAction, AuditSubject, BackfillId, CallerName, ConnectionId, DeliveryId, PageRequest,
    RunId, Scope, TenantId, VariableKey,
};
use crate::storage::{BackfillFilter, NewAudit, RefusedCommand, RunFilter};

/// A page for one item.
const ONE: PageRequest = PageRequest::Newest { limit: 1 };

/// The author of a command: who gives it, and the objects that it reaches.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    pub(crate) scope: Scope,
    pub(crate) by: Option<CallerName>,
}

/// A command, as the audit shows it.
#[derive(Debug, Clone)]
pub(super) struct Audited {
    action: AuditAction,
    named: Named,
    author: Author,
    reason: Option<String>,
}

/// The object of a command, as its caller names it.
#[derive(Debug, Clone)]
pub(super) enum Named {
    /// A pipeline, by its id or slug.
    Pipeline(String),
    Run(RunId),
    Backfill(BackfillId),
    Connection(String),
    Variable(String),
    Delivery(String),
    System,
}

impl Audited {
    pub(super) const fn new(action: AuditAction, named: Named, author: Author) -> Self {
        Self {
            action,
            named,
            author,
            reason: None,
        }
    }

    /// Adds the reason of the caller, if it gives one.
    pub(super) fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason.filter(|reason| !reason.is_empty());
        self
    }

    /// Returns the entry of the command, once its object is found.
    pub(super) fn entry(&self, subject: AuditSubject, at: DateTime<Utc>) -> NewAudit {
        let mut entry = NewAudit::new(self.action, subject, at);
        entry.by.clone_from(&self.author.by);
        entry.reason.clone_from(&self.reason);
        entry
    }
}

impl Engine {
    /// Executes a command of a person, and records it if a rule refuses it. The command records
    /// itself if it takes effect.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) if the reason is too long, and those of [`Engine::command`].
    pub(super) async fn audited<T, F>(
        &self,
        audited: Audited,
        command: impl FnOnce(Arc<Shared>, Audited) -> F + Send,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        check_reason(audited.reason.as_deref())?;
        self.command(|shared| {
            let command = command(Arc::clone(&shared), audited.clone());
            async move {
                let answer = command.await;
                if let Err(refused) = &answer {
                    shared.record_refusal(&audited, refused).await;
                }
                answer
            }
        })
        .await
    }
}

impl Shared {
    /// Records a command that a rule has refused. The caller gets its refusal in any case.
    async fn record_refusal(&self, audited: &Audited, refused: &Error) {
        if !is_refusal_by_a_rule(refused.problem()) {
            return;
        }
        if let Err(error) = self.store_refusal(audited, refused.problem()).await {
            let action = audited.action;
            log::error!(%error, %action, "a refused command is missing in the audit");
        }
    }

    async fn store_refusal(&self, audited: &Audited, problem: Problem) -> Result<()> {
        let Some((subject, tenant)) = self.find_subject(audited).await? else {
            return Ok(());
        };
        let entry = audited.entry(subject, self.clock.now());
        let mut refused = RefusedCommand::new(entry, problem.on_wire().slug());
        refused.tenant = tenant;
        self.storage.record_refusal(refused).await
    }

    /// Returns the object of a command with its tenant, if it exists in the scope of the author.
    async fn find_subject(
        &self,
        audited: &Audited,
    ) -> Result<Option<(AuditSubject, Option<TenantId>)>> {
        let scope = &audited.author.scope;
        Ok(match &audited.named {
            Named::Pipeline(key) => {
                let found = self.storage.find_pipeline(key, scope).await?;
                found.map(|found| (AuditSubject::Pipeline(found.id), found.tenant))
            }
            Named::Run(id) => {
                let mut filter = RunFilter::default();
                (filter.scope, filter.run) = (scope.clone(), Some(*id));
                let found = self.storage.list_runs(filter, ONE).await?.items.pop();
                found.map(|found| (AuditSubject::Run(*id), found.tenant))
            }
            Named::Backfill(id) => {
                let mut filter = BackfillFilter::default();
                (filter.scope, filter.backfill) = (scope.clone(), Some(*id));
                let found = self.storage.list_backfills(filter, ONE).await?.items.pop();
                found.map(|found| (AuditSubject::Backfill(*id), found.tenant))
            }
            Named::Connection(id) => {
                let Ok(id) = ConnectionId::new(id) else {
                    return Ok(None);
                };
                let found = self.storage.find_connection(&id, scope).await?;
                found.map(|found| (AuditSubject::Connection(id), found.tenant))
            }
            Named::Variable(key) => {
                let Ok(key) = VariableKey::new(key) else {
                    return Ok(None);
                };
                let keys = std::slice::from_ref(&key);
                let found = self.storage.find_variables(keys, scope).await?.pop();
                found.map(|found| (AuditSubject::Variable(key), found.tenant))
            }
            Named::Delivery(id) => {
                let Ok(id) = id.parse::<DeliveryId>() else {
                    return Ok(None);
                };
                let found = self.storage.find_delivery(&id, scope).await?;
                found.map(|found| (AuditSubject::Delivery(id), found.tenant))
            }
            Named::System => Some((AuditSubject::System, scope.tenant().cloned())),
        })
    }
}

/// Returns whether a well-formed command on an object that exists was refused by a rule.
///
/// A name that stands for the objects of several tenants names none.
const fn is_refusal_by_a_rule(problem: Problem) -> bool {
    const CONFLICT: u16 = 409;
    const PRECONDITION_FAILED: u16 = 412;
    let is_refusal = matches!(problem.status(), CONFLICT | PRECONDITION_FAILED);
    is_refusal && !matches!(problem, Problem::TenantRequired)
}
