//! Places of notifiers, what is parked for them, and what purge spares for them.
//!
//! Who delivers is the engine's matter.

use super::fixtures::{
    at, create, ended, found, new_run, pending, purge_all, run_id, save_for, scope,
};
use crate::model::{RunId, RunStatus, Scope};
use crate::storage::{
    ClaimCursors, CursorClaimKind, Cursors, NotifierCursor, ParkedEvent, PutDeliveries, Storage,
};

/// These names come at this second; whoever was not seen for 100 seconds is lost.
async fn come(storage: &dyn Storage, names: &[&str], seconds: i64) -> Cursors {
    storage.claim_cursors(claim(names, seconds)).await.unwrap()
}

fn claim(names: &[&str], seconds: i64) -> ClaimCursors {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    ClaimCursors::new(names, at(seconds - 100), at(seconds))
}

/// The place of `slack`, who comes at this second.
async fn slack(storage: &dyn Storage, seconds: i64) -> NotifierCursor {
    let mut cursors = come(storage, &["slack"], seconds).await.cursors;
    cursors.pop().unwrap()
}

/// `slack` stands at this number from second 10 on.
fn moved(seq: u64) -> PutDeliveries {
    PutDeliveries::new("slack".to_owned(), seq, at(10))
}

fn parked(run: RunId, seq: u64, tries: u32) -> ParkedEvent {
    let mut parked = ParkedEvent::new(run, seq, at(60));
    parked.tries = tries;
    parked
}

fn dead(run: RunId, seq: u64) -> ParkedEvent {
    let mut parked = parked(run, seq, 3);
    parked.is_dead = true;
    parked
}

/// A name that comes for the first time begins at the newest event, with nothing parked; so does
/// each of several.
pub async fn a_name_without_a_place_begins_at_the_newest_event(storage: &dyn Storage) {
    assert_eq!(slack(storage, 1).await.seq, 0);
    pending(storage, 1).await;
    let cursors = come(storage, &["mail", "slack"], 2).await;
    let expected = [("mail", 1), ("slack", 0)];
    let expected = expected.map(|(name, seq)| NotifierCursor::new(name.to_owned(), seq));
    assert_eq!(
        (cursors.cursors, cursors.expired),
        (expected.to_vec(), vec![])
    );
}

/// A name that comes again finds its place and what is parked for it, in the order of the numbers,
/// and of the dead those that its place has not passed.
pub async fn a_name_keeps_its_place_and_what_is_parked_for_it(storage: &dyn Storage) {
    let run = ended(storage, 1, RunStatus::Failed).await;
    come(storage, &["mail"], 1).await;
    let mut put = moved(2);
    put.parked = vec![parked(run, 2, 0), parked(run, 1, 2), dead(run, 3)];
    storage.put_deliveries(put).await.unwrap();
    let mut expected = NotifierCursor::new("slack".to_owned(), 2);
    expected.parked = vec![parked(run, 1, 2), parked(run, 2, 0), dead(run, 3)];
    assert_eq!(slack(storage, 20).await, expected);
    let mail = come(storage, &["mail"], 20).await.cursors;
    assert_eq!(mail, [NotifierCursor::new("mail".to_owned(), 3)]);
}

/// A place goes forwards alone.
pub async fn a_place_never_goes_back(storage: &dyn Storage) {
    pending(storage, 1).await;
    slack(storage, 1).await;
    for (seq, expected) in [(7, 7), (5, 7), (9, 9)] {
        storage.put_deliveries(moved(seq)).await.unwrap();
        assert_eq!(slack(storage, 20).await.seq, expected);
    }
}

/// A step whose outcome is not known may be taken again.
pub async fn the_same_step_again_changes_nothing(storage: &dyn Storage) {
    let run = ended(storage, 1, RunStatus::Failed).await;
    let mut put = moved(3);
    put.parked = vec![parked(run, 1, 1), parked(run, 2, 0)];
    storage.put_deliveries(put).await.unwrap();
    let mut put = moved(3);
    put.delivered = vec![1, 3];
    put.parked = vec![parked(run, 2, 4)];
    let mut expected = NotifierCursor::new("slack".to_owned(), 3);
    expected.parked = vec![parked(run, 2, 4)];
    for _ in 0..2 {
        storage.put_deliveries(put.clone()).await.unwrap();
        assert_eq!(slack(storage, 20).await, expected);
    }
}

/// A step makes the place that is missing, where it says.
pub async fn a_name_without_a_place_gets_it_with_its_first_step(storage: &dyn Storage) {
    let run = ended(storage, 1, RunStatus::Failed).await;
    let mut put = moved(2);
    put.parked = vec![parked(run, 2, 1)];
    storage.put_deliveries(put).await.unwrap();
    let place = slack(storage, 20).await;
    assert_eq!((place.seq, place.parked.len()), (2, 1));
}

/// An event of a run that was purged, or never was, is not parked; the rest of the step holds.
pub async fn an_event_of_a_missing_run_is_not_parked(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let mut put = moved(9);
    put.parked = vec![parked(run_id(2), 8, 1), parked(run, 1, 1)];
    storage.put_deliveries(put).await.unwrap();
    let place = slack(storage, 20).await;
    assert_eq!((place.seq, place.parked), (9, vec![parked(run, 1, 1)]));
}

