//! Cuts the errors of a run's nodes to the size of one answer.
//!
//! `runs` decides what else a run shows. It always lists every node.

use super::runs::RunView;
use crate::error::{CUT_MARK, truncate};
use crate::limits::json_size;

impl RunView {
    /// Cuts the longest errors of the nodes until the run has at most `bytes_max` bytes as JSON.
    pub(super) fn cut_errors(&mut self, bytes_max: usize) {
        if self.size_bound() <= bytes_max {
            return;
        }
        let excess = json_size(self).saturating_sub(bytes_max);
        if excess == 0 {
            return;
        }
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

impl RunView {
    /// Returns a size that the run does not exceed as JSON: cheap, but far above the real one.
    fn size_bound(&self) -> usize {
        /// The fields with a bounded size of a run or of a node: ids, times, numbers and names.
        const OTHER_FIELDS: usize = 4_096;
        /// The bytes of an escaped byte.
        const ESCAPED: usize = 6;
        let run = self.run.text_bytes();
        let errors = self.node_runs.iter().filter_map(|node| node.error.as_ref());
        let texts = errors.fold(run, |sum, error| sum.saturating_add(error.len()));
        let others = self.node_runs.len().saturating_add(1);
        let others = others.saturating_mul(OTHER_FIELDS);
        texts.saturating_mul(ESCAPED).saturating_add(others)
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
    fn no_run_exceeds_its_bound() {
        use crate::model::{
            NodeId, NodeRun, NodeStatus, PipelineId, Run, RunId, TenantId, Trigger,
        };

        let now = chrono::DateTime::UNIX_EPOCH;
        let longest = "x".repeat(128);
        let id = RunId::from_uuid(uuid::Uuid::max());
        let pipeline = PipelineId::new(&longest).unwrap();
        let mut run = Run::new(
            id,
            pipeline,
            u32::MAX,
            Trigger::Schedule,
            now.date_naive(),
            now,
        );
        run.tenant = Some(TenantId::new(&longest).unwrap());
        (run.started_at, run.finished_at) = (Some(now), Some(now));
        for size in [0, 1, 1_000] {
            let worst = "\u{1}".repeat(size);
            run.error = Some(worst.clone());
            run.params.insert(worst.clone(), worst.clone());
            let node = NodeId::new(&longest).unwrap();
            let mut node = NodeRun::unstarted(id, node, u16::MAX, NodeStatus::Cancelled);
            (node.attempt, node.row_count) = (Some(u32::MAX), Some(u64::MAX));
            (node.duration_ms, node.queue_ms) = (Some(u64::MAX), Some(u64::MAX));
            node.error = Some(worst);
            let view = RunView {
                run: run.clone().into(),
                node_runs: vec![node; 3],
            };
            assert!(json_size(&view) <= view.size_bound(), "{size}");
        }
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
