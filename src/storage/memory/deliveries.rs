//! Deliveries: cursors claimed, progress stored, parked events listed and changed.
//!
//! The table is left to `cursor_table`.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::pages::{cursor, cut_page};
use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::{Error, Result};
use crate::model::{DeliveryId, Page, PageRequest, Scope};
use crate::storage::{
    ChangeDeadLetter, ClaimCursors, Cursors, DeadLetterAction, Deliveries, DeliveryFilter,
    ParkedDelivery, ParkedEvent, PutDeliveries,
};

impl State {
    fn put_deliveries(&mut self, put: PutDeliveries) {
        let runs = &self.runs;
        self.cursors.put(put, |run| runs.contains_key(&run));
    }

    /// Returns a parked event with the pipeline of its run, if that is in scope.
    fn parked_delivery(
        &self,
        notifier: &str,
        event: &ParkedEvent,
        scope: &Scope,
    ) -> Option<ParkedDelivery> {
        let run = &self.run(event.run, scope)?.run;
        let pipeline = run.pipeline_id.clone();
        Some(ParkedDelivery {
            tenant: run.tenant.clone(),
            ..ParkedDelivery::new(notifier.to_owned(), pipeline, event.clone())
        })
    }

    fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: &PageRequest,
    ) -> Result<Page<ParkedDelivery>> {
        let before: Option<DeliveryId> = match cursor(page) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| rules::bad_cursor(text))?),
        };
        let seen = self.cursors.parked();
        let seen =
            seen.filter_map(|(name, event)| self.parked_delivery(name, event, &filter.scope));
        let wanted = seen.filter(|it| filter.state.is_none_or(|state| state == it.state()));
        let wanted: BTreeMap<_, _> = wanted.map(|it| (it.id(), it)).collect();
        let total = wanted.len() as u64;
        let rows = wanted.into_iter().rev();
        let after = rows.skip_while(|(id, _)| before.as_ref().is_some_and(|before| id >= before));
        Ok(cut_page(page, || total, after))
    }

    fn find_delivery(&self, id: &DeliveryId, scope: &Scope) -> Option<ParkedDelivery> {
        let event = self.cursors.find(id)?;
        self.parked_delivery(&id.notifier, &event, scope)
    }

    fn change_dead_letter(&mut self, change: &ChangeDeadLetter) -> Result<ParkedDelivery> {
        let ChangeDeadLetter {
            id,
            action,
            scope,
            now,
            audit,
        } = change;
        let found = self.find_delivery(id, scope);
        let mut found = found.ok_or_else(|| Error::delivery_not_found(id))?;
        if !found.event.is_dead {
            return Err(Error::delivery_waiting(id));
        }
        let changed = match action {
            DeadLetterAction::Retry => {
                found.event = ParkedEvent::new(found.event.run, id.seq, *now);
                Some(found.event.clone())
            }
            DeadLetterAction::Drop => None,
        };
        self.cursors.change(id, changed);
        self.audit(audit.clone(), found.tenant.as_ref());
        Ok(found)
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

    async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<ParkedDelivery>> {
        self.state()?.list_deliveries(&filter, &page)
    }

    async fn find_delivery(
        &self,
        id: &DeliveryId,
        scope: &Scope,
    ) -> Result<Option<ParkedDelivery>> {
        Ok(self.state()?.find_delivery(id, scope))
    }

    async fn change_dead_letter(&self, change: ChangeDeadLetter) -> Result<ParkedDelivery> {
        self.state()?.change_dead_letter(&change)
    }
}