/// A name that was not seen for too long loses its place and what is parked for it, whether it
/// comes again or another does.
pub async fn a_name_that_was_absent_too_long_loses_its_place(storage: &dyn Storage) {
    let run = ended(storage, 1, RunStatus::Failed).await;
    for (names, again) in [(&["slack"][..], 1), (&["mail"], 1), (&[], 0)] {
        let mut put = moved(2);
        put.parked = vec![parked(run, 1, 1), dead(run, 2)];
        storage.put_deliveries(put).await.unwrap();
        assert_eq!(come(storage, &[], 110).await.expired, []);
        let cursors = come(storage, names, 111).await;
        let expired: Vec<_> = cursors
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
        assert_eq!(expired, [("slack", 2, 1, at(10))]);
        let places: Vec<_> = cursors
            .cursors
            .iter()
            .map(|place| (place.seq, place.parked.len()))
            .collect();
        assert_eq!(places, vec![(3, 0); again]);
        assert_eq!(come(storage, &["slack"], 112).await.expired, []);
        assert_eq!(slack(storage, 112).await.parked, []);
        assert_eq!(
            storage.stats(&Scope::All).await.unwrap().dead_letter_count,
            0
        );
        // Forgotten, for the next turn.
        come(storage, &[], 1_000).await;
    }
}

/// A name that has been here all along keeps its place however far the clock jumps, and others do
/// not.
pub async fn a_name_that_stays_is_never_lost(storage: &dyn Storage) {
    let run = ended(storage, 1, RunStatus::Failed).await;
    let mut put = moved(2);
    put.parked = vec![parked(run, 1, 1)];
    storage.put_deliveries(put).await.unwrap();
    come(storage, &["mail"], 10).await;
    let mut stays = claim(&["slack"], 1_000);
    stays.kind = CursorClaimKind::Renewal;
    let cursors = storage.claim_cursors(stays).await.unwrap();
    let place = NotifierCursor::new("slack".to_owned(), 2);
    assert_eq!(cursors.cursors, [place]);
    let lost = cursors.expired.iter().map(|lost| lost.name.as_str());
    assert_eq!(lost.collect::<Vec<_>>(), ["mail"]);
    assert_eq!(slack(storage, 1_090).await.parked, [parked(run, 1, 1)]);
}

/// Dead letters count within the scope of their runs, and no longer once delivered or purged.
pub async fn dead_letters_are_counted_within_the_scope(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let run = ended(storage, 1, RunStatus::Failed).await;
    save_for(storage, "hourly", "ben").await;
    create(storage, new_run(2, "hourly")).await.unwrap();
    let count = async |scope| storage.stats(&scope).await.unwrap().dead_letter_count;
    let mut put = moved(4);
    put.parked = vec![
        dead(run, 1),
        dead(run, 2),
        parked(run, 3, 1),
        dead(run_id(2), 4),
    ];
    storage.put_deliveries(put).await.unwrap();
    for (scope, expected) in [(Scope::All, 3), (scope("ann"), 2), (scope("ben"), 1)] {
        assert_eq!(count(scope).await, expected);
    }
    let mut put = moved(4);
    put.delivered = vec![2, 3];
    storage.put_deliveries(put).await.unwrap();
    assert_eq!(count(Scope::All).await, 2);
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(count(Scope::All).await, 1);
}

/// A run whose last event is after the place of any notifier is not purged.
pub async fn a_purge_spares_what_a_notifier_has_not_got(storage: &dyn Storage) {
    come(storage, &["mail", "slack"], 1).await;
    for n in [1, 2] {
        ended(storage, n, RunStatus::Success).await;
    }
    let mail = |seq| PutDeliveries::new("mail".to_owned(), seq, at(10));
    storage.put_deliveries(mail(6)).await.unwrap();
    for (seq, purged) in [(2, 0), (3, 1), (5, 0), (6, 1)] {
        storage.put_deliveries(moved(seq)).await.unwrap();
        assert_eq!(purge_all(storage).await, purged, "at {seq}");
    }
}

/// A run with a parked event is purged once the event is dead, and takes it along.
pub async fn a_purge_spares_what_is_parked_until_it_is_dead(storage: &dyn Storage) {
    let run = ended(storage, 1, RunStatus::Success).await;
    let mut put = moved(3);
    put.parked = vec![dead(run, 1), parked(run, 2, 0)];
    storage.put_deliveries(put).await.unwrap();
    assert_eq!(purge_all(storage).await, 0);
    found(storage, run).await;
    let mut put = moved(3);
    put.parked = vec![dead(run, 2)];
    storage.put_deliveries(put).await.unwrap();
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(
        storage.stats(&Scope::All).await.unwrap().dead_letter_count,
        0
    );
}

/// Once a place is lost purge takes what it had not got.
pub async fn a_lost_place_spares_nothing(storage: &dyn Storage) {
    let run = ended(storage, 1, RunStatus::Success).await;
    let mut put = moved(2);
    put.parked = vec![parked(run, 1, 0)];
    storage.put_deliveries(put).await.unwrap();
    assert_eq!(purge_all(storage).await, 0);
    come(storage, &[], 111).await;
    assert_eq!(purge_all(storage).await, 1);
}
