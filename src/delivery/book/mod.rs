//! What a courier has in hand: letters in the order of their runs, who goes out next, what is to be stored.
//!
//! It waits for nothing and asks no clock; carrying it out is left to `courier`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Moment;
use super::flight::{Flight, Outcome};
use super::lane::{Lane, Letter, Stage};
use crate::limits::Limits;
use crate::model::{Event, RunId};
use crate::notifier::NotifierError;
use crate::storage::{NotifierCursor, ParkedEvent};

/// The letters of one notifier.
#[derive(Debug)]
pub(super) struct Book {
    limits: Limits,
    lanes: HashMap<RunId, Lane>,
    /// Lanes whose first letter is fresh and not on its way, in turn.
    ready: VecDeque<RunId>,
    /// Lanes whose first letter is parked and not on its way, by when it may go out.
    waiting: BTreeSet<(Duration, RunId)>,
    /// Fresh letters. The notifier's place is before the least of them.
    open: BTreeSet<u64>,
    parked_count: usize,
    /// Parked letters that are on their way.
    retrying: usize,
    /// Every event up to here was read.
    read_to: u64,
    /// The greatest number of a row that was there at the start: below it events may be read again.
    known_to: u64,
    /// Dead letters that may be read again.
    dead: HashSet<u64>,
    /// Rows to be written, or to be removed.
    changes: BTreeMap<u64, Option<ParkedEvent>>,
    has_delivered: bool,
    /// Whether a letter has died: that is stored before later ones of its run go out, or after a crash it could come behind them.
    has_died: bool,
    /// The place as it is stored.
    saved: u64,
}

/// A failed try, for the log.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) run: RunId,
    pub(super) seq: u64,
    pub(super) tries: u32,
    pub(super) error: NotifierError,
    /// Whether the event was given up.
    pub(super) is_dead: bool,
}

/// Numbers that may pass unwanted before the place is stored for them alone.
const UNWANTED_MAX: u64 = 10_000;

impl Book {
    /// The book of a notifier that begins at its stored place.
    pub(super) fn new(place: &NotifierCursor, limits: Limits, now: Moment) -> Self {
        let mut book = Self {
            limits,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            waiting: BTreeSet::new(),
            open: BTreeSet::new(),
            parked_count: 0,
            retrying: 0,
            read_to: place.seq,
            known_to: place.parked.last().map_or(0, |parked| parked.seq),
            dead: HashSet::new(),
            changes: BTreeMap::new(),
            has_delivered: false,
            has_died: false,
            saved: place.seq,
        };
        for parked in &place.parked {
            book.take_up(parked, now);
        }
        book
    }

    fn take_up(&mut self, parked: &ParkedEvent, now: Moment) {
        let ParkedEvent {
            run,
            seq,
            tries,
            next_at,
            is_dead,
        } = *parked;
        if is_dead {
            self.dead.insert(seq);
            return;
        }
        let lane = self.lanes.entry(run).or_default();
        if lane.letters.is_empty() {
            // The clock on the wall may have stepped since.
            let rest = next_at.signed_duration_since(now.wall).to_std();
            let rest = rest.unwrap_or_default().min(self.limits.notifier_delay_max);
            lane.due = now.elapsed.saturating_add(rest);
            self.waiting.insert((lane.due, run));
        }
        let stage = Stage::Parked { tries };
        lane.letters.push_back(Letter { seq, stage });
        self.parked_count += 1;
    }

    pub(super) const fn read_to(&self) -> u64 {
        self.read_to
    }

    /// Every event up to this number was delivered, is not wanted, or is parked.
    pub(super) fn position(&self) -> u64 {
        let before = self.open.first().map(|seq| seq.saturating_sub(1));
        before.unwrap_or(self.read_to)
    }

    /// Whether another page may be read.
    pub(super) fn has_room(&self) -> bool {
        let may_park =
            self.parked_count < self.limits.notifier_parked_max || self.read_to < self.known_to;
        may_park
            && self.open.len() < self.limits.events_page_max
            && self.changes.len() < self.limits.events_page_max.saturating_mul(4)
    }

    /// Whether nothing is left in memory that could go out.
    pub(super) fn is_clear(&self) -> bool {
        self.open.is_empty()
    }

