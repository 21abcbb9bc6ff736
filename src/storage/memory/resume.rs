//! What a resume needs of its chain: whether it is allowed, its definition, and the outputs that it
//! holds.
//!
//! The engine decides which nodes it reuses, and the run names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rows::{OutputRow, RunRow, Version};
use super::rules;
use super::state::State;
use crate::error::Result;
use crate::model::{InheritedOutput, NodeIndex, Run, RunStatus};

impl State {
    /// Refuses unless the run failed and every run of its chain failed or was cancelled.
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
        match chain.find(|run| rules::blocks_resume(run.status)) {
            Some(run) => Err(refusal(run)),
            None => Ok(()),
        }
    }

    /// Returns the version that a run names.
    ///
    /// A version that its pipeline no longer has is taken from the resumed run.
    pub(super) fn version_of(&self, run: &Run, resumed: Option<&RunRow>) -> Option<Arc<Version>> {
        let current = self
            .pipelines
            .version(&run.qualified_pipeline(), run.pipeline_version);
        current
            .or_else(|| {
                let old = resumed.filter(|old| old.run.pipeline_version == run.pipeline_version);
                old.map(|old| &old.version)
            })
            .map(Arc::clone)
    }

    /// Returns the outputs that a run inherits. It shares them with the runs of its chain that hold
    /// them.
    pub(super) fn inherited_outputs(&self, run: &Run) -> BTreeMap<NodeIndex, OutputRow> {
        let chain = self.index.chain(run.first_run);
        let holders: Vec<_> = chain
            .chain(run.rerun_of)
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
