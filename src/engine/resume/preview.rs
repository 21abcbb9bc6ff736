//! Previews a resume: what it would do with each node, and why.
//!
//! `prepare` makes the same plan when the run starts, and also checks the bytes of the outputs.

use super::{ResumeRequest, ReusingRun};
use crate::engine::Engine;
use crate::engine::prepare::PlannedRun;
use crate::error::{Error, Result};
use crate::graph::reuse::{ChainResult, ResumeChoice};
use crate::model::{NodeIndex, ResumeAction, ResumeNode, ResumePreview};

impl Engine {
    /// Returns what a resume would do with each node, and creates nothing.
    ///
    /// # Errors
    /// Those of [`Engine::resume`], apart from `QueueFull`.
    pub(crate) async fn preview_resume(&self, resume: ResumeRequest) -> Result<ResumePreview> {
        let shared = &self.0;
        let old = shared
            .storage
            .find_run(resume.run, &resume.author.scope)
            .await?;
        let old = old.ok_or_else(|| Error::run_not_found(resume.run))?;
        let new = shared.new_resume(&resume, &old).await?;
        let planned = new.planned();
        let node = |node_index| {
            let (action, reason) = decide(&new, &planned, node_index);
            let id = new.graph.id(node_index)?.clone();
            Some(ResumeNode::new(id, action, reason))
        };
        let nodes = new.graph.node_indexes().filter_map(node);
        Ok(ResumePreview::new(nodes.collect()))
    }
}

/// Returns what a resume does with a node, and why.
fn decide(
    new: &ReusingRun,
    planned: &PlannedRun<'_>,
    node_index: NodeIndex,
) -> (ResumeAction, String) {
    if planned.is_untaken(node_index) {
        return (ResumeAction::Skip, "no edge to it is taken".to_owned());
    }
    if planned.is_below_failure(node_index) {
        return (ResumeAction::Skip, "a node above it will fail".to_owned());
    }
    if planned.executes(node_index) {
        return (
            ResumeAction::Execute,
            execute_reason(new, planned, node_index),
        );
    }
    let mut inherited = new.run.inherited.iter();
    let source = inherited.find(|inherited| inherited.node_index == node_index);
    let is_own = source.is_some_and(|inherited| inherited.from_run == new.run.id);
    let source = source.map_or_else(String::new, |found| format!(" in run {}", found.from_run));
    if is_own {
        return (ResumeAction::Skip, "skip_nodes names it".to_owned());
    }
    if new.nodes.skipped.contains(&node_index) {
        return (
            ResumeAction::Skip,
            format!("skip_nodes has named it{source}"),
        );
    }
    if new.is_sink(node_index) {
        let reason = format!("it is a sink that has succeeded{source}");
        (ResumeAction::Never, reason)
    } else {
        (ResumeAction::Reuse, format!("it has succeeded{source}"))
    }
}

fn execute_reason(new: &ReusingRun, planned: &PlannedRun<'_>, node_index: NodeIndex) -> String {
    if let Some(sink) = planned.missing_input(node_index) {
        let sink = new.graph.id(sink).map_or("", |id| id.as_str());
        return format!("it will fail: the output of the sink {sink} that it needs was not kept");
    }
    let index = usize::from(node_index);
    let is_changed = match new.nodes.results.get(index) {
        Some(
            ChainResult::NotSucceeded { is_unchanged }
            | ChainResult::Succeeded { is_unchanged, .. },
        ) => !is_unchanged,
        None => false,
    };
    let reason = match new.nodes.choices.get(index) {
        Some(ResumeChoice::Repeat) if new.named.from == Some(node_index) => "from_node names it",
        Some(ResumeChoice::Repeat) if is_changed => "its definition or an edge from it has changed",
        Some(ResumeChoice::Repeat) => "a node above it executes again on purpose",
        Some(ResumeChoice::Reuse) => "its output was not kept, and a node below it needs it",
        Some(ResumeChoice::Finish) | None => "it has not succeeded",
    };
    let mut upstream = new.graph.upstream(node_index).iter();
    let empty = upstream.find(|up| new.nodes.skipped.contains(up));
    match empty.and_then(|up| new.graph.id(*up)) {
        Some(up) => format!("{reason}; the node {up} is skipped and gives it no rows"),
        None => reason.to_owned(),
    }
}
