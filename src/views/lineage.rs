//! The lineage of all pipelines that a caller sees.
//!
//! What a pipeline touches is found by `lineage`; parsing takes a while, so that it has a thread of its own.

use std::sync::Arc;

use tokio::sync::{OwnedMutexGuard, oneshot};

use super::pages::PageWalker;
use super::{PipelineFilter, Views};
use crate::error::{Error, Result};
use crate::executor::Registry;
use crate::lineage::{self, Lineage, LineageView, NodeDeclaration, VisibleKinds};
use crate::model::{Node, Scope, StoredPipeline};

/// Whose lineage.
#[derive(Debug, Clone)]
pub(crate) struct LineageFilter {
    pub(crate) scope: Scope,
    pub(crate) visible_kinds: VisibleKinds,
    /// Nodes of pipelines at most; the newest pipelines are shown.
    pub(crate) nodes_max: usize,
}

/// Who has it builds a lineage.
type LineageGuard = OwnedMutexGuard<()>;

impl Views {
    /// What pipelines read and write, as one graph.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer or no thread can be had.
    pub(crate) async fn lineage(&self, filter: LineageFilter) -> Result<LineageView> {
        let LineageFilter {
            scope,
            visible_kinds,
            nodes_max,
        } = filter;
        // One at a time: it may take a processor for a while.
        let mut guard = Arc::clone(&self.lineage_lock).lock_owned().await;
        let mut lineage = Lineage::new(visible_kinds);
        let pipelines = PipelineFilter {
            scope,
            ..PipelineFilter::default()
        };
        let mut pages = PageWalker::new();
        while let Some(page) = pages.next_request() {
            if lineage.node_count() >= nodes_max {
                tracing::warn!(nodes_max, "the lineage leaves the oldest pipelines out");
                break;
            }
            let page = self.storage.list_pipelines(pipelines.clone(), page).await?;
            (guard, lineage) = self
                .add_page(guard, lineage, pages.accept(page), nodes_max)
                .await?;
        }
        drop(guard);
        if let [first, ..] = lineage.unreadable() {
            let count = lineage.unreadable().len();
            tracing::warn!(count, %first, "SQL of some nodes cannot be read and names no table in the lineage");
        }
        Ok(LineageView::from(lineage))
    }

    /// Adds pipelines. The turn goes along, since the thread works on though whoever asked leaves.
    async fn add_page(
        &self,
        guard: LineageGuard,
        mut lineage: Lineage,
        pipelines: Vec<StoredPipeline>,
        nodes_max: usize,
    ) -> Result<(LineageGuard, Lineage)> {
        let registry = self.registry.clone();
        let (sender, built) = oneshot::channel();
        std::thread::Builder::new()
            .name("floret-lineage".to_owned())
            .stack_size(lineage::STACK)
            .spawn(move || {
                for stored in &pipelines {
                    if lineage.node_count() < nodes_max {
                        lineage.add(stored, |node| declared(&registry, node));
                    }
                }
                // Whoever asked may have gone.
                drop(sender.send((guard, lineage)));
            })
            .map_err(|error| Error::unavailable("no thread can be started").with_source(error))?;
        built
            .await
            .map_err(|_| Error::internal("the lineage ended early: an executor panicked"))
    }
}

fn declared(registry: &Registry, node: &Node) -> NodeDeclaration {
    match registry.get(&node.kind) {
        Some(executor) => NodeDeclaration {
            assets: executor.assets(node),
            effect: Some(executor.effect(node)),
        },
        None => NodeDeclaration {
            assets: Vec::new(),
            effect: None,
        },
    }
}
