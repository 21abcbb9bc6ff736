//! Unit tests of the ledger: order, parking, retry delays, dead letters, saved rows, and random
//! histories with crashes.

use super::unsaved::UNWANTED_EVENTS_MAX;
use super::*;
use crate::delivery::attempt::DeliveryOutcome;
use crate::model::EventKind;
use crate::notifier::NotifierError;
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

fn new_ledger() -> Ledger {
    let cursor = NotifierCursor::new("slack".to_owned(), 0);
    Ledger::new(
        &cursor,
        (RetrySchedule::default(), Backlog::Waits),
        limits(),
        second(0),
    )
}

fn of(run: u64) -> QueueKey {
    QueueKey::of_run(run_id(run))
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

/// Adds these events, given as number and run.
fn read(ledger: &mut Ledger, now: Moment, events: impl IntoIterator<Item = (u64, u64)>) {
    for (seq, run) in events {
        ledger.add(event(seq, run), now);
        ledger.mark_read(seq);
    }
}

fn start(ledger: &mut Ledger, now: Moment) -> Option<u64> {
    ledger.start_attempt(now).map(|attempt| attempt.seq)
}

fn retryable() -> DeliveryOutcome {
    DeliveryOutcome::Failed(NotifierError::retryable("no"))
}

/// Returns the changed rows: number, tries, whether dead. `None` is a removed row.
fn rows(ledger: &Ledger) -> Vec<(u64, Option<(u32, bool)>)> {
    let changes = ledger.changes().iter();
    changes
        .map(|(seq, row)| (*seq, row.as_ref().map(|row| (row.tries, row.is_dead))))
        .collect()
}

#[test]
fn one_event_per_run_is_in_flight_and_runs_do_not_wait_for_each_other() {
    let mut ledger = new_ledger();
    let now = second(1);
    read(&mut ledger, now, [(1, 1), (2, 1), (3, 2), (4, 3)]);
    let expected = [1, 3, 4].map(Some);
    assert_eq!([(); 3].map(|()| start(&mut ledger, now)), expected);
    assert_eq!(start(&mut ledger, now), None);
    assert!(
        ledger
            .finish_attempt(of(2), DeliveryOutcome::Delivered, now)
            .is_none()
    );
    assert_eq!((ledger.cursor(), start(&mut ledger, now)), (0, None));
    assert!(
        ledger
            .finish_attempt(of(1), DeliveryOutcome::Delivered, now)
            .is_none()
    );
    assert_eq!((ledger.cursor(), start(&mut ledger, now)), (1, Some(2)));
    for run in [1, 3] {
        assert!(
            ledger
                .finish_attempt(of(run), DeliveryOutcome::Delivered, now)
                .is_none()
        );
    }
    assert_eq!((ledger.cursor(), rows(&ledger)), (4, vec![]));
}

#[test]
fn a_failure_parks_the_later_events_of_its_run_and_the_cursor_advances() {
    let mut ledger = new_ledger();
    read(&mut ledger, second(1), [(1, 1), (2, 1), (3, 2)]);
    assert_eq!(start(&mut ledger, second(1)), Some(1));
    let failure = ledger
        .finish_attempt(of(1), retryable(), second(1))
        .unwrap();
    assert_eq!((failure.seq, failure.tries, failure.is_dead), (1, 1, false));
    read(&mut ledger, second(1), [(4, 1)]);
    assert_eq!(start(&mut ledger, second(1)), Some(3));
    ledger.finish_attempt(of(2), DeliveryOutcome::Delivered, second(1));
    assert_eq!(ledger.cursor(), 4);
    let parked = [
        (1, Some((1, false))),
        (2, Some((0, false))),
        (4, Some((0, false))),
    ];
    assert_eq!(rows(&ledger), parked);
    assert_eq!(start(&mut ledger, second(1)), None);
    assert_eq!(
        ledger.next_retry_at(second(1)),
        Some(Duration::from_secs(2))
    );
    ledger.mark_saved();
    for seq in [1, 2, 4] {
        assert_eq!(start(&mut ledger, second(2)), Some(seq));
        ledger.finish_attempt(of(1), DeliveryOutcome::Delivered, second(2));
    }
    assert_eq!(rows(&ledger), [(1, None), (2, None), (4, None)]);
    assert_eq!(start(&mut ledger, second(9)), None);
}

#[test]
fn too_many_tries_or_a_permanent_error_make_a_dead_letter_and_the_run_continues() {
    let mut ledger = new_ledger();
    read(&mut ledger, second(0), [(1, 1), (2, 1), (3, 1)]);
    for (tries, seconds) in [(1, 0), (2, 1), (3, 3)] {
        assert_eq!(start(&mut ledger, second(seconds)), Some(1), "{tries}");
        let failure = ledger
            .finish_attempt(of(1), retryable(), second(seconds))
            .unwrap();
        assert_eq!((failure.tries, failure.is_dead), (tries, tries == 3));
    }
    assert_eq!(start(&mut ledger, second(3)), Some(2));
    let permanent = DeliveryOutcome::Failed(NotifierError::permanent("never"));
    let failure = ledger.finish_attempt(of(1), permanent, second(3)).unwrap();
    assert!(failure.is_dead);
    let dead = [
        (1, Some((3, true))),
        (2, Some((1, true))),
        (3, Some((0, false))),
    ];
    assert_eq!(
        (rows(&ledger), start(&mut ledger, second(3))),
        (dead.to_vec(), Some(3))
    );
}

#[test]
fn a_permanent_failure_in_memory_parks_no_later_event() {
    let mut ledger = new_ledger();
    read(&mut ledger, second(0), [(1, 1), (2, 1)]);
    assert_eq!(start(&mut ledger, second(0)), Some(1));
    let permanent = DeliveryOutcome::Failed(NotifierError::permanent("never"));
    ledger.finish_attempt(of(1), permanent, second(0));
    assert_eq!(rows(&ledger), [(1, Some((1, true)))]);
    assert_eq!(
        (start(&mut ledger, second(0)), ledger.cursor()),
        (Some(2), 1)
    );
}

#[test]
fn unavailable_storage_does_not_count_as_a_try() {
    let mut ledger = new_ledger();
    read(&mut ledger, second(0), [(1, 1)]);
    start(&mut ledger, second(0));
    ledger.finish_attempt(of(1), retryable(), second(0));
    for n in [1, 2, 3, 4] {
        assert_eq!(start(&mut ledger, second(n)), Some(1));
        assert!(
            ledger
                .finish_attempt(of(1), DeliveryOutcome::StorageUnavailable, second(n))
                .is_none()
        );
        assert_eq!(start(&mut ledger, second(n)), None);
    }
    assert_eq!(rows(&ledger), [(1, Some((1, false)))]);
    start(&mut ledger, second(5));
    ledger.finish_attempt(of(1), DeliveryOutcome::EventPurged, second(5));
    assert_eq!(rows(&ledger), [(1, None)]);
}

#[test]
fn retries_take_at_most_half_of_the_attempts_in_flight() {
    let mut ledger = new_ledger();
    read(&mut ledger, second(0), (1..=4).map(|n| (n, n)));
    for n in 1..=4 {
        start(&mut ledger, second(0));
        ledger.finish_attempt(of(n), retryable(), second(0));
    }
    read(&mut ledger, second(0), [(5, 5)]);
    let taken = [(); 4].map(|()| start(&mut ledger, second(9)));
    assert_eq!(taken, [Some(1), Some(2), Some(5), None]);
    ledger.finish_attempt(of(1), DeliveryOutcome::Delivered, second(9));
    assert_eq!(start(&mut ledger, second(9)), Some(3));
}

#[test]
fn a_long_attempt_does_not_hold_up_the_events_of_other_runs() {
    let mut ledger = new_ledger();
    read(&mut ledger, second(0), (1..=8).map(|n| (n, 1)));
    assert_eq!(
        (start(&mut ledger, second(0)), ledger.has_room()),
        (Some(1), false)
    );
    ledger.make_room(second(0));
    assert!(ledger.has_room());
    assert_eq!(rows(&ledger).len(), 7);
    read(&mut ledger, second(0), [(9, 1), (10, 2)]);
    assert_eq!(start(&mut ledger, second(0)), Some(10));
    ledger.finish_attempt(of(2), DeliveryOutcome::Delivered, second(0));
    assert_eq!(ledger.cursor(), 0);
    ledger.finish_attempt(of(1), DeliveryOutcome::Delivered, second(30));
    assert_eq!(ledger.cursor(), 10);
    for n in 2..=9 {
        assert_eq!(start(&mut ledger, second(30)), Some(n));
        ledger.finish_attempt(of(1), DeliveryOutcome::Delivered, second(30));
    }
}

#[test]
fn reading_stops_while_too_many_events_are_parked() {
    let mut small = limits();
    small.notifier_parked_max = 2;
    let cursor = NotifierCursor::new("slack".to_owned(), 0);
    let mut ledger = Ledger::new(
        &cursor,
        (RetrySchedule::default(), Backlog::Waits),
        small,
        second(0),
    );
    read(&mut ledger, second(0), [(1, 1), (2, 1)]);
    start(&mut ledger, second(0));
    assert!(ledger.has_room());
    ledger.finish_attempt(of(1), retryable(), second(0));
    assert!(!ledger.has_room());
    start(&mut ledger, second(1));
    ledger.finish_attempt(of(1), DeliveryOutcome::Delivered, second(1));
    assert!(ledger.has_room());
}

#[test]
fn unwanted_events_alone_are_rarely_saved() {
    let mut ledger = new_ledger();
    ledger.mark_read(UNWANTED_EVENTS_MAX - 1);
    assert!(!ledger.has_progress_to_save() && ledger.has_unsaved_changes());
    ledger.mark_read(UNWANTED_EVENTS_MAX);
    assert!(ledger.has_progress_to_save());
    ledger.mark_saved();
    assert!(!ledger.has_progress_to_save() && !ledger.has_unsaved_changes());
}

#[test]
fn a_restored_retry_delay_stays_within_its_bounds_after_a_clock_step() {
    for (next_at, expected) in [(at(1_030), 30), (at(990), 0), (at(1_000_000), 600)] {
        let mut cursor = NotifierCursor::new("slack".to_owned(), 5);
        cursor.parked = vec![ParkedEvent::new(run_id(1), 3, next_at)];
        let mut ledger = Ledger::new(
            &cursor,
            (RetrySchedule::default(), Backlog::Waits),
            limits(),
            second(1_000),
        );
        let retry_at = 1_000 + expected;
        if expected > 0 {
            assert_eq!(start(&mut ledger, second(retry_at - 1)), None);
        }
        assert_eq!(start(&mut ledger, second(retry_at)), Some(3));
    }
}

fn gone() -> DeliveryOutcome {
    DeliveryOutcome::Failed(NotifierError::gone("bye"))
}

fn finish(ledger: &mut Ledger, run: u64, outcome: DeliveryOutcome, now: Moment) {
    ledger.finish_attempt(of(run), outcome, now);
}

#[test]
fn a_receiver_that_is_gone_gets_nothing_more_and_every_event_becomes_a_dead_letter() {
    let mut ledger = new_ledger();
    read(
        &mut ledger,
        second(0),
        [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)],
    );
    assert_eq!(
        [(); 2].map(|()| start(&mut ledger, second(0))),
        [1, 3].map(Some)
    );
    let failed = ledger.finish_attempt(of(1), gone(), second(0)).unwrap();
    assert!(failed.is_dead && failed.disables);
    let row = ledger.changes()[&1].as_ref().unwrap();
    assert_eq!(row.error.as_deref(), Some("bye"));
    assert_eq!(start(&mut ledger, second(9)), None);
    // Run 2 is in flight meanwhile.
    finish(&mut ledger, 2, retryable(), second(1));
    read(&mut ledger, second(1), [(6, 1), (7, 4)]);
    assert_eq!(start(&mut ledger, second(9)), None);
    let tries = [(1, 1), (2, 0), (3, 1), (4, 0), (5, 0), (6, 0), (7, 0)];
    let expected = tries.map(|(seq, tries)| (seq, Some((tries, true))));
    assert_eq!((rows(&ledger), ledger.cursor()), (expected.to_vec(), 7));
}

