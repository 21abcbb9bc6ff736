//! Events, the cursors of notifiers and their parked events.
//!
//! Events are recorded in `rows`.

use async_trait::async_trait;
use floret::storage::{
    ChangeDeadLetter, ClaimCursors, CursorClaimKind, Cursors, DeadLetterAction, Deliveries,
    DeliveryFilter, EarlierEvents, EventFilter, EventPage, Events, ExpiredCursor, NotifierCursor,
    ParkedDelivery, ParkedEvent, PutDeliveries,
};
use floret::{DeliveryId, Error, Event, PageRequest, Result, Scope};

use crate::audited::AuditedStorage;
use crate::pages::{Page, page};
use crate::rows::{CursorRow, Rows};

/// How many events a read examines, whatever its filter admits.
const EXAMINED_MAX: usize = 4_096;

#[async_trait]
impl Events for AuditedStorage {
    async fn events(&self, filter: EventFilter, after: u64, limit: u32) -> Result<EventPage> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.read(|rows| {
            let examined = rows.events_after(after).take(EXAMINED_MAX + 1);
            let mut page = EventPage::new(Vec::new(), after);
            for (index, event) in examined.enumerate() {
                if page.events.len() == limit || index == EXAMINED_MAX {
                    return page;
                }
                page.up_to = event.seq;
                if is_wanted(event, &filter) {
                    page.events.push(event.clone());
                }
            }
            if page.events.len() < limit {
                page.up_to = after.max(rows.seq);
            }
            page
        })
    }

    async fn events_before(
        &self,
        filter: EventFilter,
        before: u64,
        limit: u32,
    ) -> Result<EarlierEvents> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.read(|rows| {
            let mut page = EarlierEvents::default();
            for (index, event) in rows.events_before(before).enumerate() {
                if index == EXAMINED_MAX {
                    page.from = event.seq + 1;
                    break;
                }
                if is_wanted(event, &filter) {
                    page.events.push(event.clone());
                }
                if page.events.len() == limit {
                    page.from = event.seq;
                    break;
                }
            }
            page.events.reverse();
            page
        })
    }

    async fn newest_seq(&self) -> Result<u64> {
        self.read(|rows| rows.seq)
    }
}

fn is_wanted(event: &Event, filter: &EventFilter) -> bool {
    filter.scope.admits(event.tenant.as_ref())
        && filter.run.is_none_or(|run| run == event.run_id)
        && filter
            .pipeline
            .as_ref()
            .is_none_or(|pipeline| *pipeline == event.pipeline_id)
        && (filter.kinds.is_empty() || filter.kinds.contains(&event.kind))
}

#[async_trait]
impl Deliveries for AuditedStorage {
    async fn claim_cursors(&self, claim: ClaimCursors) -> Result<Cursors> {
        self.write("claim_cursors", |rows| Ok(claim_cursors(rows, &claim)))
    }

    async fn put_deliveries(&self, put: PutDeliveries) -> Result<()> {
        self.write("put_deliveries", |rows| {
            let Rows { cursors, runs, .. } = rows;
            let row = cursors.entry(put.notifier).or_insert_with(|| CursorRow {
                seq: put.seq,
                seen_at: put.now,
                parked: std::collections::BTreeMap::new(),
            });
            row.seq = row.seq.max(put.seq);
            row.seen_at = put.now;
            row.parked.retain(|seq, _| !put.delivered.contains(seq));
            let of_runs = put
                .parked
                .into_iter()
                .filter(|parked| runs.contains_key(&parked.run));
            row.parked
                .extend(of_runs.map(|parked| (parked.seq, parked)));
            Ok(())
        })
    }

