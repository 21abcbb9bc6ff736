//! Runs as callers see them: one run with all its nodes, or a page of runs without nodes.
//!
//! `graph` decides the order of the nodes.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::finished_runs::FinishedRun;
use super::pages::Listed;
use super::tagged_json::{INLINE_BYTES_MAX, TaggedJson, bytes_of};
use super::{RunFilter, Views};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::model::{
    LABELS_MAX, NodeRun, Page, PageRequest, Qualified, Run, RunId, RunStatus, Scope, Waiting,
};
use crate::storage::{IdempotentOperation, RunDetail};

/// The id that no run has.
const NO_RUN: RunId = RunId::from_uuid(Uuid::nil());

/// A run with every node of its definition, in topological order.
#[derive(Debug, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "RunDetail",
        description = "A run with every node of its pipeline, in topological order."
    )
)]
pub(crate) struct RunView {
    #[serde(flatten)]
    pub(super) run: Run,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waiting: Option<Waiting>,
    pub(super) node_runs: Vec<NodeRun>,
}

impl Listed for Run {
    fn cursor(&self) -> String {
        self.id.to_string()
    }
}

/// Refuses a filter whose period ends before it begins, or that has more labels than a run.
///
/// # Errors
/// `Malformed` (`invalid-parameter`).
pub(crate) fn check_filter(filter: &RunFilter) -> Result<()> {
    if let (Some(from), Some(to)) = (filter.from, filter.to)
        && from > to
    {
        let detail = "must not be later than to";
        return Err(Error::invalid_parameter("from", detail));
    }
    let count = filter.labels.len();
    if count > LABELS_MAX {
        let detail = format!("can be given at most {LABELS_MAX} times, received {count}");
        return Err(Error::invalid_parameter("label", detail));
    }
    Ok(())
}

impl Views {
    /// Returns the run with every node, including those that have not started. The errors of the
    /// nodes are cut if the answer is too large with them.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn run(&self, run: RunId, scope: &Scope) -> Result<TaggedJson> {
        if let Some(document) = self.finished_runs.find(run, scope) {
            return Ok(document);
        }
        let mut detail = self.run_detail(run, scope).await?;
        let (tenant, unchanged) = (detail.run.tenant.clone(), detail.unchanged.take());
        let json = RunView::try_from(detail)?.into_json(self.run_bytes_max)?;
        let document = self.document(json).await?;
        if let Some(unchanged) = unchanged {
            let finished = FinishedRun {
                tenant,
                document: document.clone(),
                unchanged,
            };
            self.finished_runs.add(run, finished);
        }
        Ok(document)
    }

    /// Returns a run and its nodes, and why it waits if it is pending.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn run_detail(&self, run: RunId, scope: &Scope) -> Result<RunDetail> {
        let mut detail = self.detail(run, scope).await?;
        if detail.run.status == RunStatus::Pending {
            let now = self.clock.now();
            // It may have started since.
            detail.waiting = self.storage.waiting(run, scope, now).await?;
        }
        Ok(detail)
    }

    async fn document(&self, json: Box<RawValue>) -> Result<TaggedJson> {
        let bytes = bytes_of(json);
        if bytes.len() <= INLINE_BYTES_MAX {
            return Ok(TaggedJson::new(bytes));
        }
        let tagged = self.compute.run(move || TaggedJson::new(bytes)).await;
        tagged.map_err(|error| Error::internal("the run could not be hashed").with_source(error))
    }

    /// Checks that the run exists.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn check_run(&self, run: RunId, scope: &Scope) -> Result<()> {
        self.run_row(run, scope).await.map(drop)
    }

    /// Returns whether a run has finished.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn is_finished(&self, run: RunId, scope: &Scope) -> Result<bool> {
        if self.finished_runs.find(run, scope).is_some() {
            return Ok(true);
        }
        Ok(self.run_row(run, scope).await?.status.is_terminal())
    }

    /// Returns the run without its nodes.
    pub(super) async fn run_row(&self, run: RunId, scope: &Scope) -> Result<Run> {
        let filter = RunFilter {
            scope: scope.clone(),
            run: Some(run),
            ..RunFilter::default()
        };
        let page = PageRequest::Newest { limit: 1 };
        let found = self.storage.list_runs(filter, page).await?.items.pop();
        found.ok_or_else(|| Error::run_not_found(run))
    }

    /// Narrows a filter of runs of one pipeline to the run that a trigger with this key has
    /// created. Without such a run, the filter admits none.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if the filter names no pipeline; `Unavailable`.
    pub(crate) async fn narrow_to_key(&self, filter: &mut RunFilter, key: &str) -> Result<()> {
        let Some(pipeline) = filter.pipeline.clone() else {
            let detail = "needs the pipeline of the key";
            return Err(Error::invalid_parameter("idempotency_key", detail));
        };
        let own = Qualified::new(pipeline, filter.scope.tenant().cloned());
        let operation = IdempotentOperation::Run(own);
        let first = self.storage.find_idempotent(&operation, key).await?;
        let run = first.and_then(|first| first.created.run_ids.first().copied());
        filter.run = Some(run.unwrap_or(NO_RUN));
        Ok(())
    }

    /// Returns a page of runs, newest first.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if the cursor is invalid; `Unavailable`.
    pub(crate) async fn list_runs(
        &self,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<Run>> {
        self.storage.list_runs(filter, page).await
    }
}

impl TryFrom<RunDetail> for RunView {
    type Error = crate::error::Error;