#[test]
fn a_success_of_a_requested_retry_enables_the_notifier_again() {
    let mut ledger = new_ledger();
    read(&mut ledger, second(0), [(1, 1), (2, 2)]);
    start(&mut ledger, second(0));
    finish(&mut ledger, 1, gone(), second(0));
    ledger.mark_saved();
    ledger.retry(run_id(2), 2, second(1));
    assert_eq!(start(&mut ledger, second(1)), Some(2));
    finish(&mut ledger, 2, retryable(), second(1));
    assert_eq!(rows(&ledger), [(2, Some((1, true)))]);
    ledger.retry(run_id(2), 2, second(2));
    assert_eq!(start(&mut ledger, second(2)), Some(2));
    finish(&mut ledger, 2, DeliveryOutcome::Delivered, second(2));
    read(&mut ledger, second(2), [(3, 3)]);
    assert_eq!(start(&mut ledger, second(2)), Some(3));
    assert_eq!(rows(&ledger), [(2, None)]);
}

#[test]
fn a_requested_retry_comes_before_later_events_that_are_not_in_flight() {
    let mut ledger = new_ledger();
    read(&mut ledger, second(0), [(1, 1), (2, 1), (3, 1), (4, 1)]);
    start(&mut ledger, second(0));
    let permanent = || DeliveryOutcome::Failed(NotifierError::permanent("never"));
    finish(&mut ledger, 1, permanent(), second(0));
    assert_eq!(start(&mut ledger, second(0)), Some(2));
    ledger.retry(run_id(1), 1, second(0));
    ledger.retry(run_id(1), 1, second(0));
    assert_eq!(start(&mut ledger, second(0)), None);
    finish(
        &mut ledger,
        1,
        DeliveryOutcome::StorageUnavailable,
        second(0),
    );
    for seq in [1, 2, 3, 4] {
        assert_eq!(start(&mut ledger, second(9)), Some(seq));
        finish(&mut ledger, 1, DeliveryOutcome::Delivered, second(9));
    }
    assert_eq!(start(&mut ledger, second(9)), None);
    assert_eq!(ledger.cursor(), 4);
}

