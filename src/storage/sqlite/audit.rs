//! The audit: its entries, which have the step of their command, and the lists of them.
//!
//! Every filter has an index, whose entries are in the order of the list.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use rusqlite::{Row, params};

use super::meta::{meta, next_key};
use super::pages::{Conditions, ListQuery, Window, cursor, wants_total};
use super::reader::Reader;
use super::repair::PUT_META;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{NUMBERS_END, millis, tenant, time, to_i64, to_u64};
use super::{SqliteStorage, rules};
use crate::error::Result;
use crate::model::{
    AuditEntry, AuditId, AuditOutcome, CallerName, Page, PageRequest, Scope, TenantId,
};
use crate::storage::{AuditFilter, Audits, NewAudit, RefusedCommand};

/// The name of the greatest number of a deleted entry, among the stored numbers.
const TRIMMED: &str = "trimmed_audit";

/// The columns of [`read_entry`].
const ENTRY: &str = "key, at, action, subject, caller, reason, problem, tenant";

#[async_trait]
impl Audits for SqliteStorage {
    async fn record_refusal(&self, refused: RefusedCommand) -> Result<()> {
        self.step(move |tx| {
            let RefusedCommand {
                audit,
                problem,
                tenant,
            } = &refused;
            tx.write_audit(audit, Some(problem), tenant.as_ref())
        })
        .await
    }

    async fn list_audit(&self, filter: AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
        self.read(move |reader| reader.snapshot(|reader| reader.audit(&filter, &page)))
            .await
    }

    async fn trim_audit(&self, before: DateTime<Utc>, count_max: u32) -> Result<u64> {
        self.step(move |tx| {
            let oldest = "SELECT at FROM audit INDEXED BY audit_by_time ORDER BY at LIMIT 1";
            let oldest = tx.row(oldest, [], |row| Ok(row.get::<_, i64>(0)?))?;
            if oldest.is_none_or(|at| at >= millis(before)) {
                return Ok(0);
            }
            let newest = tx.next_entry()?.saturating_sub(1);
            tx.write(PUT_META, params![TRIMMED, newest])?;
            let deleted = tx.write(
                "DELETE FROM audit WHERE key IN (SELECT key FROM audit INDEXED BY audit_by_time WHERE at < ? ORDER BY at, key LIMIT ?)",
                params![millis(before), count_max],
            )?;
            Ok(deleted as u64)
        })
        .await
    }
}

impl Tx {
    /// Writes the entry of a command that takes effect in this step, if it has one.
    pub(super) fn audit(
        &mut self,
        audit: Option<&NewAudit>,
        tenant: Option<&TenantId>,
    ) -> Result<(), StoreError> {
        match audit {
            Some(audit) => self.write_audit(audit, None, tenant),
            None => Ok(()),
        }
    }

    fn write_audit(
        &mut self,
        audit: &NewAudit,
        problem: Option<&str>,
        tenant: Option<&TenantId>,
    ) -> Result<(), StoreError> {
        let NewAudit {
            action,
            subject,
            by,
            reason,
            at,
        } = audit;
        let key = self.next_entry()?;
        self.write(
            "INSERT INTO audit (key, at, action, subject, caller, reason, problem, tenant) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                key,
                millis(*at),
                action.as_str(),
                subject.to_string(),
                by.as_ref().map(CallerName::as_str),
                reason,
                problem,
                tenant.map(TenantId::as_str),
            ],
        )?;
        Ok(())
    }

    /// Returns the number of the next entry. A damaged number does not use up those that follow.
    fn next_entry(&self) -> Result<i64, StoreError> {
        let trimmed = meta(&self.conn, TRIMMED);
        let trimmed = self
            .unreadable
            .skip("a stored number", TRIMMED, trimmed)?
            .unwrap_or(0);
        Ok(next_key(&self.conn, "audit", NUMBERS_END)?.max(trimmed + 1))
    }
}

