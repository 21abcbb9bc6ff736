//! What a test has laid in wait for the calls of a storage.
//!
//! Carrying it out is left to `faulty_storage`.

use std::collections::BTreeMap;

use super::fault::When;
use super::{Fault, Gate, Method};
use crate::error::Error;

#[derive(Default)]
pub(super) struct Cues {
    pub(super) faults: Vec<Fault>,
    pub(super) gates: Vec<(Method, When, Gate)>,
    pub(super) calls: BTreeMap<Method, u64>,
    pub(super) damages_outputs: bool,
    pub(super) stays_open: bool,
}

/// What becomes of one call.
pub(super) struct Cue {
    pub(super) fault: Option<(When, Error)>,
    pub(super) before: Option<Gate>,
    pub(super) after: Option<Gate>,
}

impl Cues {
    /// Counts a call and tells what becomes of it.
    pub(super) fn next(&mut self, method: Method) -> Cue {
        *self.calls.entry(method).or_default() += 1;
        let mut struck = None;
        for fault in &mut self.faults {
            if fault.strikes(method) && struck.is_none() {
                struck = Some((fault.when, fault.failure(method)));
            }
        }
        Cue {
            fault: struck,
            before: self.take_gate(method, When::Before),
            after: self.take_gate(method, When::After),
        }
    }

    fn take_gate(&mut self, method: Method, when: When) -> Option<Gate> {
        let is_own = |(own, at, _): &(Method, When, Gate)| (*own, *at) == (method, when);
        let index = self.gates.iter().position(is_own)?;
        Some(self.gates.remove(index).2)
    }
}
