//! Deliveries: cursors claimed, and progress and parked events stored.
//!
//! The table is left to `cursor_table`.

use async_trait::async_trait;

use super::MemoryStorage;
use super::state::State;
use crate::error::Result;
use crate::model::Scope;
use crate::storage::{ClaimCursors, Cursors, Deliveries, PutDeliveries};

impl State {
    fn put_deliveries(&mut self, put: PutDeliveries) {
        let runs = &self.runs;
        self.cursors.put(put, |run| runs.contains_key(&run));
    }

    /// Counts the dead letters of runs in scope.
    pub(super) fn dead_letter_count(&self, scope: &Scope) -> u64 {
        let dead = self.cursors.dead();
        dead.filter(|dead| self.run(dead.run, scope).is_some())
            .count() as u64
    }
}

#[async_trait]
impl Deliveries for MemoryStorage {
    async fn claim_cursors(&self, claim: ClaimCursors) -> Result<Cursors> {
        let mut state = self.state()?;
        let newest = state.events.newest();
        Ok(state.cursors.claim(&claim, newest))
    }

    async fn put_deliveries(&self, put: PutDeliveries) -> Result<()> {
        self.state()?.put_deliveries(put);
        Ok(())
    }
}
