//! The audit of a storage that fails on cue.
//!
//! How a call fails is left to `faulty_storage`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{FaultyStorage, Method};
use crate::error::Result;
use crate::model::{AuditEntry, Page, PageRequest};
use crate::storage::{AuditFilter, Audits, RefusedCommand};

#[async_trait]
impl Audits for FaultyStorage {
    async fn record_refusal(&self, refused: RefusedCommand) -> Result<()> {
        self.intercept(Method::RecordRefusal, self.inner.record_refusal(refused))
            .await
    }

    async fn list_audit(&self, filter: AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
        self.intercept(Method::ListAudit, self.inner.list_audit(filter, page))
            .await
    }

    async fn trim_audit(&self, before: DateTime<Utc>, count_max: u32) -> Result<u64> {
        self.intercept(Method::TrimAudit, self.inner.trim_audit(before, count_max))
            .await
    }
}
