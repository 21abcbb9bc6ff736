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

use crate::error::{Error, Result};
use crate::executor::Registry;
use crate::model::{NodeId, RunId, Scope};
use crate::storage::{RunDetail, Storage};

pub(crate) use crate::lineage::VisibleKinds;
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
    lineage_lock: Arc<tokio::sync::Mutex<()>>,
}

impl Views {
    pub(crate) fn new(storage: Arc<dyn Storage>, registry: Registry) -> Self {
        Self {
            storage,
            registry,
            lineage_lock: Arc::default(),
        }
    }

    /// The run with its nodes as storage has them.
    async fn detail(&self, run: RunId, scope: &Scope) -> Result<RunDetail> {
        self.storage
            .find_run(run, scope)
            .await?
            .ok_or_else(|| Error::run_not_found(run))
    }

    /// Why a question about a node found nothing: no such run, no such node, or nothing of this sort (`slug`).
    async fn explain_missing(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
        slug: &'static str,
    ) -> Error {
        match self.check_node(run, node, scope).await {
            Ok(()) => Error::not_found(slug, format!("node {node} handed on nothing in this run")),
            Err(error) => error,
        }
    }

    /// Checks that the run's definition has the node.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`, `node-not-found`).
    pub(crate) async fn check_node(&self, run: RunId, node: &NodeId, scope: &Scope) -> Result<()> {
        let detail = self.detail(run, scope).await?;
        let nodes = &detail.definition.nodes;
        if nodes.iter().any(|own| own.id == node.as_str()) {
            Ok(())
        } else {
            Err(Error::not_found(
                "node-not-found",
                format!("run {run} has no node {node}"),
            ))
        }
    }
}