    async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        page_request: PageRequest,
    ) -> Result<Page<ParkedDelivery>> {
        self.read(|rows| {
            let parked = rows.cursors.iter().flat_map(|(name, cursor)| {
                let parked = cursor.parked.values();
                parked.filter_map(|event| parked_delivery(rows, name, event, &filter.scope))
            });
            let wanted = parked.filter(|it| filter.state.is_none_or(|state| state == it.state()));
            let items = wanted.map(|it| (it.id(), it)).collect();
            page(
                items,
                &page_request,
                |cursor| cursor.parse().ok(),
                DeliveryId::to_string,
            )
        })?
    }

    async fn find_delivery(
        &self,
        id: &DeliveryId,
        scope: &Scope,
    ) -> Result<Option<ParkedDelivery>> {
        self.read(|rows| find_delivery(rows, id, scope))
    }

    async fn change_dead_letter(&self, change: ChangeDeadLetter) -> Result<ParkedDelivery> {
        self.write("change_dead_letter", |rows| {
            change_dead_letter(rows, &change)
        })
    }
}

/// Returns a parked event with the pipeline of its run, if that is in scope.
fn parked_delivery(
    rows: &Rows,
    notifier: &str,
    event: &ParkedEvent,
    scope: &Scope,
) -> Option<ParkedDelivery> {
    let run = &rows.run(event.run, scope)?.run;
    let pipeline = run.pipeline_id.clone();
    let mut delivery = ParkedDelivery::new(notifier.to_owned(), pipeline, event.clone());
    delivery.tenant.clone_from(&run.tenant);
    Some(delivery)
}

fn find_delivery(rows: &Rows, id: &DeliveryId, scope: &Scope) -> Option<ParkedDelivery> {
    let event = rows.cursors.get(&id.notifier)?.parked.get(&id.seq)?;
    parked_delivery(rows, &id.notifier, event, scope)
}

fn change_dead_letter(rows: &mut Rows, change: &ChangeDeadLetter) -> Result<ParkedDelivery> {
    let absent = || Error::delivery_not_found(&change.id);
    let found = find_delivery(rows, &change.id, &change.scope);
    let mut delivery = found.ok_or_else(absent)?;
    let event = delivery.event.clone();
    if !event.is_dead {
        return Err(Error::delivery_waiting(&change.id));
    }
    let cursor = rows
        .cursors
        .get_mut(&change.id.notifier)
        .ok_or_else(absent)?;
    match change.action {
        DeadLetterAction::Retry => {
            delivery.event = ParkedEvent::new(event.run, event.seq, change.now);
            cursor.parked.insert(event.seq, delivery.event.clone());
        }
        DeadLetterAction::Drop => {
            cursor.parked.remove(&event.seq);
        }
        other => return Err(Error::internal(format!("cannot {other:?} a dead letter"))),
    }
    rows.audit(change.audit.as_ref(), delivery.tenant.as_ref());
    Ok(delivery)
}

fn claim_cursors(rows: &mut Rows, claim: &ClaimCursors) -> Cursors {
    let is_start = claim.kind == CursorClaimKind::Start;
    let mut claimed = Cursors::default();
    rows.cursors.retain(|name, row| {
        let is_claimed = claim.names.contains(name) || claim.dormant.contains(name);
        let is_renewed = !is_start && is_claimed;
        let is_expired = row.seen_at < claim.absent_before && !is_renewed;
        if is_expired {
            let mut expired = ExpiredCursor::new(name.clone(), row.seq, row.seen_at);
            expired.parked_count =
                row.parked.values().filter(|parked| !parked.is_dead).count() as u64;
            claimed.expired.push(expired);
        }
        !is_expired
    });
    let begun = claim.dormant.iter();
    let begun = begun.filter(|name| rows.cursors.contains_key(*name));
    let begun: Vec<_> = begun.collect();
    for name in claim.names.iter().chain(begun) {
        let row = rows
            .cursors
            .entry(name.clone())
            .or_insert_with(|| CursorRow {
                seq: rows.seq,
                seen_at: claim.now,
                parked: std::collections::BTreeMap::new(),
            });
        row.seen_at = claim.now;
        let mut cursor = NotifierCursor::new(name.clone(), row.seq);
        let parked_events = row
            .parked
            .values()
            .filter(|parked| is_start && (!parked.is_dead || parked.seq > row.seq));
        cursor.parked.extend(parked_events.cloned());
        claimed.cursors.push(cursor);
    }
    claimed
}
