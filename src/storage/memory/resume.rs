//! What a resume needs of its chain: whether it may be made, on which definition, and which outputs
//! it holds from then on.
//!
//! Which nodes it takes over is decided by the engine and stands in the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rows::{OutputRow, RunRow, Version};
use super::rules;
use super::state::State;
use crate::error::Result;
use crate::model::{InheritedOutput, NodeIndex, Run, RunStatus};

impl State {
    /// Refuses unless the run failed and none of its chain is unfinished or succeeded.
    pub(super) fn check_resumable(&self, old: &RunRow) -> Result<()> {
        let old = &old.run;
        let refusal = |run: &Run| rules::not_resumable(old.id, run.id, run.status);
        if old.status != RunStatus::Failed {
            return Err(refusal(old));
        }
        let chain = self.index.chain(old.first_run);
        let mut chain = chain
            .filter_map(|id| self.runs.get(&id))
            .map(|row| &row.run);
        match chain.find(|run| rules::stands_in_the_way(run.status)) {
            Some(run) => Err(refusal(run)),
            None => Ok(()),
        }
    }

    /// The version that a run names: of its pipeline, or the one that the resumed run ran on though
    /// it is gone there.
    pub(super) fn version_of(&self, run: &Run, resumed: Option<&RunRow>) -> Option<Arc<Version>> {
        let kept = self
            .pipelines
            .version(&run.pipeline_id, run.pipeline_version);
        kept.or_else(|| {
            let old = resumed.filter(|old| old.run.pipeline_version == run.pipeline_version);
            old.map(|old| &old.version)
        })
        .map(Arc::clone)
    }

    /// The outputs that a run takes over; whoever of its chain holds one shares it.
    pub(super) fn inherited_outputs(&self, run: &Run) -> BTreeMap<NodeIndex, OutputRow> {
        let holders: Vec<_> = self
            .index
            .chain(run.first_run)
            .filter_map(|id| self.runs.get(&id))
            .collect();
        let held = |inherited: &InheritedOutput| {
            let mut outputs = holders.iter().flat_map(|row| row.outputs.values());
            outputs
                .find(|row| {
                    row.made_by == (inherited.from_run, inherited.from_node_index)
                        && Some(row.output.hash) == inherited.output_hash
                })
                .cloned()
        };
        run.inherited
            .iter()
            .filter_map(|inherited| Some((inherited.node_index, held(inherited)?)))
            .collect()
    }
}
