//! The book by itself: orders, parking, pauses, dead letters, what is stored, and random histories with crashes.

use super::*;
use crate::model::EventKind;
use crate::testing::contract::fixtures::{at, pipeline_id, run_id};

fn limits() -> Limits {
    Limits {
        notifier_in_flight_max: 4,
        notifier_tries_max: 3,
        events_page_max: 8,
        ..Limits::default()
    }
}

fn second(n: u64) -> Moment {
    Moment {
        elapsed: Duration::from_secs(n),
        wall: at(i64::try_from(n).unwrap()),
    }
}

fn begin() -> Book {
    let place = NotifierCursor::new("slack".to_owned(), 0);
    Book::new(&place, limits(), second(0))
}

fn event(seq: u64, run: u64) -> Event {
    Event::new(
        seq,
        EventKind::Log,
        run_id(run),
        pipeline_id("daily"),
        at(0),
    )
}

/// Reads these events: number and run.
fn read(book: &mut Book, now: Moment, events: impl IntoIterator<Item = (u64, u64)>) {
    for (seq, run) in events {
        book.add(event(seq, run), now);
        book.passed(seq);
    }
}

fn take(book: &mut Book, now: Moment) -> Option<u64> {
    book.take(now).map(|flight| flight.seq)
}

fn retryable() -> Outcome {
    Outcome::Failed(NotifierError::retryable("no"))
}

/// The changed rows: number, tries, whether dead; none is removed.
fn rows(book: &Book) -> Vec<(u64, Option<(u32, bool)>)> {
    let changes = book.changes().iter();
    changes
        .map(|(seq, row)| (*seq, row.map(|row| (row.tries, row.is_dead))))
        .collect()
}

#[test]
fn one_event_of_a_run_goes_out_at_a_time_and_runs_do_not_wait_for_each_other() {
    let mut book = begin();
    let now = second(1);
    read(&mut book, now, [(1, 1), (2, 1), (3, 2), (4, 3)]);
    let flights = [1, 3, 4].map(Some);
    assert_eq!([(); 3].map(|()| take(&mut book, now)), flights);
    assert_eq!(take(&mut book, now), None);
    assert!(book.landed(run_id(2), Outcome::Delivered, now).is_none());
    assert_eq!((book.position(), take(&mut book, now)), (0, None));
    assert!(book.landed(run_id(1), Outcome::Delivered, now).is_none());
    assert_eq!((book.position(), take(&mut book, now)), (1, Some(2)));
    for run in [1, 3] {
        assert!(book.landed(run_id(run), Outcome::Delivered, now).is_none());
    }
    assert_eq!((book.position(), rows(&book)), (4, vec![]));
}

#[test]
fn after_a_failure_the_later_events_of_that_run_park_and_the_place_goes_on() {
    let mut book = begin();
    read(&mut book, second(1), [(1, 1), (2, 1), (3, 2)]);
    assert_eq!(take(&mut book, second(1)), Some(1));
    let failure = book.landed(run_id(1), retryable(), second(1)).unwrap();
    assert_eq!((failure.seq, failure.tries, failure.is_dead), (1, 1, false));
    read(&mut book, second(1), [(4, 1)]);
    assert_eq!(take(&mut book, second(1)), Some(3));
    book.landed(run_id(2), Outcome::Delivered, second(1));
    assert_eq!(book.position(), 4);
    let parked = [
        (1, Some((1, false))),
        (2, Some((0, false))),
        (4, Some((0, false))),
    ];
    assert_eq!(rows(&book), parked);
    assert_eq!(take(&mut book, second(1)), None);
    assert_eq!(book.next_due(second(1)), Some(Duration::from_secs(2)));
    book.mark_saved();
    for seq in [1, 2, 4] {
        assert_eq!(take(&mut book, second(2)), Some(seq));
        book.landed(run_id(1), Outcome::Delivered, second(2));
    }
    assert_eq!(rows(&book), [(1, None), (2, None), (4, None)]);
    assert_eq!(take(&mut book, second(9)), None);
}

#[test]
fn pauses_double_up_to_their_bound() {
    let book = begin();
    for (tries, seconds) in [
        (1, 1),
        (2, 2),
        (3, 4),
        (10, 512),
        (11, 600),
        (u32::MAX, 600),
    ] {
        assert_eq!(book.pause(tries), Duration::from_secs(seconds), "{tries}");
    }
}