    fn try_from(detail: RunDetail) -> Result<Self> {
        let RunDetail {
            run,
            definition,
            nodes,
            waiting,
            unchanged: _,
        } = detail;
        let node_runs = if nodes.len() == definition.nodes.len() {
            nodes
        } else {
            // The definition was accepted when it was saved; today's limits must not hide its runs.
            add_unstarted(&run, &Graph::new(&definition)?, nodes)
        };
        Ok(Self {
            run,
            waiting,
            node_runs,
        })
    }
}

/// Adds the nodes that have not started. `nodes` is ordered by node index.
fn add_unstarted(run: &Run, graph: &Graph, nodes: Vec<NodeRun>) -> Vec<NodeRun> {
    let unstarted = run.status.unstarted_node();
    let mut node_runs = nodes.into_iter().peekable();
    let mut completed = Vec::with_capacity(graph.len());
    for node_index in graph.node_indexes() {
        if let Some(node_run) = node_runs.next_if(|node_run| node_run.node_index == node_index) {
            completed.push(node_run);
        } else if let Some(id) = graph.id(node_index) {
            completed.push(NodeRun::unstarted(
                run.id,
                id.clone(),
                node_index,
                unstarted,
            ));
        }
    }
    completed
}

impl Serialize for RunDetail {
    /// Writes the run as the API shows it: every node of its definition, in topological order.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view = RunView::try_from(self.clone()).map_err(serde::ser::Error::custom)?;
        view.serialize(serializer)
    }
}

#[cfg(test)]
schema_of! { RunDetail => RunView }

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{TimeZone, Utc};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::model::{Cancel, NodeId, NodeStatus, Pipeline, PipelineId, RunCancel, Trigger};

    fn run(status: RunStatus) -> Run {
        let created_at = Utc.with_ymd_and_hms(2024, 1, 15, 6, 0, 0).unwrap();
        let mut run = Run::new(
            RunId::from_uuid(Uuid::nil()),
            PipelineId::new("daily").unwrap(),
            3,
            Trigger::Manual,
            created_at.date_naive(),
            created_at,
        );
        run.status = status;
        run
    }

    fn chain() -> Arc<Pipeline> {
        let chain = Pipeline::new("daily")
            .node("c", "noop")
            .edge("b", "c")
            .node("b", "noop")
            .after("a")
            .node("a", "noop");
        Arc::new(chain)
    }

    fn to_json(run: Run, nodes: Vec<NodeRun>) -> String {
        let detail = RunDetail::new(run, chain(), nodes);
        serde_json::to_string(&RunView::try_from(detail).unwrap()).unwrap()
    }

    #[test]
    fn a_run_without_entries_lists_every_node_in_topological_order() {
        for (status, node) in [
            (RunStatus::Pending, "pending"),
            (RunStatus::Failed, "skipped"),
            (RunStatus::Cancelled, "cancelled"),
        ] {
            let value: serde_json::Value =
                serde_json::from_str(&to_json(run(status), Vec::new())).unwrap();
            let nodes: Vec<_> = value["node_runs"].as_array().unwrap().iter().collect();
            assert_eq!(nodes.len(), 3);
            for (index, id) in ["a", "b", "c"].into_iter().enumerate() {
                let expected = json!({
                    "id": format!("00000000-0000-0000-0000-000000000000.{index}"),
                    "node_id": id,
                    "status": node,
                });
                assert_eq!(*nodes[index], expected);
            }
        }
    }

    #[test]
    fn fields_are_in_the_order_of_the_contract_and_absent_ones_are_omitted() {
        let mut run = run(RunStatus::Running);
        run.cancel = Some(RunCancel::new(Cancel::Plain, run.created_at));
        run.started_at = Utc.timestamp_millis_opt(1_705_298_400_250).single();
        let mut node_run =
            NodeRun::unstarted(run.id, NodeId::new("a").unwrap(), 0, NodeStatus::Running);
        node_run.attempt = Some(1);
        let text = to_json(run, vec![node_run]);
        assert!(
            text.starts_with(concat!(
                r#"{"id":"00000000-0000-0000-0000-000000000000","pipeline_id":"daily","pipeline_version":3,"#,
                r#""status":"running","cancelling":true,"trigger":"manual","params":{},"#,
                r#""created_at":"2024-01-15T06:00:00Z","started_at":"2024-01-15T06:00:00.250Z","#,
                r#""cancel":{"at":"2024-01-15T06:00:00Z","force":false},"#,
                r#""node_runs":[{"id":"00000000-0000-0000-0000-000000000000.0","node_id":"a","status":"running","attempt":1},"#,
            )),
            "{text}"
        );
    }

    #[test]
    fn a_finished_run_is_not_cancelling() {
        let mut run = run(RunStatus::Cancelled);
        run.cancel = Some(RunCancel::new(Cancel::Forced, run.created_at));
        let text = to_json(run, Vec::new());
        assert!(!text.contains("cancelling"), "{text}");
        assert!(text.contains(r#""force":true"#), "{text}");
    }

    #[test]
    fn a_node_run_after_a_missing_one_keeps_its_position() {
        let run = run(RunStatus::Running);
        let node_run = NodeRun::unstarted(run.id, NodeId::new("b").unwrap(), 1, NodeStatus::Failed);
        let value: serde_json::Value = serde_json::from_str(&to_json(run, vec![node_run])).unwrap();
        let statuses: Vec<_> = (0..3).map(|i| &value["node_runs"][i]["status"]).collect();
        assert_eq!(statuses, ["pending", "failed", "pending"]);
    }
}