#[test]
fn a_requested_retry_does_not_wait_for_the_delay_of_a_later_event() {
    let mut ledger = new_ledger();
    read(&mut ledger, second(0), [(1, 1), (2, 1)]);
    start(&mut ledger, second(0));
    finish(
        &mut ledger,
        1,
        DeliveryOutcome::Failed(NotifierError::permanent("never")),
        second(0),
    );
    start(&mut ledger, second(0));
    finish(&mut ledger, 1, retryable(), second(0));
    ledger.retry(run_id(1), 1, second(0));
    assert_eq!(start(&mut ledger, second(0)), Some(1));
    finish(&mut ledger, 1, DeliveryOutcome::Delivered, second(0));
    assert_eq!(start(&mut ledger, second(1)), Some(2));
}

#[test]
fn a_receiver_can_delay_a_retry_beyond_the_schedule() {
    let mut ledger = new_ledger();
    read(&mut ledger, second(0), [(1, 1)]);
    start(&mut ledger, second(0));
    let busy = NotifierError::retryable("busy").retry_after(Duration::from_secs(90));
    finish(&mut ledger, 1, DeliveryOutcome::Failed(busy), second(0));
    assert_eq!(
        ledger.next_retry_at(second(0)),
        Some(Duration::from_secs(90))
    );
}

