//! The queue lane of a run. `index` has the pending runs of each.

use crate::model::{BackfillId, PipelineId, Qualified, Rank, Run};

/// A queue lane: rank, pipeline and backfill.
pub(super) type Lane = (Rank, Qualified<PipelineId>, Option<BackfillId>);

/// Returns the lane of a run.
pub(super) fn lane_of(run: &Run) -> Lane {
    (run.rank(), run.qualified_pipeline(), run.backfill_id)
}
