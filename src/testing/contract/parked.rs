//! Parked events as callers see them: listed, retried, dropped.
//!
//! `deliveries` covers how they are parked and delivered.

use super::deliveries::{dead_letter, put_slack};
use super::fixtures::{
    assert_problem, at, create, finished_run, new_run, purge_all, run_id, save_for, scope,
};
use crate::error::Problem;
use crate::model::{DeliveryId, DeliveryState, Page, PageRequest, RunId, RunStatus, Scope};
use crate::storage::{
    ChangeDeadLetter, ClaimCursors, DeadLetterAction, DeliveryFilter, ParkedDelivery, ParkedEvent,
    PutDeliveries, Storage,
};

/// Parks events 1 to 3 for two notifiers: 1 and 3 as dead letters, 2 waiting.
async fn park_six(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    for notifier in ["mail.ops", "slack"] {
        let mut put = PutDeliveries::new(notifier.to_owned(), 3, at(10));
        let waiting = failed_event(run, 2);
        let mut dead = dead_letter(run, 1);
        dead.error = Some("the receiver is gone".to_owned());
        put.parked = vec![dead, waiting, dead_letter(run, 3)];
        storage.put_deliveries(put).await.unwrap();
    }
}

/// Returns an event that waits because its last try has failed.
fn failed_event(run: RunId, seq: u64) -> ParkedEvent {
    let mut parked = ParkedEvent::new(run, seq, at(60));
    parked.error = Some("the receiver answered 503 \u{fc}".to_owned());
    parked
}

async fn list(
    storage: &dyn Storage,
    filter: DeliveryFilter,
    page: PageRequest,
) -> Page<ParkedDelivery> {
    storage.list_deliveries(filter, page).await.unwrap()
}

fn ids(page: &Page<ParkedDelivery>) -> Vec<String> {
    page.items.iter().map(|it| it.id().to_string()).collect()
}

async fn ids_of(storage: &dyn Storage, state: Option<DeliveryState>, scope: Scope) -> Vec<String> {
    let filter = DeliveryFilter { scope, state };
    ids(&list(storage, filter, PageRequest::Newest { limit: 100 }).await)
}

fn change(seq: u64, action: DeadLetterAction) -> ChangeDeadLetter {
    ChangeDeadLetter::new(DeliveryId::new("slack", seq), action, at(70))
}

/// The deliveries of [`park_six`], in the order of lists.
const LISTED: [&str; 6] = [
    "slack.3",
    "mail.ops.3",
    "slack.2",
    "mail.ops.2",
    "slack.1",
    "mail.ops.1",
];

async fn list_all(storage: &dyn Storage, page: PageRequest) -> Page<ParkedDelivery> {
    list(storage, DeliveryFilter::default(), page).await
}

pub(super) fn after(cursor: Option<String>, limit: u32) -> PageRequest {
    PageRequest::After { cursor, limit }
}

/// Parked events MUST be listed by number and then by notifier, both descending, with what is known
/// of them.
pub async fn deliveries_are_listed_newest_first(storage: &dyn Storage) {
    let newest = PageRequest::Newest { limit: 9 };
    let none = list_all(storage, newest.clone()).await;
    assert_eq!(none, Page::new(vec![], None, None));
    park_six(storage).await;
    let whole = list_all(storage, newest).await;
    assert_eq!(
        (ids(&whole).as_slice(), &whole.next),
        (&LISTED.map(str::to_owned)[..], &None)
    );
    let first = &whole.items[0];
    assert_eq!(first.event, dead_letter(run_id(1), 3));
    assert_eq!(whole.items[2].event, failed_event(run_id(1), 2));
    assert_eq!((first.pipeline.as_str(), &first.tenant), ("daily", &None));
    let second = PageRequest::Numbered {
        page: 2,
        per_page: 4,
    };
    let second = list_all(storage, second).await;
    assert_eq!(
        (ids(&second).as_slice(), second.total),
        (&LISTED.map(str::to_owned)[4..], Some(6))
    );
}

/// A page of deliveries MUST continue after its cursor, also after that delivery is gone. A cursor
/// that is no id MUST be refused.
pub async fn a_page_of_deliveries_continues_after_its_cursor(storage: &dyn Storage) {
    park_six(storage).await;
    for size in 1..=6 {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = list_all(storage, after(cursor, size)).await;
            seen.extend(ids(&page));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, LISTED, "pages of {size}");
    }
    let drop = change(3, DeadLetterAction::Drop);
    storage.change_dead_letter(drop).await.unwrap();
    let page = list_all(storage, after(Some("slack.3".to_owned()), 1)).await;
    assert_eq!(ids(&page), ["mail.ops.3"]);
    let wrong = after(Some("3".to_owned()), 1);
    let refused = storage.list_deliveries(DeliveryFilter::default(), wrong);
    assert_problem(refused.await, Problem::InvalidParameter);
}

