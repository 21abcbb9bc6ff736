//! Runs as readers get them: one with all its nodes, or a page of them without.
//!
//! The order of the nodes is the graph's.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::{RunFilter, Views};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::limits::Limits;
use crate::model::{
    BackfillId, Cancel, NodeRun, Page, PageRequest, PipelineId, Run, RunId, RunStatus, Scope,
    Trigger,
};
use crate::storage::RunDetail;

/// A run without its nodes; the order of the fields is that of the wire.
#[derive(Debug, Serialize)]
pub(crate) struct RunSummary {
    pub(crate) id: RunId,
    pipeline_id: PipelineId,
    pipeline_version: u32,
    status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelling: Option<True>,
    trigger: Trigger,
    params: BTreeMap<String, String>,
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed_from: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill_id: Option<BackfillId>,
}

/// A run with every node of its definition, in topological order.
#[derive(Debug, Serialize)]
pub(crate) struct RunView {
    #[serde(flatten)]
    run: RunSummary,
    node_runs: Vec<NodeRun>,
}

/// A fact that is told only where it holds.
#[derive(Debug)]
struct True;

impl Serialize for True {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl Views {
    /// The run with every node, those too that have not begun.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn run(&self, run: RunId, scope: &Scope) -> Result<RunView> {
        RunView::try_from(self.detail(run, scope).await?)
    }

    /// Checks that the run exists, without reading its nodes.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn check_run(&self, run: RunId, scope: &Scope) -> Result<()> {
        self.run_row(run, scope).await.map(drop)
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

    /// A page of runs, the newest first.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) when the cursor is none; `Unavailable`.
    pub(crate) async fn list_runs(
        &self,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<RunSummary>> {
        let Page { items, total, next } = self.storage.list_runs(filter, page).await?;
        let items = items.into_iter().map(RunSummary::from).collect();
        Ok(Page::new(items, total, next))
    }
}

impl TryFrom<RunDetail> for RunView {
    type Error = crate::error::Error;

    fn try_from(detail: RunDetail) -> Result<Self> {
        let RunDetail {
            run,
            definition,
            nodes,
        } = detail;
        let node_runs = if nodes.len() == definition.nodes.len() {
            nodes
        } else {
            // The definition was accepted when it was saved; today's limits must not hide its runs.
            let mut limits = Limits::default();
            (limits.nodes_max, limits.edges_max) = (usize::MAX, usize::MAX);
            complete(&run, &Graph::with_limits(&definition, &limits)?, nodes)
        };
        Ok(Self {
            run: RunSummary::from(run),
            node_runs,
        })
    }
}

/// Puts the nodes without an entry between those that have one; `nodes` comes by place.
fn complete(run: &Run, graph: &Graph, nodes: Vec<NodeRun>) -> Vec<NodeRun> {
    let unstarted = run.status.unstarted_node();
    let mut entries = nodes.into_iter().peekable();
    let mut completed = Vec::with_capacity(graph.len());
    for node_index in graph.node_indexes() {
        if let Some(entry) = entries.next_if(|entry| entry.node_index == node_index) {
            completed.push(entry);
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

impl From<Run> for RunSummary {
    fn from(run: Run) -> Self {
        let Run {
            id,
            pipeline_id,
            pipeline_version,
            tenant: _,
            status,
            cancel,
            trigger,
            params,
            date: _,
            created_at,
            started_at,
            finished_at,
            error,
            backfill_id,
            resumed_from,
            first_run: _,
            inherited: _,
        } = run;
        Self {
            id,
            pipeline_id,
            pipeline_version,
            status,
            cancelling: is_cancelling(status, cancel).then_some(True),
            trigger,
            params,
            created_at,
            started_at,
            finished_at,
            error,
            resumed_from,
            backfill_id,
        }
    }
}

const fn is_cancelling(status: RunStatus, cancel: Option<Cancel>) -> bool {
    !status.is_terminal() && cancel.is_some()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeZone;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::model::{NodeId, NodeStatus, Pipeline};

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

    fn shown(run: Run, nodes: Vec<NodeRun>) -> String {
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
                serde_json::from_str(&shown(run(status), Vec::new())).unwrap();
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
    fn the_fields_stand_in_the_order_of_the_contract_and_absent_ones_are_left_out() {
        let mut own = run(RunStatus::Running);
        own.cancel = Some(Cancel::Plain);
        own.started_at = Utc.timestamp_millis_opt(1_705_298_400_250).single();
        let mut entry =
            NodeRun::unstarted(own.id, NodeId::new("a").unwrap(), 0, NodeStatus::Running);
        entry.attempt = Some(1);
        let text = shown(own, vec![entry]);
        assert!(
            text.starts_with(concat!(
                r#"{"id":"00000000-0000-0000-0000-000000000000","pipeline_id":"daily","pipeline_version":3,"#,
                r#""status":"running","cancelling":true,"trigger":"manual","params":{},"#,
                r#""created_at":"2024-01-15T06:00:00Z","started_at":"2024-01-15T06:00:00.250Z","#,
                r#""node_runs":[{"id":"00000000-0000-0000-0000-000000000000.0","node_id":"a","status":"running","attempt":1},"#,
            )),
            "{text}"
        );
    }

    #[test]
    fn a_run_that_ended_is_not_cancelling() {
        let mut own = run(RunStatus::Cancelled);
        own.cancel = Some(Cancel::Forced);
        assert!(!shown(own, Vec::new()).contains("cancelling"));
    }

    #[test]
    fn an_entry_behind_one_that_is_missing_keeps_its_place() {
        let own = run(RunStatus::Running);
        let entry = NodeRun::unstarted(own.id, NodeId::new("b").unwrap(), 1, NodeStatus::Failed);
        let value: serde_json::Value = serde_json::from_str(&shown(own, vec![entry])).unwrap();
        let statuses: Vec<_> = (0..3).map(|i| &value["node_runs"][i]["status"]).collect();
        assert_eq!(statuses, ["pending", "failed", "pending"]);
    }
}
