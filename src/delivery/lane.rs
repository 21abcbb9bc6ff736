//! The events of one run that a notifier has not got, in their order.
//!
//! Which lane moves when is decided by `book`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Event;

/// The letters of one run, by number. Once one is parked all behind it are.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) letters: VecDeque<Letter>,
    /// Whether the first is on its way: at most one of a run is.
    pub(super) is_flying: bool,
    /// When the first may go out, if it is parked.
    pub(super) due: Duration,
}

/// An event that the notifier has not got.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) seq: u64,
    pub(super) stage: Stage,
}

/// How a letter is kept.
#[derive(Debug)]
pub(super) enum Stage {
    /// In memory: the notifier's place is before it.
    Fresh(Arc<Event>),
    /// As a row: the place goes on without it.
    Parked { tries: u32 },
}

impl Letter {
    pub(super) const fn is_parked(&self) -> bool {
        match self.stage {
            Stage::Fresh(_) => false,
            Stage::Parked { tries: _ } => true,
        }
    }

    pub(super) const fn tries(&self) -> u32 {
        match self.stage {
            Stage::Fresh(_) => 0,
            Stage::Parked { tries } => tries,
        }
    }
}

impl Lane {
    /// Where a letter of this number belongs; none if it is here already.
    pub(super) fn place_of(&self, seq: u64) -> Option<usize> {
        self.letters
            .binary_search_by_key(&seq, |letter| letter.seq)
            .err()
    }

    /// Letters that wait in memory behind the first.
    pub(super) fn fresh_behind(&self) -> usize {
        let behind = self.letters.iter().skip(1);
        behind.filter(|letter| !letter.is_parked()).count()
    }
}