#[test]
fn too_many_tries_or_a_permanent_error_make_a_dead_letter_and_the_next_goes_on() {
    let mut book = begin();
    read(&mut book, second(0), [(1, 1), (2, 1), (3, 1)]);
    for (tries, seconds) in [(1, 0), (2, 1), (3, 3)] {
        assert_eq!(take(&mut book, second(seconds)), Some(1), "{tries}");
        let failure = book
            .landed(run_id(1), retryable(), second(seconds))
            .unwrap();
        assert_eq!((failure.tries, failure.is_dead), (tries, tries == 3));
    }
    assert_eq!(take(&mut book, second(3)), Some(2));
    let permanent = Outcome::Failed(NotifierError::permanent("never"));
    let failure = book.landed(run_id(1), permanent, second(3)).unwrap();
    assert!(failure.is_dead);
    let dead = [
        (1, Some((3, true))),
        (2, Some((1, true))),
        (3, Some((0, false))),
    ];
    assert_eq!(
        (rows(&book), take(&mut book, second(3))),
        (dead.to_vec(), Some(3))
    );
}

#[test]
fn a_permanent_failure_in_memory_parks_nothing_behind_it() {
    let mut book = begin();
    read(&mut book, second(0), [(1, 1), (2, 1)]);
    assert_eq!(take(&mut book, second(0)), Some(1));
    let permanent = Outcome::Failed(NotifierError::permanent("never"));
    book.landed(run_id(1), permanent, second(0));
    assert_eq!(rows(&book), [(1, Some((1, true)))]);
    assert_eq!((take(&mut book, second(0)), book.position()), (Some(2), 1));
}

#[test]
fn what_waits_for_storage_is_no_try() {
    let mut book = begin();
    read(&mut book, second(0), [(1, 1)]);
    take(&mut book, second(0));
    book.landed(run_id(1), retryable(), second(0));
    for n in [1, 2, 3, 4] {
        assert_eq!(take(&mut book, second(n)), Some(1));
        assert!(book.landed(run_id(1), Outcome::Waits, second(n)).is_none());
        assert_eq!(take(&mut book, second(n)), None);
    }
    assert_eq!(rows(&book), [(1, Some((1, false)))]);
    take(&mut book, second(5));
    book.landed(run_id(1), Outcome::Gone, second(5));
    assert_eq!(rows(&book), [(1, None)]);
}

#[test]
fn parked_events_take_half_of_the_ways_at_most() {
    let mut book = begin();
    read(&mut book, second(0), (1..=4).map(|n| (n, n)));
    for n in 1..=4 {
        take(&mut book, second(0));
        book.landed(run_id(n), retryable(), second(0));
    }
    read(&mut book, second(0), [(5, 5)]);
    let taken = [(); 4].map(|()| take(&mut book, second(9)));
    assert_eq!(taken, [Some(1), Some(2), Some(5), None]);
    book.landed(run_id(1), Outcome::Delivered, second(9));
    assert_eq!(take(&mut book, second(9)), Some(3));
}

#[test]
fn behind_a_run_that_does_not_come_back_others_are_read_on() {
    let mut book = begin();
    read(&mut book, second(0), (1..=8).map(|n| (n, 1)));
    assert_eq!(
        (take(&mut book, second(0)), book.has_room()),
        (Some(1), false)
    );
    book.make_room(second(0));
    assert!(book.has_room());
    assert_eq!(rows(&book).len(), 7);
    read(&mut book, second(0), [(9, 1), (10, 2)]);
    assert_eq!(take(&mut book, second(0)), Some(10));
    book.landed(run_id(2), Outcome::Delivered, second(0));
    assert_eq!(book.position(), 0);
    book.landed(run_id(1), Outcome::Delivered, second(30));
    assert_eq!(book.position(), 10);
    for n in 2..=9 {
        assert_eq!(take(&mut book, second(30)), Some(n));
        book.landed(run_id(1), Outcome::Delivered, second(30));
    }
}

#[test]
fn too_much_that_is_parked_stops_the_reading() {
    let mut small = limits();
    small.notifier_parked_max = 2;
    let place = NotifierCursor::new("slack".to_owned(), 0);
    let mut book = Book::new(&place, small, second(0));
    read(&mut book, second(0), [(1, 1), (2, 1)]);
    take(&mut book, second(0));
    assert!(book.has_room());
    book.landed(run_id(1), retryable(), second(0));
    assert!(!book.has_room());
    take(&mut book, second(1));
    book.landed(run_id(1), Outcome::Delivered, second(1));
    assert!(book.has_room());
}

#[test]
fn unwanted_events_are_stored_for_themselves_seldom() {
    let mut book = begin();
    book.passed(UNWANTED_MAX - 1);
    assert!(!book.is_unsaved() && book.is_behind());
    book.passed(UNWANTED_MAX);
    assert!(book.is_unsaved());
    book.mark_saved();
    assert!(!book.is_unsaved() && !book.is_behind());
}