impl Reader {
    fn audit(
        &self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditEntry>, StoreError> {
        let mut conditions = conditions(filter);
        let tables = format!("audit INDEXED BY {}", index(filter));
        let total = wants_total(page)
            .then(|| self.count(&tables, &conditions))
            .transpose()?;
        if let Some(text) = cursor(page) {
            let id: AuditId = text.parse().map_err(|_| rules::bad_cursor(text))?;
            let Some(at) = self.audit_time(id)? else {
                return Ok(Page::new(Vec::new(), None, None));
            };
            let position = [at, to_i64(id.number())].map(Value::Integer);
            conditions.add("(at, key) < (?, ?)", position);
        }
        let query = ListQuery {
            what: "an entry of the audit",
            sql: format!(
                "SELECT {ENTRY} FROM {tables}{} ORDER BY at DESC, key DESC",
                conditions.sql()
            ),
            complete: str::to_owned,
            values: conditions.values(),
            window: Window::new(page),
            total,
        };
        self.page(&query, read_entry, |entry| entry.id.to_string())
    }

    /// Returns the time of an entry, unless it was deleted.
    fn audit_time(&self, id: AuditId) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT at FROM audit WHERE key = ?";
        self.row(sql, [to_i64(id.number())], |row| Ok(row.get(0)?))
    }
}

/// Returns the index by which a list finds its entries.
fn index(filter: &AuditFilter) -> &'static str {
    let is_of_all = filter.scope == Scope::All;
    match filter {
        AuditFilter {
            subject: Some(_), ..
        } if is_of_all => "audit_of_subject",
        AuditFilter {
            subject: Some(_), ..
        } => "audit_of_tenant_subject",
        AuditFilter { by: Some(_), .. } if is_of_all => "audit_of_caller",
        AuditFilter { by: Some(_), .. } => "audit_of_tenant_caller",
        AuditFilter {
            action: Some(_), ..
        } if is_of_all => "audit_of_action",
        AuditFilter {
            action: Some(_), ..
        } => "audit_of_tenant_action",
        _ if is_of_all => "audit_by_time",
        _ => "audit_of_tenant",
    }
}

fn conditions(filter: &AuditFilter) -> Conditions {
    let AuditFilter {
        scope,
        action,
        by,
        subject,
        from,
        to,
    } = filter;
    let mut conditions = Conditions::default();
    conditions.add_scope("tenant", scope);
    let texts = [
        ("action", action.map(|action| action.as_str().to_owned())),
        ("caller", by.as_ref().map(CallerName::to_string)),
        ("subject", subject.as_ref().map(ToString::to_string)),
    ];
    for (column, text) in texts {
        if let Some(text) = text {
            conditions.add(&format!("{column} = ?"), [Value::Text(text)]);
        }
    }
    if let Some(from) = from {
        conditions.add("at >= ?", [Value::Integer(millis(*from))]);
    }
    if let Some(to) = to {
        conditions.add("at < ?", [Value::Integer(millis(*to))]);
    }
    conditions
}

/// Reads the columns [`ENTRY`].
fn read_entry(row: &Row<'_>) -> Result<AuditEntry, StoreError> {
    let text = |column| -> Result<String, StoreError> { Ok(row.get(column)?) };
    let unreadable = |error| StoreError::unreadable("an entry of the audit", error);
    let audit = NewAudit {
        by: row.get::<_, Option<String>>(4)?.map(CallerName::from),
        reason: row.get(5)?,
        ..NewAudit::new(
            text(2)?.parse().map_err(unreadable)?,
            text(3)?.parse().map_err(unreadable)?,
            time(row.get(1)?)?,
        )
    };
    let problem: Option<String> = row.get(6)?;
    let outcome = problem.map_or(AuditOutcome::Done, AuditOutcome::Refused);
    let id = AuditId::new(to_u64(row.get(0)?));
    Ok(audit.into_entry(id, outcome, tenant(row.get(7)?)?))
}
