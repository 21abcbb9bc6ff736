//! Resume: makes a run that goes on where a failed one ended.
//!
//! What it takes over is decided here, from the chain of runs; whether the outputs are still good, when it starts (`recovery`).

use super::{Engine, Key, Started};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::model::{Inherited, NodeStatus, Run, RunId, RunStatus, Scope, Trigger};
use crate::storage::{Operation, RunDetail};

/// A wish to resume a run.
#[derive(Debug, Clone)]
pub(crate) struct Resume {
    pub(crate) run: RunId,
    pub(crate) key: Option<Key>,
    pub(crate) scope: Scope,
}

impl Engine {
    /// Makes a run that resumes another.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (`run-not-resumable`), `Invalid`, `QueueFull`, and what storage answers.
    pub(crate) async fn resume(&self, resume: Resume) -> Result<Started> {
        self.refuse_in_shutdown()?;
        let shared = &self.0;
        let Resume {
            run: id,
            key,
            scope,
        } = resume;
        let old = shared
            .storage
            .find_run(id, &scope)
            .await?
            .ok_or_else(|| Error::run_not_found(id))?;
        let pipeline_id = old.run.pipeline_id.clone();
        let key = key.map(|key| key.for_operation(Operation::Resume(id)));
        if let Some(made) = shared.made_before(key.as_ref()).await? {
            return made.into_started(pipeline_id);
        }
        if old.run.status != RunStatus::Failed {
            return Err(not_failed(&old.run));
        }
        if shared
            .storage
            .find_pipeline(pipeline_id.as_str(), &scope)
            .await?
            .is_none_or(|found| found.id != pipeline_id)
        {
            return Err(Error::conflict(
                "run-not-resumable",
                format!("the pipeline {pipeline_id} of run {id} is deleted"),
            ));
        }
        shared.refuse_unknown_types(&old.definition)?;
        let chain = shared.storage.find_chain(old.run.first_run, &scope).await?;
        let run = self.resuming_run(&old, &chain)?;
        shared
            .create(run, key, scope)
            .await?
            .into_started(pipeline_id)
    }

    fn resuming_run(&self, old: &RunDetail, chain: &[RunDetail]) -> Result<Run> {
        let clock = &self.0.clock;
        let graph = Graph::new(&old.definition)?;
        let of = &old.run;
        let mut run = Run::new(
            clock.new_run_id(),
            of.pipeline_id.clone(),
            of.pipeline_version,
            Trigger::Resume,
            of.date,
            clock.now(),
        );
        run.params.clone_from(&of.params);
        run.tenant.clone_from(&of.tenant);
        run.resumed_from = Some(of.id);
        run.first_run = of.first_run;
        run.inherited = inherited(&graph, chain)?;
        Ok(run)
    }
}

fn not_failed(run: &Run) -> Error {
    let status = match run.status {
        RunStatus::Pending => "pending",
        RunStatus::Running => "running",
        RunStatus::Success => "success",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    };
    Error::conflict(
        "run-not-resumable",
        format!(
            "run {} is {status}; only a failed run can be resumed",
            run.id
        ),
    )
}

/// What the next run of a chain takes over: every node whose newest execution in the chain succeeded.
fn inherited(graph: &Graph, chain: &[RunDetail]) -> Result<Vec<Inherited>> {
    let mut newest: Vec<Option<Option<Inherited>>> = vec![None; graph.len()];
    for detail in chain.iter().rev() {
        for node in &detail.nodes {
            let Some(place) = graph.place(node.node_id.as_str()) else {
                continue;
            };
            let Some(slot) = newest
                .get_mut(usize::from(place))
                .filter(|slot| slot.is_none())
            else {
                continue;
            };
            match node.status {
                NodeStatus::Success => {
                    let mut taken = Inherited::new(place, detail.run.id, node.place);
                    taken.row_count = node.row_count;
                    taken.has_dataset = node.has_dataset;
                    taken.output_hash = node.output_hash;
                    *slot = Some(Some(taken));
                }
                NodeStatus::Failed => *slot = Some(None),
                NodeStatus::Pending
                | NodeStatus::Running
                | NodeStatus::Cancelled
                | NodeStatus::Skipped => {}
            }
        }
    }
    Ok(newest.into_iter().flatten().flatten().collect())
}
