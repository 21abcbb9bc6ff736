//! Counts distinct values, exactly up to a bound, and keeps the first of them.
//!
//! The caller decides which values are equal, by the keys that it adds.

use std::collections::HashSet;
use std::hash::Hash;

/// The most distinct values that are counted exactly. A set of this many integers takes 16 MiB.
pub(super) const DISTINCT_MAX: usize = 1_000_000;
const SAMPLES_MAX: usize = 5;

pub(super) struct Distinct<T> {
    seen: HashSet<T, foldhash::fast::RandomState>,
    /// The previous value. Columns are often sorted or constant, so this saves most lookups.
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
