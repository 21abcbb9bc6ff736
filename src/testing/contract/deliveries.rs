//! The cursors of notifiers, their parked events, and the runs that a purge keeps for them.
//!
//! `src/delivery/` delivers the events.

use super::fixtures::{
    at, create, finished_run, new_run, pending_run, purge_all, read_run, run_id, save_for, scope,
};
use crate::model::{RunId, RunStatus, Scope};
use crate::storage::{
    ClaimCursors, CursorClaimKind, Cursors, NotifierCursor, ParkedEvent, PutDeliveries, Storage,
};

/// Claims the cursors of arriving notifiers at a second. A notifier that was not seen for 100
/// seconds is lost.
async fn claim_cursors(storage: &dyn Storage, names: &[&str], seconds: i64) -> Cursors {
    storage.claim_cursors(claim(names, seconds)).await.unwrap()
}

fn claim(names: &[&str], seconds: i64) -> ClaimCursors {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    ClaimCursors::new(names, at(seconds - 100), at(seconds))
}

/// Claims the cursor of `slack`, which arrives at this second.
async fn claim_slack(storage: &dyn Storage, seconds: i64) -> NotifierCursor {
    let mut cursors = claim_cursors(storage, &["slack"], seconds).await.cursors;
    cursors.pop().unwrap()
}

/// Returns a step of `slack` at second 10 that moves its cursor to this sequence number.
pub(super) fn put_slack(seq: u64) -> PutDeliveries {
    PutDeliveries::new("slack".to_owned(), seq, at(10))
}

fn parked_event(run: RunId, seq: u64, tries: u32) -> ParkedEvent {
    let mut parked = ParkedEvent::new(run, seq, at(60));
    parked.tries = tries;
    parked
}

pub(super) fn dead_letter(run: RunId, seq: u64) -> ParkedEvent {
    let mut parked = parked_event(run, seq, 3);
    parked.is_dead = true;
    parked
}

/// A notifier that arrives for the first time MUST start at the newest event with nothing parked.
/// So MUST each of several.
pub async fn a_new_notifier_starts_at_the_newest_event(storage: &dyn Storage) {
    assert_eq!(claim_slack(storage, 1).await.seq, 0);
    pending_run(storage, 1).await;
    let cursors = claim_cursors(storage, &["mail", "slack"], 2).await;
    let expected = [("mail", 1), ("slack", 0)];
    let expected = expected.map(|(name, seq)| NotifierCursor::new(name.to_owned(), seq));
    assert_eq!(
        (cursors.cursors, cursors.expired),
        (expected.to_vec(), vec![])
    );
}

/// A notifier that arrives again MUST get its cursor and its parked events by sequence number. Dead
/// letters at or before the cursor MUST NOT be among them.
pub async fn a_returning_notifier_gets_its_cursor_and_parked_events(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    claim_cursors(storage, &["mail"], 1).await;
    let mut put = put_slack(2);
    put.parked = vec![
        parked_event(run, 2, 0),
        parked_event(run, 1, 2),
        dead_letter(run, 3),
    ];
    storage.put_deliveries(put).await.unwrap();
    let mut expected = NotifierCursor::new("slack".to_owned(), 2);
    expected.parked = vec![
        parked_event(run, 1, 2),
        parked_event(run, 2, 0),
        dead_letter(run, 3),
    ];
    assert_eq!(claim_slack(storage, 20).await, expected);
    let mail = claim_cursors(storage, &["mail"], 20).await.cursors;
    assert_eq!(mail, [NotifierCursor::new("mail".to_owned(), 3)]);
}

/// A cursor MUST NOT move back.
pub async fn a_cursor_never_moves_back(storage: &dyn Storage) {
    pending_run(storage, 1).await;
    claim_slack(storage, 1).await;
    for (seq, expected) in [(7, 7), (5, 7), (9, 9)] {
        storage.put_deliveries(put_slack(seq)).await.unwrap();
        assert_eq!(claim_slack(storage, 20).await.seq, expected);
    }
}

/// A repeated step MUST change nothing, so a caller can repeat one with an unknown outcome.
pub async fn a_repeated_step_changes_nothing(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    let mut put = put_slack(3);
    put.parked = vec![parked_event(run, 1, 1), parked_event(run, 2, 0)];
    storage.put_deliveries(put).await.unwrap();
    let mut put = put_slack(3);
    put.delivered = vec![1, 3];
    put.parked = vec![parked_event(run, 2, 4)];
    let mut expected = NotifierCursor::new("slack".to_owned(), 3);
    expected.parked = vec![parked_event(run, 2, 4)];
    for _ in 0..2 {
        storage.put_deliveries(put.clone()).await.unwrap();
        assert_eq!(claim_slack(storage, 20).await, expected);
    }
}

