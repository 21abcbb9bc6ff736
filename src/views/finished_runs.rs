//! The documents of finished runs that callers have read, as long as no finished run has
//! changed since.
//!
//! Only a purge and an edit change one, so that its bytes are made once. `storage` says whether one
//! may have.

use std::fmt;

use parking_lot::RwLock;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use super::tagged_json::TaggedJson;
use crate::model::{RunId, Scope, TenantId};
use crate::storage::Unchanged;

/// The bytes that an entry takes beside its document: keys, pointers, the tag.
const ENTRY_BYTES: u64 = 256;

/// The entries to expect. It decides only how many dropped ones are remembered.
const ENTRIES: usize = 1_000;

/// The documents of finished runs, bounded by bytes. The least recently used ones go first.
pub(super) struct FinishedRuns(RwLock<Cache<RunId, FinishedRun, DocumentBytes>>);

/// A finished run as it was read.
#[derive(Debug, Clone)]
pub(super) struct FinishedRun {
    pub(super) tenant: Option<TenantId>,
    pub(super) document: TaggedJson,
    pub(super) unchanged: Unchanged,
}

#[derive(Clone)]
struct DocumentBytes;

impl Weighter<RunId, FinishedRun> for DocumentBytes {
    fn weight(&self, _: &RunId, run: &FinishedRun) -> u64 {
        ENTRY_BYTES.saturating_add(run.document.json.len() as u64)
    }
}

impl FinishedRuns {
    pub(super) fn new(bytes_max: usize) -> Self {
        let cache = Cache::with_weighter(ENTRIES, bytes_max as u64, DocumentBytes);
        Self(RwLock::new(cache))
    }

    /// Returns a run that was read before, if it is in the scope and certainly still stored.
    pub(super) fn find(&self, id: RunId, scope: &Scope) -> Option<TaggedJson> {
        let runs = self.0.read();
        let run = runs.get(&id)?;
        let is_found = scope.admits(run.tenant.as_ref()) && run.unchanged.holds();
        is_found.then(|| run.document.clone())
    }

    /// Keeps a run, unless a change began since it was read.
    pub(super) fn add(&self, id: RunId, run: FinishedRun) {
        if run.unchanged.holds() {
            self.0.write().insert(id, run);
        }
    }
}

impl fmt::Debug for FinishedRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinishedRuns").finish_non_exhaustive()
    }
}
