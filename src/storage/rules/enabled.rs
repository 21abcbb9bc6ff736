//! Which `enabled` a pipeline has after a save, so that a pause survives the next start of the
//! host.
//!
//! What a disabled pipeline does is left to the scheduler.

use std::sync::Arc;

use crate::model::Pipeline;
use crate::storage::SavedBy;

/// Whether a pipeline is enabled, kept apart from what the host's code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) struct Enabled {
    /// The value that applies.
    pub(in crate::storage) current: bool,
    /// The value in the latest save by code. `None` if code has never saved the pipeline.
    pub(in crate::storage) by_code: Option<bool>,
}

impl Enabled {
    /// Returns the state after a save of `given`. `before` is `None` if there is no such pipeline.
    ///
    /// The latest change wins: an operator's, or one in the code.
    pub(in crate::storage) const fn after_save(
        saved_by: SavedBy,
        given: bool,
        before: Option<Self>,
    ) -> Self {
        match (saved_by, before) {
            (SavedBy::Caller | SavedBy::Removal, None) => Self {
                current: given,
                by_code: None,
            },
            (SavedBy::Caller, Some(before)) => Self {
                current: given,
                by_code: before.by_code,
            },
            (SavedBy::Code, before) => Self {
                current: match before {
                    Some(before) if !before.code_changes_to(given) => before.current,
                    Some(_) | None => given,
                },
                by_code: Some(given),
            },
            (SavedBy::Removal, Some(before)) => Self {
                current: given,
                by_code: if given == before.current {
                    before.by_code
                } else {
                    Some(given)
                },
            },
        }
    }

    const fn code_changes_to(self, given: bool) -> bool {
        match self.by_code {
            Some(last) => last != given,
            None => false,
        }
    }
}

/// Returns a definition with this value of `enabled`.
pub(in crate::storage) fn definition_with(enabled: bool, definition: &Pipeline) -> Arc<Pipeline> {
    Arc::new(Pipeline {
        enabled,
        ..definition.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies saves to a pipeline that is absent at first, and returns what applies after each.
    fn saves(saves: &[(SavedBy, bool)]) -> Vec<bool> {
        let mut state = None;
        let applied = saves.iter().map(|&(saved_by, given)| {
            let after = Enabled::after_save(saved_by, given, state);
            state = Some(after);
            after.current
        });
        applied.collect()
    }

    #[test]
    fn the_latest_change_wins_and_a_repeated_save_by_code_changes_nothing() {
        use SavedBy::{Caller, Code, Removal};
        for (given, applied) in [
            (
                vec![(Code, true), (Caller, false), (Code, true), (Code, true)],
                vec![true, false, false, false],
            ),
            (
                vec![(Code, false), (Caller, true), (Code, false)],
                vec![false, true, true],
            ),
            (
                vec![(Code, true), (Caller, false), (Caller, true), (Code, true)],
                vec![true, false, true, true],
            ),
            (
                vec![(Code, true), (Code, false), (Code, true)],
                vec![true, false, true],
            ),
            (
                vec![(Caller, false), (Code, true), (Code, false), (Code, true)],
                vec![false, false, false, true],
            ),
            // A pipeline that is disabled because the code lost it is enabled when it is back.
            (
                vec![(Code, true), (Removal, false), (Code, true)],
                vec![true, false, true],
            ),
            // A start without the pipeline that disables nothing forgets no pause.
            (
                vec![
                    (Code, true),
                    (Caller, false),
                    (Removal, false),
                    (Code, true),
                ],
                vec![true, false, false, false],
            ),
        ] {
            assert_eq!(saves(&given), applied, "{given:?}");
        }
    }
}
