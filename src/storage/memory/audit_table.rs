//! The table of the audit: its entries by time and number.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::pages::{cursor, cut_page};
use super::rules;
use crate::error::Result;
use crate::model::{AuditEntry, AuditId, AuditOutcome, Page, PageRequest, TenantId};
use crate::storage::{AuditFilter, NewAudit};

/// The most entries that are kept. 100,000: some ten megabytes, and years of commands of a team.
const ENTRIES_MAX: usize = 100_000;

/// The entries of the audit in the order of lists, the last one first.
#[derive(Default)]
pub(super) struct AuditTable {
    entries: BTreeMap<(DateTime<Utc>, AuditId), AuditEntry>,
    times: BTreeMap<AuditId, DateTime<Utc>>,
    /// The number of the newest entry, even if it was deleted.
    newest: u64,
}

impl AuditTable {
    pub(super) fn add(&mut self, audit: NewAudit, outcome: AuditOutcome, tenant: Option<TenantId>) {
        self.newest = self.newest.saturating_add(1);
        let id = AuditId::new(self.newest);
        let entry = audit.into_entry(id, outcome, tenant);
        self.times.insert(id, entry.at);
        self.entries.insert((entry.at, id), entry);
        if self.entries.len() > ENTRIES_MAX {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        if let Some(((_, id), _)) = self.entries.pop_first() {
            self.times.remove(&id);
        }
    }

    pub(super) fn list(
        &self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditEntry>> {
        let matching = || {
            let newest = self.entries.iter().rev();
            newest.filter(|(_, entry)| filter.admits(entry))
        };
        let total = || matching().count() as u64;
        let after = match cursor(page) {
            None => None,
            Some(text) => {
                let id: AuditId = text.parse().map_err(|_| rules::bad_cursor(text))?;
                let Some(at) = self.times.get(&id) else {
                    return Ok(Page::new(Vec::new(), None, None));
                };
                Some((*at, id))
            }
        };
        let rows = matching().filter(|(key, _)| after.is_none_or(|after| **key < after));
        let rows = rows.map(|((_, id), entry)| (*id, entry.clone()));
        Ok(cut_page(page, total, rows))
    }

    pub(super) fn trim(&mut self, before: DateTime<Utc>, count_max: u32) -> u64 {
        let mut count = 0;
        while count < u64::from(count_max)
            && let Some(((at, _), _)) = self.entries.first_key_value()
            && *at < before
        {
            self.remove_oldest();
            count += 1;
        }
        count
    }
}