    /// All events up to `seq` were read; what is wanted of them was added.
    pub(super) fn passed(&mut self, seq: u64) {
        self.read_to = self.read_to.max(seq);
        if self.read_to >= self.known_to {
            self.dead.clear();
        }
    }

    /// Adds an event that is wanted; events come in the order of their numbers.
    pub(super) fn add(&mut self, event: Event, now: Moment) {
        let (run, seq) = (event.run_id, event.seq);
        if self.dead.contains(&seq) {
            return;
        }
        let lane = self.lanes.entry(run).or_default();
        let Some(index) = lane.place_of(seq) else {
            return;
        };
        let before = index.checked_sub(1).and_then(|last| lane.letters.get(last));
        if before.is_some_and(Letter::is_parked) {
            let stage = Stage::Parked { tries: 0 };
            lane.letters.insert(index, Letter { seq, stage });
            self.parked_count += 1;
            self.changes
                .insert(seq, Some(ParkedEvent::new(run, seq, now.wall)));
            return;
        }
        if index == 0 {
            // What is behind it was parked before a crash and has not gone out again: this one goes first.
            self.waiting.remove(&(lane.due, run));
            self.ready.push_back(run);
        }
        let stage = Stage::Fresh(Arc::new(event));
        lane.letters.insert(index, Letter { seq, stage });
        self.open.insert(seq);
    }

    /// The next letter that may go out, if there is one. Parked ones take half of the ways at most, so that they never take all.
    pub(super) fn take(&mut self, now: Moment) -> Option<Flight> {
        let run = match self.next_retry(now) {
            Some((due, run)) => {
                self.waiting.remove(&(due, run));
                self.retrying += 1;
                run
            }
            None => self.ready.pop_front()?,
        };
        let lane = self.lanes.get_mut(&run)?;
        lane.is_flying = true;
        let first = lane.letters.front()?;
        let event = match &first.stage {
            Stage::Fresh(event) => Some(Arc::clone(event)),
            Stage::Parked { tries: _ } => None,
        };
        let seq = first.seq;
        Some(Flight { run, seq, event })
    }

    fn next_retry(&self, now: Moment) -> Option<(Duration, RunId)> {
        if self.retrying >= (self.limits.notifier_in_flight_max / 2).max(1) {
            return None;
        }
        let mut due = self
            .waiting
            .iter()
            .take_while(|(due, _)| *due <= now.elapsed);
        // Before a letter that was parked ahead of the place others of its run may still be read.
        let may_go = |run: &RunId| {
            let first = self.lanes.get(run).and_then(|lane| lane.letters.front());
            first.is_some_and(|letter| letter.seq <= self.read_to)
        };
        due.find(|(_, run)| may_go(run)).copied()
    }

    /// Whether a letter could go out if there were a way.
    pub(super) fn has_next(&self, now: Moment) -> bool {
        !self.ready.is_empty() || self.next_retry(now).is_some()
    }

    /// When the next parked letter may go out that may not yet.
    pub(super) fn next_due(&self, now: Moment) -> Option<Duration> {
        let mut later = self.waiting.iter().map(|(due, _)| *due);
        later.find(|due| *due > now.elapsed)
    }

    /// Parks what waits in memory behind letters that do not come back, so that other runs can be read.
    pub(super) fn make_room(&mut self, now: Moment) {
        while self.ready.is_empty()
            && self.open.len() >= self.limits.events_page_max
            && self.parked_count < self.limits.notifier_parked_max
        {
            let longest = self
                .lanes
                .iter()
                .max_by_key(|(_, lane)| lane.fresh_behind());
            let Some((run, _)) = longest.filter(|(_, lane)| lane.fresh_behind() > 0) else {
                return;
            };
            self.park_behind(*run, 1, now.wall);
        }
    }

    /// Parks the fresh letters of a run from an index on.
    fn park_behind(&mut self, run: RunId, index: usize, next_at: DateTime<Utc>) {
        let Some(lane) = self.lanes.get_mut(&run) else {
            return;
        };
        for letter in lane.letters.iter_mut().skip(index) {
            if letter.is_parked() {
                continue;
            }
            letter.stage = Stage::Parked { tries: 0 };
            self.open.remove(&letter.seq);
            self.parked_count += 1;
            let row = ParkedEvent::new(run, letter.seq, next_at);
            self.changes.insert(letter.seq, Some(row));
        }
    }

