//! The audit: what a command adds to it, and its lists.
//!
//! The table is left to `audit_table`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStorage;
use super::state::State;
use crate::error::Result;
use crate::model::{AuditEntry, AuditOutcome, Page, PageRequest, TenantId};
use crate::storage::{AuditFilter, Audits, NewAudit, RefusedCommand};

impl State {
    /// Stores the entry of a command that takes effect, if it has one.
    pub(super) fn audit(&mut self, audit: Option<NewAudit>, tenant: Option<&TenantId>) {
        if let Some(audit) = audit {
            self.audits.add(audit, AuditOutcome::Done, tenant.cloned());
        }
    }
}

#[async_trait]
impl Audits for MemoryStorage {
    async fn record_refusal(&self, refused: RefusedCommand) -> Result<()> {
        let RefusedCommand {
            audit,
            problem,
            tenant,
        } = refused;
        let outcome = AuditOutcome::Refused(problem);
        self.state()?.audits.add(audit, outcome, tenant);
        Ok(())
    }

    async fn list_audit(&self, filter: AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
        self.state()?.audits.list(&filter, &page)
    }

    async fn trim_audit(&self, before: DateTime<Utc>, count_max: u32) -> Result<u64> {
        Ok(self.state()?.audits.trim(before, count_max))
    }
}
