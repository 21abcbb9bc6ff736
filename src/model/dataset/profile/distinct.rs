//! How many different values there are, exactly up to a bound, and the first of them.
//!
//! Which values are equal is the caller's: it gives what it wants compared.

use std::collections::HashSet;
use std::hash::Hash;

/// Distinct values that are counted exactly: a set of so many integers takes 16 MiB.
pub(super) const DISTINCT_MAX: usize = 1_000_000;
const SAMPLES_MAX: usize = 5;

pub(super) struct Distinct<T> {
    seen: HashSet<T, foldhash::fast::RandomState>,
    /// The value before, since columns are often sorted or constant.
    newest: Option<T>,
    pub(super) samples: Vec<T>,
    pub(super) is_capped: bool,
}

impl<T: Copy + Eq + Hash> Distinct<T> {
    pub(super) fn new() -> Self {
        Self {
            seen: HashSet::default(),
            newest: None,
            samples: Vec::with_capacity(SAMPLES_MAX),
            is_capped: false,
        }
    }

    pub(super) fn add(&mut self, value: T) {
        if self.is_capped || self.newest == Some(value) {
            return;
        }
        self.newest = Some(value);
        if self.seen.len() == DISTINCT_MAX {
            self.is_capped = !self.seen.contains(&value);
        } else if self.seen.insert(value) && self.samples.len() < SAMPLES_MAX {
            self.samples.push(value);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.seen.len() as u64
    }
}
