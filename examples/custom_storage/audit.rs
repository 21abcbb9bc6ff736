//! The audit: the entries of commands, and their lists.
//!
//! Each step of a command that takes effect adds its entry to the same copy of the rows.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use floret::storage::{AuditFilter, Audits, NewAudit, RefusedCommand};
use floret::{AuditEntry, AuditId, AuditOutcome, PageRequest, Result, TenantId};

use crate::audited::AuditedStorage;
use crate::pages::{Page, page};
use crate::rows::Rows;

impl Rows {
    /// Adds the entry of a command that takes effect, if it has one.
    pub(crate) fn audit(&mut self, audit: Option<&NewAudit>, tenant: Option<&TenantId>) {
        if let Some(audit) = audit {
            self.add_entry(audit.clone(), AuditOutcome::Done, tenant.cloned());
        }
    }

    fn add_entry(&mut self, audit: NewAudit, outcome: AuditOutcome, tenant: Option<TenantId>) {
        self.audit_number = self.audit_number.saturating_add(1);
        let id = AuditId::new(self.audit_number);
        self.audits
            .insert(id, audit.into_entry(id, outcome, tenant));
    }
}

#[async_trait]
impl Audits for AuditedStorage {
    async fn record_refusal(&self, refused: RefusedCommand) -> Result<()> {
        self.write("record_refusal", |rows| {
            let outcome = AuditOutcome::Refused(refused.problem);
            rows.add_entry(refused.audit, outcome, refused.tenant);
            Ok(())
        })
    }

    async fn list_audit(
        &self,
        filter: AuditFilter,
        request: PageRequest,
    ) -> Result<Page<AuditEntry>> {
        self.read(|rows| {
            let key = |entry: &AuditEntry| (entry.at, entry.id);
            let wanted = rows.audits.values().filter(|entry| filter.admits(entry));
            let items = wanted.map(|entry| (key(entry), entry.clone())).collect();
            page(
                items,
                &request,
                |cursor| {
                    let id: AuditId = cursor.parse().ok()?;
                    // Nothing follows after an entry that was deleted.
                    let oldest = (DateTime::<Utc>::MIN_UTC, AuditId::new(0));
                    Some(rows.audits.get(&id).map_or(oldest, key))
                },
                |(_, id)| id.to_string(),
            )
        })?
    }

    async fn trim_audit(&self, before: DateTime<Utc>, count_max: u32) -> Result<u64> {
        self.write("trim_audit", |rows| {
            let old = rows.audits.values().filter(|entry| entry.at < before);
            let mut old: Vec<_> = old.map(|entry| (entry.at, entry.id)).collect();
            old.sort_unstable();
            old.truncate(usize::try_from(count_max).unwrap_or(usize::MAX));
            for (_, id) in &old {
                rows.audits.remove(id);
            }
            Ok(old.len() as u64)
        })
    }
}
