//! The read side: runs, logs, previews, profiles and pipelines in the form that callers see.
//!
//! `engine` carries out commands; `api` handles parameters, status codes and headers.

mod attempts;
mod audit;
mod backfills;
mod calendar;
mod connections;
mod dashboard;
mod deliveries;
mod drift;
mod events;
mod export;
mod finished_runs;
mod grid;
mod line;
mod lineage;
mod log_page;
mod logs;
mod missing_output;
mod node_history;
mod output;
mod pages;
mod pipelines;
mod preview;
mod profile;
mod run_fields;
mod run_size;
mod runs;
mod schedules;
mod search;
mod system;
mod tagged_json;
mod variables;
mod versions;

use std::sync::Arc;

use self::finished_runs::FinishedRuns;
use crate::clock::Clock;
use crate::compute::Compute;
use crate::error::{Error, Problem, Result};
use crate::executor::Registry;
use crate::limits::Limits;
use crate::model::{NodeId, Pipeline, RunId, ScheduledPipelines, Scope};
use crate::storage::{RunDetail, Storage};

pub(crate) use crate::lineage::VisibleKinds;
pub use crate::lineage::{LineageEdge, LineageGraph, LineageKind, LineageNode};
pub(crate) use crate::storage::EventFilter;
pub(crate) use crate::storage::{
    AuditFilter, BackfillFilter, ConnectionFilter, DeliveryFilter, PipelineFilter, RunFilter,
    VariableFilter, VersionFilter,
};
pub use attempts::{AttemptStatus, NodeAttempt};
pub use calendar::CalendarDay;
pub(crate) use calendar::{CALENDAR_DAYS, CALENDAR_DAYS_MAX, CalendarFilter};
pub(crate) use dashboard::DashboardFilter;
pub use dashboard::{Dashboard, FailingPipeline, Trend};
pub use drift::{Drift, DriftValue};
pub(crate) use events::EventSpan;
pub(crate) use export::LogFormat;
pub(crate) use grid::{GRID_RUNS, NEWEST_RUNS_MAX};
pub use grid::{Grid, GridRun};
pub use line::LogLine;
pub(crate) use lineage::LineageFilter;
pub(crate) use log_page::LogBounds;
pub use log_page::LogPage;
pub use logs::LogReader;
pub(crate) use logs::{LogFilter, LogRange};
pub(crate) use node_history::HISTORY_RUNS;
pub use node_history::NodeHistory;
pub(crate) use pages::{Cut, Listed, to_json};
#[cfg(test)]
pub(crate) use pipelines::PipelineSummary;
pub use preview::NodePreview;
pub use profile::NodeProfile;
pub(crate) use runs::check_filter;
pub use schedules::ScheduleStatus;
pub(crate) use search::SearchFilter;
pub use search::SearchHit;
pub(crate) use search::{SEARCH_LIMIT, SEARCH_LIMIT_MAX, search_text};
pub(crate) use system::EngineFacts;
pub use system::SystemInfo;
pub(crate) use tagged_json::TaggedJson;

/// The read side of a Floret. Clones read the same storage.
#[derive(Debug, Clone)]
pub(crate) struct Views {
    storage: Arc<dyn Storage>,
    clock: Clock,
    registry: Registry,
    scheduled: ScheduledPipelines,
    // An async lock: it is fair, and it is held while another thread parses.
    lineage_lock: Arc<tokio::sync::Mutex<()>>,
    compute: Compute,
    finished_runs: Arc<FinishedRuns>,
    /// The size of a run as JSON beyond which the errors of its nodes are cut.
    run_bytes_max: usize,
}

impl Views {
    pub(crate) fn new(
        (storage, clock): (Arc<dyn Storage>, Clock),
        registry: Registry,
        scheduled: ScheduledPipelines,
        compute: Compute,
        limits: &Limits,
    ) -> Self {
        Self {
            storage,
            clock,
            registry,
            scheduled,
            lineage_lock: Arc::default(),
            compute,
            finished_runs: Arc::new(FinishedRuns::new(limits.finished_runs_bytes_max)),
            run_bytes_max: limits.page_bytes_max,
        }
    }

    /// Returns a run and its nodes as stored.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn detail(&self, run: RunId, scope: &Scope) -> Result<RunDetail> {
        self.storage
            .find_run(run, scope)
            .await?
            .ok_or_else(|| Error::run_not_found(run))
    }

    /// Explains why a lookup about a node found nothing: the run or the node does not exist, or the
    /// node has nothing of this kind (`problem`).
    async fn explain_missing(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
        problem: Problem,
    ) -> Error {
        match self.check_node(run, node, scope).await {
            Ok(()) => Error::new(problem, format!("node {node} has no output in this run")),
            Err(error) => error,
        }
    }

    /// Checks that the run exists and that its definition has the node.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`, `node-not-found`).
    pub(crate) async fn check_node(&self, run: RunId, node: &NodeId, scope: &Scope) -> Result<()> {
        let definition = self.definition_of(run, scope).await?;
        if definition.nodes.iter().any(|own| own.id == node.as_str()) {
            Ok(())
        } else {
            Err(Error::new(
                Problem::NodeNotFound,
                format!("run {run} has no node {node}"),
            ))
        }
    }

    async fn definition_of(&self, run: RunId, scope: &Scope) -> Result<Arc<Pipeline>> {
        let row = self.run_row(run, scope).await?;
        let (id, own) = (&row.pipeline_id, Scope::of(row.tenant.as_ref()));
        match self.storage.find_pipeline(id.as_str(), &own).await? {
            Some(now) if now.id == *id && now.version == row.pipeline_version => Ok(now.definition),
            Some(_) | None => Ok(self.detail(run, scope).await?.definition),
        }
    }
}