#[test]
fn a_schedule_of_the_notifier_replaces_that_of_the_limits() {
    let cursor = NotifierCursor::new("slack".to_owned(), 0);
    let schedule = RetrySchedule::after([Duration::from_secs(100)]);
    let mut ledger = Ledger::new(&cursor, (schedule, Backlog::Waits), limits(), second(0));
    read(&mut ledger, second(0), [(1, 1)]);
    start(&mut ledger, second(0));
    finish(&mut ledger, 1, retryable(), second(0));
    assert_eq!(start(&mut ledger, second(99)), None);
    assert_eq!(start(&mut ledger, second(110)), Some(1));
    finish(&mut ledger, 1, retryable(), second(110));
    assert_eq!(rows(&ledger), [(1, Some((2, true)))]);
}

/// What storage keeps of a ledger.
#[derive(Default)]
struct Stored {
    cursor: u64,
    rows: BTreeMap<u64, ParkedEvent>,
}

impl Stored {
    fn save(&mut self, ledger: &mut Ledger) {
        assert!(ledger.cursor() >= self.cursor, "a cursor goes back");
        self.cursor = ledger.cursor();
        for (seq, row) in ledger.changes() {
            match row {
                Some(row) => drop(self.rows.insert(*seq, row.clone())),
                None => drop(self.rows.remove(seq)),
            }
        }
        ledger.mark_saved();
    }

