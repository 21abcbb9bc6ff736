//! The lineage of all pipelines that a caller may see.
//!
//! `lineage` finds what a pipeline reads and writes. Parsing is slow, so it runs on its own thread.

use std::sync::Arc;

use tokio::sync::{OwnedMutexGuard, oneshot};

use super::pages::{Cut, PageWalker};
use super::{PipelineFilter, Views};
use crate::error::{Error, Result, log};
use crate::executor::Registry;
use crate::lineage::{self, Lineage, LineageGraph, NodeDeclaration, VisibleKinds};
use crate::model::{Node, Scope, StoredPipeline};

/// The pipelines and kinds of objects that a lineage shows.
#[derive(Debug, Clone)]
pub(crate) struct LineageFilter {
    pub(crate) scope: Scope,
    pub(crate) visible_kinds: VisibleKinds,
    /// The maximum number of pipeline nodes. The newest pipelines are shown.
    pub(crate) nodes_max: usize,
    /// The maximum size of the lineage as JSON.
    pub(crate) bytes_max: usize,
}

/// Held while a lineage is built.
type LineageGuard = OwnedMutexGuard<()>;

impl Views {
    /// Returns what pipelines read and write, as one graph.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer or no thread can be started.
    pub(crate) async fn lineage(&self, filter: LineageFilter) -> Result<Cut<LineageGraph>> {
        let LineageFilter {
            scope,
            visible_kinds,
            nodes_max,
            bytes_max,
        } = filter;
        // One at a time, because it may occupy a processor for a while.
        let mut guard = Arc::clone(&self.lineage_lock).lock_owned().await;
        let mut lineage = Lineage::new(visible_kinds, scope == Scope::All);
        let pipelines = PipelineFilter {
            scope,
            ..PipelineFilter::default()
        };
        let mut is_cut = false;
        let mut pages = PageWalker::new();
        while let Some(page) = pages.next_request().filter(|_| !is_cut) {
            let page = self.storage.list_pipelines(pipelines.clone(), page).await?;
            let mut page = pages.accept(page);
            (guard, lineage, page) = self.add_page(guard, lineage, page, nodes_max).await?;
            is_cut = !page.is_empty();
        }
        drop(guard);
        if is_cut {
            log::warn!(nodes_max, "the lineage omits the oldest pipelines");
        }
        if let [first, ..] = lineage.unreadable() {
            let count = lineage.unreadable().len();
            log::warn!(count, %first, "the SQL of some nodes cannot be parsed; the lineage omits its tables");
        }
        let mut view = LineageGraph::from(lineage);
        if view.cut(bytes_max) {
            is_cut = true;
            log::warn!(bytes_max, "the lineage omits nodes and edges");
        }
        Ok(Cut {
            value: view,
            is_cut,
        })
    }

    /// Adds a page of pipelines on a thread of its own. Returns those for which the lineage has no
    /// room.
    ///
    /// The guard moves to the thread, which works on even if the caller goes away.
    async fn add_page(
        &self,
        guard: LineageGuard,
        mut lineage: Lineage,
        mut pipelines: Vec<StoredPipeline>,
        nodes_max: usize,
    ) -> Result<(LineageGuard, Lineage, Vec<StoredPipeline>)> {
        let registry = self.registry.clone();
        let (sender, built) = oneshot::channel();
        std::thread::Builder::new()
            .name("floret-lineage".to_owned())
            .stack_size(lineage::STACK)
            .spawn(move || {
                let mut added = 0;
                for stored in &pipelines {
                    if lineage.node_count() >= nodes_max {
                        break;
                    }
                    lineage.add(stored, |node| declared(&registry, stored, node));
                    added += 1;
                }
                // The caller may have gone away.
                drop(sender.send((guard, lineage, pipelines.split_off(added))));
            })
            .map_err(|error| Error::unavailable("no thread can be started").with_source(error))?;
        built
            .await
            .map_err(|_| Error::internal("an executor panicked while the lineage was built"))
    }
}

fn declared(registry: &Registry, stored: &StoredPipeline, node: &Node) -> NodeDeclaration {
    match registry.get(&node.kind, stored.tenant.as_ref()) {
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
