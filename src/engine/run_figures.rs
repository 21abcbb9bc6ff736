//! The figures of one claimed run, for the recorder of the host.
//!
//! `appender` and `execution` report what they have stored.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Shared;
use crate::metrics;
use crate::model::{NodeIndex, Pipeline, TenantId, Trigger};
use crate::storage::{ClaimedRun, Entry, FinishedNode};

/// The type of nodes without an executor. Their own types are texts that callers choose.
const UNKNOWN_TYPE: &str = "unknown";

/// What the figures of a run need.
#[derive(Debug, Clone)]
pub(super) struct RunFigures {
    trigger: Trigger,
    started_at: Option<DateTime<Utc>>,
    tenant: Option<TenantId>,
    definition: Arc<Pipeline>,
}

impl RunFigures {
    /// Counts the start of a run, or its recovery, and keeps what its other figures need.
    pub(super) fn begin(claimed: &ClaimedRun) -> Self {
        let run = &claimed.run;
        match claimed.interruption() {
            Some(interruption) => metrics::run_recovered(interruption),
            None => {
                let started_at = run.started_at.unwrap_or(run.created_at);
                let due_at = run
                    .run_after
                    .map_or(run.created_at, |after| after.max(run.created_at));
                metrics::run_started(run.trigger, between(due_at, started_at));
            }
        }
        Self {
            trigger: run.trigger,
            started_at: run.started_at,
            tenant: run.tenant.clone(),
            definition: Arc::clone(&claimed.definition),
        }
    }

    /// Counts what stored entries say.
    pub(super) fn count(&self, shared: &Shared, entries: &[Entry]) {
        for entry in entries {
            match entry {
                Entry::NodeFinished(finished) => {
                    let FinishedNode {
                        node_index,
                        status,
                        duration_ms,
                        ..
                    } = **finished;
                    let took = duration_ms.map(Duration::from_millis);
                    metrics::node_finished(self.kind(shared, node_index), status, took);
                }
                Entry::NodeRetrying { node_index, .. } => {
                    metrics::node_retried(self.kind(shared, *node_index));
                }
                Entry::RunFinished { status, at, .. } => {
                    let took = between(self.started_at.unwrap_or(*at), *at);
                    metrics::run_finished(self.trigger, *status, took);
                }
                Entry::NodeStarted { .. }
                | Entry::NodeRecovered { .. }
                | Entry::Profile { .. }
                | Entry::Log { .. } => {}
            }
        }
    }

    fn kind(&self, shared: &Shared, node_index: NodeIndex) -> &str {
        let node = self.definition.nodes.get(usize::from(node_index));
        let known = node.filter(|node| {
            let executor = shared.registry.get(&node.kind, self.tenant.as_ref());
            executor.is_some()
        });
        known.map_or(UNKNOWN_TYPE, |node| &node.kind)
    }
}

/// Returns the time between two moments, or zero if the clock has stepped back.
fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    to.signed_duration_since(from).to_std().unwrap_or_default()
}