    fn restore(&self, backlog: Backlog, now: Moment) -> Ledger {
        let mut cursor = NotifierCursor::new("slack".to_owned(), self.cursor);
        let rows = self.rows.values();
        let rows = rows.filter(|row| !row.is_dead || row.seq > self.cursor);
        cursor.parked = rows.cloned().collect();
        Ledger::new(&cursor, (RetrySchedule::default(), backlog), limits(), now)
    }
}

impl Stored {
    /// Retries one of the dead letters, as a caller does: its row is stored first.
    fn retry_one(&mut self, ledger: &mut Ledger, random: &mut Random, now: Moment) {
        let dead: Vec<_> = self.rows.values().filter(|row| row.is_dead).collect();
        if dead.is_empty() {
            return;
        }
        let index = usize::try_from(random.below(dead.len() as u64)).unwrap();
        let (run, seq) = (dead[index].run, dead[index].seq);
        self.rows.insert(seq, ParkedEvent::new(run, seq, now.wall));
        ledger.retry(run, seq, now);
    }
}

/// A linear congruential generator (Knuth's): the same seed gives the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, count: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
}

/// Plays one history: events of four runs, with random failures, saves and crashes.
///
/// Each event must be delivered or dead at the end, in order per run.
///
/// If the receiver may be gone, dead letters are retried on request, and only the order is free. It
/// is also free if there are many receivers.
fn play(seed: u64, may_be_gone: bool, backlog: Backlog) {
    const LAST: u64 = 60;
    let mut random = Random(seed);
    let runs: Vec<u64> = (0..LAST).map(|_| random.below(4)).collect();
    let run_of = |seq: u64| runs[usize::try_from(seq - 1).unwrap()];
    let receive = |got: &mut Vec<u64>, seq| {
        let is_free = may_be_gone || backlog == Backlog::IsBuried;
        let is_in_order = is_free || is_in_order(got, seq, run_of);
        assert!(is_in_order, "seed {seed}: {seq}");
        got.push(seq);
    };
    let mut stored = Stored::default();
    let mut ledger = stored.restore(backlog, second(0));
    let mut in_flight: Vec<(QueueKey, u64)> = Vec::new();
    let mut got: Vec<u64> = Vec::new();
    for step in 0_u64..2_000 {
        let now = second(step);
        match random.below(12) {
            0 => stored.save(&mut ledger),
            1 if random.below(6) == 0 => {
                in_flight.clear();
                ledger = stored.restore(backlog, now);
            }
            2..=5 if ledger.has_room() && ledger.read_to() < LAST => {
                let next = ledger.read_to() + 1;
                read(&mut ledger, now, [(next, run_of(next))]);
            }
            6 => ledger.make_room(now),
            10 if may_be_gone => stored.retry_one(&mut ledger, &mut random, now),
            7..=9 if in_flight.len() < 4 => {
                in_flight.extend(
                    ledger
                        .start_attempt(now)
                        .map(|attempt| (attempt.queue, attempt.seq)),
                );
            }
            _ if !in_flight.is_empty() => {
                let index = usize::try_from(random.below(in_flight.len() as u64)).unwrap();
                let (queue, seq) = in_flight.swap_remove(index);
                if may_be_gone && random.below(9) == 0 {
                    ledger.finish_attempt(queue, gone(), now);
                } else if random.below(3) == 0 {
                    ledger.finish_attempt(queue, retryable(), now);
                } else {
                    receive(&mut got, seq);
                    ledger.finish_attempt(queue, DeliveryOutcome::Delivered, now);
                }
                if ledger.is_save_urgent() {
                    stored.save(&mut ledger);
                }
            }
            _ => {}
        }
    }
    for (queue, seq) in in_flight {
        receive(&mut got, seq);
        ledger.finish_attempt(queue, DeliveryOutcome::Delivered, second(10_000));
    }
    for next in ledger.read_to() + 1..=LAST {
        read(&mut ledger, second(10_000), [(next, run_of(next))]);
    }
    while let Some(attempt) = ledger.start_attempt(second(10_000)) {
        receive(&mut got, attempt.seq);
        ledger.finish_attempt(attempt.queue, DeliveryOutcome::Delivered, second(10_000));
    }
    stored.save(&mut ledger);
    assert_eq!(stored.cursor, LAST, "seed {seed}");
    let is_alive = |row: &&ParkedEvent| !row.is_dead;
    assert_eq!(stored.rows.values().find(is_alive), None, "seed {seed}");
    let is_missing = |seq: &u64| !got.contains(seq) && !stored.rows.contains_key(seq);
    assert_eq!((1..=LAST).find(is_missing), None, "seed {seed}");
}

