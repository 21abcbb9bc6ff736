//! The read side: runs, logs, previews, profiles and pipelines in the shapes that readers get.
//!
//! Commands are the engine's; parameters, status codes and headers are left to `api`.

mod backfills;
mod calendar;
mod connections;
mod dashboard;
mod drift;
#[cfg(feature = "websocket")]
mod events;
mod export;
mod line;
mod lineage;
mod logs;
mod output;
mod pages;
mod pipelines;
mod preview;
mod profile;
mod runs;
mod schedules;
mod search;
mod system;
mod variables;

use std::sync::Arc;

use crate::error::{Error, Problem, Result};
use crate::executor::Registry;
use crate::model::{NodeId, Pipeline, RunId, Scope};
use crate::storage::{RunDetail, Storage};

pub(crate) use crate::lineage::Shown;
#[cfg(feature = "websocket")]
pub(crate) use crate::storage::EventFilter;
pub(crate) use crate::storage::{ConnectionFilter, PipelineFilter, RunFilter, VariableFilter};
pub(crate) use backfills::BackfillView;
pub(crate) use calendar::CalendarFilter;
pub(crate) use connections::ConnectionView;
pub(crate) use dashboard::DashboardFilter;
#[cfg(feature = "websocket")]
pub(crate) use events::EventSpan;
pub(crate) use export::LogFormat;
pub(crate) use line::LogLine;
pub(crate) use lineage::LineageFilter;
pub(crate) use logs::{LogFilter, LogReader};
pub(crate) use pipelines::PipelineView;
pub(crate) use search::SearchFilter;
pub(crate) use system::EngineFacts;
pub(crate) use variables::VariableView;

/// Answers questions from what storage remembers, in the shapes that readers get. Clones ask the same storage.
#[derive(Debug, Clone)]
pub struct Views {
    storage: Arc<dyn Storage>,
    registry: Registry,
    // Fair, and held while threads parse.
    lineage_turn: Arc<tokio::sync::Mutex<()>>,
}

impl Views {
    pub(crate) fn new(storage: Arc<dyn Storage>, registry: Registry) -> Self {
        Self {
            storage,
            registry,
            lineage_turn: Arc::default(),
        }
    }

    /// The run with its nodes as storage has them.
    async fn detail(&self, run: RunId, scope: &Scope) -> Result<RunDetail> {
        self.storage
            .find_run(run, scope)
            .await?
            .ok_or_else(|| Error::run_not_found(run))
    }

    /// Why a question about a node found nothing: no such run, no such node, or nothing of this sort (`problem`).
    async fn missing_of_node(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
        problem: Problem,
    ) -> Error {
        match self.check_node(run, node, scope).await {
            Ok(()) => Error::new(
                problem,
                format!("node {node} handed on nothing in this run"),
            ),
            Err(error) => error,
        }
    }

    /// Checks that the run's definition has the node, without reading the rows of its nodes where
    /// the pipeline still stands at the version that the run executes.
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
        let id = &row.pipeline_id;
        match self.storage.find_pipeline(id.as_str(), scope).await? {
            Some(now) if now.id == *id && now.version == row.pipeline_version => Ok(now.definition),
            Some(_) | None => Ok(self.detail(run, scope).await?.definition),
        }
    }
}
