//! Cuts the errors of a run's nodes to the size of one answer.
//!
//! `runs` decides what else a run shows. It always lists every node.

use serde_json::value::RawValue;

use super::pages::to_json;
use super::runs::RunView;
use crate::error::{CUT_MARK, Result, truncate};
use crate::limits::json_size;

impl RunView {
    /// Returns the run as JSON, of at most `bytes_max` bytes: the longest errors of its nodes are
    /// cut if it has more with them.
    ///
    /// # Errors
    /// `Internal` if the run cannot be serialized.
    pub(super) fn into_json(mut self, bytes_max: usize) -> Result<Box<RawValue>> {
        let whole = to_json(&self)?;
        let excess = whole.get().len().saturating_sub(bytes_max);
        if excess == 0 {
            return Ok(whole);
        }
        self.cut_errors(excess);
        to_json(&self)
    }

    /// Cuts the longest errors of the nodes, so that they lose `excess` bytes as JSON.
    fn cut_errors(&mut self, excess: usize) {
        let errors = || self.node_runs.iter().filter_map(|node| node.error.as_ref());
        let sizes: Vec<_> = errors().map(json_size).collect();
        let share = fair_share(sizes, excess);
        let errors = self
            .node_runs
            .iter_mut()
            .filter_map(|node| node.error.as_mut());
        for error in errors.filter(|error| json_size(error) > share) {
            *error = cut_as_json(std::mem::take(error), share);
        }
    }
}

/// Returns the largest size to which all can be cut so that they lose `excess` bytes in total.
fn fair_share(mut sizes: Vec<usize>, excess: usize) -> usize {
    sizes.sort_unstable();
    let total = sizes
        .iter()
        .fold(0_usize, |sum, size| sum.saturating_add(*size));
    let mut room = total.saturating_sub(excess);
    let mut others = sizes.len();
    for size in sizes {
        let share = room / others.max(1);
        if size > share {
            return share;
        }
        room -= size;
        others -= 1;
    }
    usize::MAX
}

/// Truncates a text to at most `bytes_max` bytes as JSON, or to the mark of a truncated text.
fn cut_as_json(text: String, bytes_max: usize) -> String {
    // The quotes and the mark.
    let mut room = bytes_max.saturating_sub(json_size(&"") + json_size(&CUT_MARK));
    let end = text.char_indices().find(|(_, character)| {
        let bytes = json_size(character).saturating_sub(json_size(&""));
        let rest = room.checked_sub(bytes);
        room = rest.unwrap_or(0);
        rest.is_none()
    });
    match end {
        Some((end, _)) => truncate(text, end.saturating_add(CUT_MARK.len())),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_lose_first() {
        assert_eq!(fair_share(vec![10, 2, 10], 4), 8);
        assert_eq!(fair_share(vec![10, 2, 10], 19), 1);
        assert_eq!(fair_share(vec![10, 2, 10], 100), 0);
        assert_eq!(fair_share(vec![], 1), usize::MAX);
    }

    #[test]
    fn a_text_is_cut_by_its_bytes_as_json() {
        for character in ["x", "é", "\u{1}", "\""] {
            for bytes_max in 30..60 {
                let cut = cut_as_json(character.repeat(100), bytes_max);
                let bytes = json_size(&cut);
                assert!(cut.ends_with(CUT_MARK), "{cut:?}");
                assert!((bytes_max - 8..=bytes_max).contains(&bytes), "{cut:?}");
            }
        }
    }
}