/// Returns whether no later event of its run was delivered before the first delivery of an event.
fn is_in_order(got: &[u64], seq: u64, run_of: impl Fn(u64) -> u64) -> bool {
    let mut later = got.iter().filter(|own| run_of(**own) == run_of(seq));
    got.contains(&seq) || later.all(|own| *own < seq)
}

#[test]
fn every_event_is_delivered_in_order_or_dead_in_any_history() {
    (0..400).for_each(|seed| play(seed, false, Backlog::Waits));
}

#[test]
fn every_event_is_delivered_or_dead_though_the_receiver_goes_and_dead_letters_are_retried() {
    (0..400).for_each(|seed| play(seed, true, Backlog::Waits));
}

#[test]
fn every_event_is_delivered_or_dead_in_any_history_with_many_receivers() {
    for seed in 0..200 {
        play(seed, false, Backlog::IsBuried);
        play(seed, true, Backlog::IsBuried);
    }
}

/// A receiver that is down must not keep the later events of its run from other ones.
#[test]
fn a_delivery_that_is_retried_holds_nothing_up_if_there_are_many_receivers() {
    let with = (RetrySchedule::default(), Backlog::IsBuried);
    let cursor = NotifierCursor::new("hooks".to_owned(), 0);
    let mut ledger = Ledger::new(&cursor, with.clone(), limits(), second(0));
    read(&mut ledger, second(0), [(1, 1), (2, 1)]);
    // Until one has failed, they are in order.
    assert_eq!(start(&mut ledger, second(0)), Some(1));
    assert_eq!(start(&mut ledger, second(0)), None);
    finish(&mut ledger, 1, retryable(), second(0));
    assert_eq!(start(&mut ledger, second(0)), Some(2));
    assert_eq!(rows(&ledger), [(1, Some((1, false)))]);
    finish(&mut ledger, 1, retryable(), second(0));
    assert_eq!(ledger.cursor(), 2);
    // Nor after a restart, in which the first one waits longer.
    let mut cursor = NotifierCursor::new("hooks".to_owned(), 2);
    cursor.parked = vec![
        ParkedEvent::new(run_id(1), 1, at(100)),
        ParkedEvent::new(run_id(1), 2, at(1)),
    ];
    cursor.parked.iter_mut().for_each(|parked| parked.tries = 1);
    let mut ledger = Ledger::new(&cursor, with, limits(), second(0));
    let attempt = ledger.start_attempt(second(1)).unwrap();
    assert_eq!((attempt.seq, start(&mut ledger, second(9))), (2, None));
    ledger.finish_attempt(attempt.queue, DeliveryOutcome::Delivered, second(1));
    assert_eq!(start(&mut ledger, second(100)), Some(1));
}

/// One receiver that is down must not keep the events of others unread.
#[test]
fn a_backlog_that_is_full_is_buried_if_it_has_many_receivers() {
    let cursor = NotifierCursor::new("slack".to_owned(), 0);
    let limits = Limits {
        notifier_parked_max: 2,
        ..limits()
    };
    let now = second(1);
    let fail_all = |ledger: &mut Ledger| {
        read(ledger, now, (1..=3).map(|n| (n, n)));
        for run in 1..=3 {
            start(ledger, now).unwrap();
            ledger.finish_attempt(of(run), retryable(), now);
        }
    };
    let with = |backlog| (RetrySchedule::default(), backlog);
    let mut waits = Ledger::new(&cursor, with(Backlog::Waits), limits.clone(), now);
    fail_all(&mut waits);
    assert!(!waits.has_room());
    let mut buries = Ledger::new(&cursor, with(Backlog::IsBuried), limits, now);
    fail_all(&mut buries);
    assert!(buries.has_room());
    let expected = [
        (1, Some((1, false))),
        (2, Some((1, false))),
        (3, Some((1, true))),
    ];
    assert_eq!(rows(&buries), expected);
    // A delivery that is parked keeps its place.
    let later = second(2);
    let attempt = buries.start_attempt(later).unwrap();
    buries.finish_attempt(attempt.queue, retryable(), later);
    assert_eq!(rows(&buries)[0], (1, Some((2, false))));
}