/// A list MUST have the deliveries of its state whose runs are in its scope, and no others.
pub async fn deliveries_are_listed_by_state_and_scope(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    save_for(storage, "hourly", "ben").await;
    create(storage, new_run(2, "hourly")).await.unwrap();
    let mut put = put_slack(4);
    let waiting = ParkedEvent::new(run, 2, at(60));
    put.parked = vec![dead_letter(run, 1), waiting, dead_letter(run_id(2), 4)];
    storage.put_deliveries(put).await.unwrap();
    let (dead, waiting) = (Some(DeliveryState::Dead), Some(DeliveryState::Waiting));
    let cases: [(_, _, &[&str]); 6] = [
        (None, Scope::All, &["slack.4", "slack.2", "slack.1"]),
        (dead, Scope::All, &["slack.4", "slack.1"]),
        (waiting, Scope::All, &["slack.2"]),
        (None, scope("ann"), &["slack.2", "slack.1"]),
        (dead, scope("ben"), &["slack.4"]),
        (None, Scope::NoTenant, &[]),
    ];
    for (state, scope, expected) in cases {
        let found = ids_of(storage, state, scope.clone()).await;
        assert_eq!(found, expected, "{state:?} {scope:?}");
        let page = PageRequest::Numbered {
            page: 1,
            per_page: 1,
        };
        let page = list(storage, DeliveryFilter { scope, state }, page).await;
        assert_eq!(page.total, Some(expected.len() as u64), "{state:?}");
    }
    let filter = DeliveryFilter {
        scope: scope("ben"),
        state: None,
    };
    let page = list(storage, filter, PageRequest::Newest { limit: 9 }).await;
    assert_eq!(
        page.items[0].tenant.as_ref().map(AsRef::as_ref),
        Some("ben")
    );
}

/// A retried dead letter MUST be parked like a new one, and its notifier MUST get it at its next
/// start. A dropped one MUST be gone. Anything else MUST be refused, and change nothing.
pub async fn a_dead_letter_is_retried_or_dropped_once(storage: &dyn Storage) {
    park_six(storage).await;
    let retried = storage
        .change_dead_letter(change(1, DeadLetterAction::Retry))
        .await
        .unwrap();
    let expected = ParkedEvent::new(run_id(1), 1, at(70));
    assert_eq!(
        (&retried.event, retried.state()),
        (&expected, DeliveryState::Waiting)
    );
    let dropped = storage
        .change_dead_letter(change(3, DeadLetterAction::Drop))
        .await
        .unwrap();
    assert_eq!(dropped.event, dead_letter(run_id(1), 3));
    let slack = async || {
        let claim = ClaimCursors::new(vec!["slack".to_owned()], at(0), at(80));
        storage
            .claim_cursors(claim)
            .await
            .unwrap()
            .cursors
            .remove(0)
            .parked
    };
    let parked = [expected, failed_event(run_id(1), 2)];
    assert_eq!(slack().await, parked);
    for action in [DeadLetterAction::Retry, DeadLetterAction::Drop] {
        for (seq, problem) in [
            (1, Problem::DeliveryWaiting),
            (2, Problem::DeliveryWaiting),
            (3, Problem::DeliveryNotFound),
            (u64::MAX, Problem::DeliveryNotFound),
        ] {
            assert_problem(
                storage.change_dead_letter(change(seq, action)).await,
                problem,
            );
        }
        let absent = ChangeDeadLetter::new(DeliveryId::new("pager", 1), action, at(70));
        let refused = storage.change_dead_letter(absent).await;
        assert_problem(refused, Problem::DeliveryNotFound);
    }
    assert_eq!(slack().await, parked);
    let dead = ids_of(storage, Some(DeliveryState::Dead), Scope::All).await;
    assert_eq!(dead, ["mail.ops.3", "mail.ops.1"]);
    let stats = storage.stats(&Scope::All).await.unwrap();
    assert_eq!(stats.dead_letter_count, 2);
}

/// To a caller of another scope, a dead letter MUST look absent.
pub async fn a_dead_letter_out_of_scope_is_absent(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    let mut put = put_slack(3);
    put.parked = vec![dead_letter(run, 1)];
    storage.put_deliveries(put).await.unwrap();
    let id = DeliveryId::new("slack", 1);
    for foreign in [scope("ben"), Scope::NoTenant] {
        assert_eq!(storage.find_delivery(&id, &foreign).await.unwrap(), None);
        let mut change = change(1, DeadLetterAction::Drop);
        change.scope = foreign;
        let refused = storage.change_dead_letter(change).await;
        assert_problem(refused, Problem::DeliveryNotFound);
    }
    let found = storage
        .find_delivery(&id, &scope("ann"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.event, dead_letter(run, 1));
    let mut own = change(1, DeadLetterAction::Drop);
    own.scope = scope("ann");
    assert_eq!(storage.change_dead_letter(own).await.unwrap(), found);
    assert_eq!(storage.find_delivery(&id, &Scope::All).await.unwrap(), None);
}

/// A run MUST NOT be purged while one of its dead letters is retried.
pub async fn a_retried_dead_letter_keeps_its_run_from_a_purge(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Success).await;
    let mut put = put_slack(3);
    put.parked = vec![dead_letter(run, 1)];
    storage.put_deliveries(put).await.unwrap();
    storage
        .change_dead_letter(change(1, DeadLetterAction::Retry))
        .await
        .unwrap();
    assert_eq!(purge_all(storage).await, 0);
    let mut put = put_slack(3);
    put.delivered = vec![1];
    storage.put_deliveries(put).await.unwrap();
    assert_eq!(purge_all(storage).await, 1);
}