#[test]
fn a_pause_is_taken_up_again_within_its_bounds_whatever_the_clock_did() {
    for (next_at, expected) in [(at(1_030), 30), (at(990), 0), (at(1_000_000), 600)] {
        let mut place = NotifierCursor::new("slack".to_owned(), 5);
        place.parked = vec![ParkedEvent::new(run_id(1), 3, next_at)];
        let mut book = Book::new(&place, limits(), second(1_000));
        let due = 1_000 + expected;
        if expected > 0 {
            assert_eq!(take(&mut book, second(due - 1)), None);
        }
        assert_eq!(take(&mut book, second(due)), Some(3));
    }
}

/// What a storage would have kept of a book.
#[derive(Default)]
struct Stored {
    place: u64,
    rows: BTreeMap<u64, ParkedEvent>,
}

impl Stored {
    fn save(&mut self, book: &mut Book) {
        assert!(book.position() >= self.place, "a place goes back");
        self.place = book.position();
        for (seq, row) in book.changes() {
            match row {
                Some(row) => drop(self.rows.insert(*seq, *row)),
                None => drop(self.rows.remove(seq)),
            }
        }
        book.mark_saved();
    }

    fn open(&self, now: Moment) -> Book {
        let mut place = NotifierCursor::new("slack".to_owned(), self.place);
        let rows = self.rows.values();
        let rows = rows.filter(|row| !row.is_dead || row.seq > self.place);
        place.parked = rows.copied().collect();
        Book::new(&place, limits(), now)
    }
}

/// A linear congruential generator (Knuth's), the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, count: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
}

/// One history: events of four runs, failures, saves and crashes at random; each event ends delivered or dead, in order a run.
fn live(seed: u64) {
    const LAST: u64 = 60;
    let mut random = Random(seed);
    let runs: Vec<u64> = (0..LAST).map(|_| random.below(4)).collect();
    let run_of = |seq: u64| runs[usize::try_from(seq - 1).unwrap()];
    let mut stored = Stored::default();
    let mut book = stored.open(second(0));
    let mut flying: Vec<(RunId, u64)> = Vec::new();
    let mut got: Vec<u64> = Vec::new();
    for step in 0_u64..2_000 {
        let now = second(step);
        match random.below(12) {
            0 => stored.save(&mut book),
            1 if random.below(6) == 0 => {
                flying.clear();
                book = stored.open(now);
            }
            2..=5 if book.has_room() && book.read_to() < LAST => {
                let next = book.read_to() + 1;
                read(&mut book, now, [(next, run_of(next))]);
            }
            6 => book.make_room(now),
            7..=9 if flying.len() < 4 => {
                flying.extend(book.take(now).map(|flight| (flight.run, flight.seq)));
            }
            _ if !flying.is_empty() => {
                let index = usize::try_from(random.below(flying.len() as u64)).unwrap();
                let (run, seq) = flying.swap_remove(index);
                if random.below(3) == 0 {
                    book.landed(run, retryable(), now);
                } else {
                    receive(&mut got, seq, run_of, seed);
                    book.landed(run, Outcome::Delivered, now);
                }
                if book.is_urgent() {
                    stored.save(&mut book);
                }
            }
            _ => {}
        }
    }
    for (run, seq) in flying {
        receive(&mut got, seq, run_of, seed);
        book.landed(run, Outcome::Delivered, second(10_000));
    }
    for next in book.read_to() + 1..=LAST {
        read(&mut book, second(10_000), [(next, run_of(next))]);
    }
    while let Some(flight) = book.take(second(10_000)) {
        receive(&mut got, flight.seq, run_of, seed);
        book.landed(flight.run, Outcome::Delivered, second(10_000));
    }
    stored.save(&mut book);
    assert_eq!(stored.place, LAST, "seed {seed}");
    let is_alive = |row: &&ParkedEvent| !row.is_dead;
    assert_eq!(stored.rows.values().find(is_alive), None, "seed {seed}");
    let is_lost = |seq: &u64| !got.contains(seq) && !stored.rows.contains_key(seq);
    assert_eq!((1..=LAST).find(is_lost), None, "seed {seed}");
}

/// The notifier gets an event: the first time none of its run that is later may have come before.
fn receive(got: &mut Vec<u64>, seq: u64, run_of: impl Fn(u64) -> u64, seed: u64) {
    if got.contains(&seq) {
        return;
    }
    let later = got
        .iter()
        .find(|own| run_of(**own) == run_of(seq) && **own > seq);
    assert_eq!(later, None, "seed {seed}: before {seq}");
    got.push(seq);
}

#[test]
fn in_any_history_every_event_is_delivered_in_order_or_dead() {
    (0..400).for_each(live);
}