/// A step of a notifier without a cursor MUST create it.
pub async fn a_step_creates_a_missing_cursor(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    let mut put = put_slack(2);
    put.parked = vec![parked_event(run, 2, 1)];
    storage.put_deliveries(put).await.unwrap();
    let cursor = claim_slack(storage, 20).await;
    assert_eq!((cursor.seq, cursor.parked.len()), (2, 1));
}

/// An event of a missing or purged run MUST NOT be parked. The rest of the step MUST take effect.
pub async fn an_event_of_a_missing_run_is_not_parked(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let mut put = put_slack(9);
    put.parked = vec![parked_event(run_id(2), 8, 1), parked_event(run, 1, 1)];
    storage.put_deliveries(put).await.unwrap();
    let cursor = claim_slack(storage, 20).await;
    assert_eq!(
        (cursor.seq, cursor.parked),
        (9, vec![parked_event(run, 1, 1)])
    );
}

/// Claims the cursor of the dormant `slack` at a second, beside that of `mail`.
async fn claim_dormant(storage: &dyn Storage, kind: CursorClaimKind, seconds: i64) -> Cursors {
    let mut claim = claim(&["mail"], seconds);
    claim.dormant = vec!["slack".to_owned()];
    claim.kind = kind;
    storage.claim_cursors(claim).await.unwrap()
}

/// A dormant notifier without a cursor MUST NOT get one.
pub async fn a_dormant_notifier_gets_no_cursor(storage: &dyn Storage) {
    for kind in [CursorClaimKind::Start, CursorClaimKind::Renewal] {
        let claimed = claim_dormant(storage, kind, 1).await;
        let mail = NotifierCursor::new("mail".to_owned(), 0);
        assert_eq!((claimed.cursors, claimed.expired), (vec![mail], vec![]));
    }
    pending_run(storage, 1).await;
    assert_eq!(claim_slack(storage, 2).await.seq, 1);
}

/// A dormant notifier with a cursor MUST be claimed like any other, after them: it MUST stay while
/// its claim is renewed, and MUST be lost if it was absent for too long.
pub async fn a_dormant_notifier_that_has_begun_is_claimed(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    let mut put = put_slack(2);
    put.parked = vec![parked_event(run, 1, 1)];
    storage.put_deliveries(put).await.unwrap();
    let renewed = claim_dormant(storage, CursorClaimKind::Renewal, 1_000).await;
    let expected = [("mail", 3), ("slack", 2)];
    let expected = expected.map(|(name, seq)| NotifierCursor::new(name.to_owned(), seq));
    assert_eq!(
        (renewed.cursors, renewed.expired),
        (expected.to_vec(), vec![])
    );
    let started = claim_dormant(storage, CursorClaimKind::Start, 1_090).await;
    assert_eq!(started.cursors[1].parked, [parked_event(run, 1, 1)]);
    let late = claim_dormant(storage, CursorClaimKind::Start, 2_000).await;
    let lost: Vec<_> = late.expired.iter().map(|lost| lost.name.as_str()).collect();
    assert_eq!(lost, ["mail", "slack"]);
    assert_eq!(late.cursors, [NotifierCursor::new("mail".to_owned(), 3)]);
}

/// A notifier that was absent for too long MUST lose its cursor and its parked events, when it or
/// any other notifier arrives.
pub async fn a_notifier_absent_for_too_long_loses_its_cursor(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    for (names, again) in [(&["slack"][..], 1), (&["mail"], 1), (&[], 0)] {
        let mut put = put_slack(2);
        put.parked = vec![parked_event(run, 1, 1), dead_letter(run, 2)];
        storage.put_deliveries(put).await.unwrap();
        assert_eq!(claim_cursors(storage, &[], 110).await.expired, []);
        let cursors = claim_cursors(storage, names, 111).await;
        let lost: Vec<_> = cursors
            .expired
            .iter()
            .map(|lost| {
                (
                    lost.name.as_str(),
                    lost.seq,
                    lost.parked_count,
                    lost.seen_at,
                )
            })
            .collect();
        assert_eq!(lost, [("slack", 2, 1, at(10))]);
        let claimed: Vec<_> = cursors
            .cursors
            .iter()
            .map(|cursor| (cursor.seq, cursor.parked.len()))
            .collect();
        assert_eq!(claimed, vec![(3, 0); again]);
        assert_eq!(claim_cursors(storage, &["slack"], 112).await.expired, []);
        assert_eq!(claim_slack(storage, 112).await.parked, []);
        assert_eq!(
            storage.stats(&Scope::All).await.unwrap().dead_letter_count,
            0
        );
        // Every cursor is lost before the next round.
        claim_cursors(storage, &[], 1_000).await;
    }
}

