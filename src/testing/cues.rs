//! The faults and gates that a test has prepared for the calls of a storage, and the call counts.
//!
//! Applying them to a call is left to `faulty_storage`.

use std::collections::BTreeMap;

use super::fault::{Failure, When};
use super::{Fault, Gate, Method};

#[derive(Default)]
pub(super) struct Cues {
    pub(super) faults: Vec<Fault>,
    pub(super) gates: Vec<(Method, When, Gate)>,
    pub(super) calls: BTreeMap<Method, u64>,
    pub(super) damages_outputs: bool,
    pub(super) ignores_close: bool,
}

/// What happens to one call.
pub(super) struct Cue {
    pub(super) fault: Option<(When, Failure)>,
    pub(super) before: Option<Gate>,
    pub(super) after: Option<Gate>,
}

impl Cues {
    /// Counts a call and returns what happens to it.
    pub(super) fn next(&mut self, method: Method) -> Cue {
        *self.calls.entry(method).or_default() += 1;
        let mut failure = None;
        for fault in &mut self.faults {
            if fault.fires_on(method) && failure.is_none() {
                failure = Some((fault.when, fault.failure(method)));
            }
        }
        Cue {
            fault: failure,
            before: self.take_gate(method, When::Before),
            after: self.take_gate(method, When::After),
        }
    }

    fn take_gate(&mut self, method: Method, when: When) -> Option<Gate> {
        let matches = |(gated, at, _): &(Method, When, Gate)| (*gated, *at) == (method, when);
        let index = self.gates.iter().position(matches)?;
        Some(self.gates.remove(index).2)
    }
}
