//! Who manages a pipeline after a save, and whether a save by code repeats an earlier one.
//!
//! `enabled` has rules of its own.

use crate::model::{Managed, Pipeline};
use crate::storage::SavedBy;

/// Returns who manages a pipeline after a save. `before` is the version that the code saved last,
/// if the code managed the pipeline before.
pub(in crate::storage) const fn managed_after(saved_by: SavedBy, before: Option<u32>) -> Managed {
    match (saved_by, before) {
        (SavedBy::Code, _) | (SavedBy::Caller, Some(_)) => Managed::Code,
        (SavedBy::Removal, _) | (SavedBy::Caller, None) => Managed::Api,
    }
}

/// Returns the version of a pipeline that the code saved last, after a save that leaves the
/// pipeline at `version`. `keeps_edit` says whether the save leaves the edit of a caller.
pub(in crate::storage) const fn code_version_after(
    saved_by: SavedBy,
    version: u32,
    before: Option<u32>,
    keeps_edit: bool,
) -> Option<u32> {
    match saved_by {
        SavedBy::Caller => before,
        SavedBy::Code if keeps_edit => before,
        SavedBy::Code => Some(version),
        SavedBy::Removal => None,
    }
}

/// Returns whether a save of `given` by code repeats `by_code`, its last one, and leaves the edit
/// of a caller: the current definition differs in more than `enabled`.
pub(in crate::storage) fn keeps_edit(
    given: &Pipeline,
    by_code: &Pipeline,
    current: &Pipeline,
) -> bool {
    by_code.is_same_but_enabled(given) && !by_code.is_same_but_enabled(current)
}