/// A notifier that stays MUST keep its cursor, however far the clock jumps. Absent ones MUST lose
/// theirs.
pub async fn a_notifier_that_stays_never_loses_its_cursor(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    let mut put = put_slack(2);
    put.parked = vec![parked_event(run, 1, 1)];
    storage.put_deliveries(put).await.unwrap();
    claim_cursors(storage, &["mail"], 10).await;
    let mut stays = claim(&["slack"], 1_000);
    stays.kind = CursorClaimKind::Renewal;
    let cursors = storage.claim_cursors(stays).await.unwrap();
    let cursor = NotifierCursor::new("slack".to_owned(), 2);
    assert_eq!(cursors.cursors, [cursor]);
    let lost = cursors.expired.iter().map(|lost| lost.name.as_str());
    assert_eq!(lost.collect::<Vec<_>>(), ["mail"]);
    assert_eq!(
        claim_slack(storage, 1_090).await.parked,
        [parked_event(run, 1, 1)]
    );
}

/// Dead letters MUST be counted within the scope of their runs, until they are delivered or purged.
pub async fn dead_letters_are_counted_within_the_scope(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    save_for(storage, "hourly", "ben").await;
    create(storage, new_run(2, "hourly")).await.unwrap();
    let count = async |scope| storage.stats(&scope).await.unwrap().dead_letter_count;
    let mut put = put_slack(4);
    put.parked = vec![
        dead_letter(run, 1),
        dead_letter(run, 2),
        parked_event(run, 3, 1),
        dead_letter(run_id(2), 4),
    ];
    storage.put_deliveries(put).await.unwrap();
    for (scope, expected) in [(Scope::All, 3), (scope("ann"), 2), (scope("ben"), 1)] {
        assert_eq!(count(scope).await, expected);
    }
    let mut put = put_slack(4);
    put.delivered = vec![2, 3];
    storage.put_deliveries(put).await.unwrap();
    assert_eq!(count(Scope::All).await, 2);
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(count(Scope::All).await, 1);
}

/// A run MUST NOT be purged while its last event is after the cursor of a notifier.
pub async fn a_purge_keeps_runs_with_undelivered_events(storage: &dyn Storage) {
    claim_cursors(storage, &["mail", "slack"], 1).await;
    for n in [1, 2] {
        finished_run(storage, n, RunStatus::Success).await;
    }
    let mail = |seq| PutDeliveries::new("mail".to_owned(), seq, at(10));
    storage.put_deliveries(mail(6)).await.unwrap();
    for (seq, purged) in [(2, 0), (3, 1), (5, 0), (6, 1)] {
        storage.put_deliveries(put_slack(seq)).await.unwrap();
        assert_eq!(purge_all(storage).await, purged, "at {seq}");
    }
}

/// A run MUST NOT be purged while it has a parked event that is not dead. A purge MUST delete its
/// dead letters with it.
pub async fn a_purge_keeps_runs_with_parked_events(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Success).await;
    let mut put = put_slack(3);
    put.parked = vec![dead_letter(run, 1), parked_event(run, 2, 0)];
    storage.put_deliveries(put).await.unwrap();
    assert_eq!(purge_all(storage).await, 0);
    read_run(storage, run).await;
    let mut put = put_slack(3);
    put.parked = vec![dead_letter(run, 2)];
    storage.put_deliveries(put).await.unwrap();
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(
        storage.stats(&Scope::All).await.unwrap().dead_letter_count,
        0
    );
}

/// A lost cursor and its parked events MUST NOT keep a run from being purged.
pub async fn a_lost_cursor_protects_no_run_from_a_purge(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Success).await;
    let mut put = put_slack(2);
    put.parked = vec![parked_event(run, 1, 0)];
    storage.put_deliveries(put).await.unwrap();
    assert_eq!(purge_all(storage).await, 0);
    claim_cursors(storage, &[], 111).await;
    assert_eq!(purge_all(storage).await, 1);
}