    /// Notes what became of a letter; what failed is told.
    pub(super) fn landed(&mut self, run: RunId, outcome: Outcome, now: Moment) -> Option<Failure> {
        let lane = self.lanes.get_mut(&run)?;
        lane.is_flying = false;
        lane.due = now.elapsed;
        let letter = lane.letters.pop_front()?;
        self.retrying -= usize::from(letter.is_parked());
        let failure = match outcome {
            Outcome::Delivered | Outcome::Gone => {
                self.close(&letter, None);
                self.has_delivered = true;
                None
            }
            Outcome::Waits => {
                lane.due = now.elapsed.saturating_add(self.limits.notifier_delay);
                lane.letters.push_front(letter);
                None
            }
            Outcome::Failed(error) => Some(self.fail(run, &letter, error, now)),
        };
        self.put_back(run);
        failure
    }

    /// Takes a letter out of what is in hand; `row` is what is stored of it.
    fn close(&mut self, letter: &Letter, row: Option<ParkedEvent>) {
        if letter.is_parked() {
            self.parked_count -= 1;
        }
        self.open.remove(&letter.seq);
        if letter.is_parked() || row.is_some() {
            self.changes.insert(letter.seq, row);
        }
    }

    fn fail(&mut self, run: RunId, letter: &Letter, error: NotifierError, now: Moment) -> Failure {
        let seq = letter.seq;
        let tries = letter.tries().saturating_add(1);
        let is_dead = !error.is_retryable() || tries >= self.limits.notifier_tries_max;
        let pause = self.pause(tries);
        let mut row = ParkedEvent::new(run, seq, later(now.wall, pause));
        (row.tries, row.is_dead) = (tries, is_dead);
        self.close(letter, Some(row));
        self.has_died |= is_dead;
        if !is_dead && let Some(lane) = self.lanes.get_mut(&run) {
            lane.due = now.elapsed.saturating_add(pause);
            let stage = Stage::Parked { tries };
            lane.letters.push_front(Letter { seq, stage });
            self.parked_count += 1;
            self.park_behind(run, 1, now.wall);
        }
        Failure {
            run,
            seq,
            tries,
            error,
            is_dead,
        }
    }

    /// The pause after so many tries.
    fn pause(&self, tries: u32) -> Duration {
        let doublings = tries.saturating_sub(1).min(u32::BITS - 1);
        let whole = self.limits.notifier_delay.saturating_mul(1 << doublings);
        whole.min(self.limits.notifier_delay_max)
    }

    /// Puts a lane where its first letter belongs.
    fn put_back(&mut self, run: RunId) {
        let Some(lane) = self.lanes.get(&run) else {
            return;
        };
        match lane.letters.front() {
            None => drop(self.lanes.remove(&run)),
            Some(first) if first.is_parked() => drop(self.waiting.insert((lane.due, run))),
            Some(_) => self.ready.push_back(run),
        }
    }

    /// Whether there is something to store before long.
    pub(super) fn is_unsaved(&self) -> bool {
        let passed = self.position().saturating_sub(self.saved);
        !self.changes.is_empty() || (self.has_delivered && passed > 0) || passed >= UNWANTED_MAX
    }

    /// Whether what is to be stored does not wait for more.
    pub(super) fn is_urgent(&self) -> bool {
        self.has_died || self.changes.len() >= self.limits.events_page_max
    }

    /// Whether the stored place is behind at all.
    pub(super) fn is_behind(&self) -> bool {
        !self.changes.is_empty() || self.position() > self.saved
    }

    /// Rows to be written, or removed (none), by number.
    pub(super) const fn changes(&self) -> &BTreeMap<u64, Option<ParkedEvent>> {
        &self.changes
    }

    /// The place and all changes are stored.
    pub(super) fn mark_saved(&mut self) {
        self.saved = self.position();
        self.changes.clear();
        self.has_delivered = false;
        self.has_died = false;
    }
}

fn later(wall: DateTime<Utc>, pause: Duration) -> DateTime<Utc> {
    let pause = TimeDelta::from_std(pause).ok();
    pause
        .and_then(|pause| wall.checked_add_signed(pause))
        .unwrap_or(wall)
}

#[cfg(test)]
mod tests;
