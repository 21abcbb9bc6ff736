//! The backend in memory: for tests, for pipelines that may be lost with the process, and as the
//! specification that a durable backend must agree with.
//!
//! What all backends decide in the same way is in `rules`.

mod audit;
mod audit_table;
mod backfill_pauses;
mod backfills;
mod cancel;
mod code_saves;
mod connections;
mod cursor_table;
mod deliveries;
mod dependencies;
mod event_log;
mod events;
mod figures;
mod finish;
mod idempotency;
mod index;
mod journal;
mod key_table;
mod keys;
mod labels;
mod lane;
mod node_runs;
mod options;
mod outputs;
mod pages;
mod pipeline_table;
mod pipelines;
mod purge;
mod qualified;
mod queue;
mod resume;
mod rows;
mod run_list;
mod runs;
mod schedules;
mod settings;
mod slugs;
mod state;
mod system;
mod variables;
mod versions;
mod waiting;

use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

pub use self::options::MemoryOptions;

use self::state::State;
use super::rules;
use crate::error::Result;

/// A storage that lives as long as the process. Its clones share all data.
///
/// ```
/// use floret::storage::{MemoryOptions, MemoryStorage};
/// let storage = MemoryStorage::new(MemoryOptions::default().runs_max(100));
/// let same = storage.clone();
/// # drop((storage, same));
/// ```
#[derive(Clone, Default)]
pub struct MemoryStorage(Arc<Shared>);

// One lock for all tables: a step touches most of them, takes microseconds, and never waits while
// it holds the lock.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage").finish_non_exhaustive()
    }
}

impl MemoryStorage {
    /// Makes an empty storage.
    #[must_use]
    pub fn new(options: MemoryOptions) -> Self {
        let state = State::new(options);
        Self(Arc::new(Shared {
            state: Mutex::new(state),
        }))
    }

    /// Releases the claims of all owners and drops the chunks that no entry named, as a durable
    /// backend does when a new process opens it.
    #[cfg(test)]
    pub(in crate::storage) fn restart(&self) {
        for row in self.0.state.lock().runs.values_mut() {
            row.claim.owner = None;
            row.staged.clear();
        }
    }

    /// Locks the state. Refuses once the storage is closed.
    fn state(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.0.state.lock();
        if state.is_closed {
            return Err(rules::shutting_down());
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
