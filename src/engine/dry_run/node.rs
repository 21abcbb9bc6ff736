//! One node of a dry run: waits for a slot and makes one attempt.
//!
//! There are no retries: a caller who looks at a preview can repeat the dry run sooner.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::dry_run_timeout_message;
use super::node_warnings::NodeWarnings;
use crate::engine::Shared;
use crate::engine::attempt::{self, AttemptOutcome, timeout_message};
use crate::engine::branch::{self, Returned};
use crate::engine::execution_permit::PermitRequest;
use crate::engine::secret_resolver::SecretResolver;
use crate::engine::stop_signal::{StopSignal, wait_for_signal};
use crate::error::truncate;
use crate::executor::{Executor, Input, NodeCall, NodeLog};
use crate::graph::Graph;
use crate::graph::policy::RetryPolicy;
use crate::model::{Dataset, Node, NodeIndex, NodeStatus, Run};

/// The outcome of a node in a dry run.
pub(super) struct DryNodeOutcome {
    pub(super) status: NodeStatus,
    pub(super) dataset: Option<Dataset>,
    /// The branch that the node takes.
    pub(super) branch: Option<bool>,
    pub(super) error: Option<String>,
    /// What the node has warned of.
    pub(super) warnings: Vec<String>,
}

impl DryNodeOutcome {
    pub(super) const fn new(status: NodeStatus, dataset: Option<Dataset>) -> Self {
        Self {
            status,
            dataset,
            branch: None,
            error: None,
            warnings: Vec::new(),
        }
    }

    pub(super) fn failed(error: String) -> Self {
        Self {
            error: Some(error),
            ..Self::new(NodeStatus::Failed, None)
        }
    }
}

/// A node of a dry run that is about to execute.
pub(super) struct DryNode {
    pub(super) shared: Arc<Shared>,
    pub(super) permit: Arc<OwnedSemaphorePermit>,
    pub(super) run: Arc<Run>,
    pub(super) secrets: SecretResolver,
    pub(super) node: Node,
    pub(super) node_index: NodeIndex,
    pub(super) graph: Arc<Graph>,
    pub(super) inputs: Vec<Input>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) stop_signal: watch::Receiver<StopSignal>,
    pub(super) stop: CancellationToken,
}

impl DryNode {
    pub(super) async fn execute(mut self) -> DryNodeOutcome {
        let shared = Arc::clone(&self.shared);
        let request = PermitRequest {
            shared: &shared,
            run_slots: &self.slots,
            kind: &self.node.kind,
            inputs: &self.inputs,
        };
        let Some(permit) = request.acquire(&mut self.stop_signal).await else {
            return self.timed_out();
        };
        let warnings = NodeWarnings::new(self.secrets.mask.clone());
        let outcome = match &permit.executor {
            Ok(executor) => self.attempt(executor, warnings.log()).await,
            Err(error) => DryNodeOutcome::failed(error.message().to_owned()),
        };
        let max = shared.limits.error_bytes_max;
        let hidden = |error| truncate(self.secrets.mask.text(error), max);
        DryNodeOutcome {
            error: outcome.error.map(hidden),
            warnings: warnings.take(),
            ..outcome
        }
    }

    async fn attempt(&mut self, executor: &Arc<dyn Executor>, log: NodeLog) -> DryNodeOutcome {
        let timeout = match RetryPolicy::for_node(&self.node) {
            Ok(policy) => policy.timeout,
            Err(issues) => {
                let details = issues.into_iter().map(|issue| issue.detail);
                return DryNodeOutcome::failed(details.collect::<Vec<_>>().join("; "));
            }
        };
        let surroundings = self.secrets.build_ctx(&self.run, &self.node, 1, log);
        let surroundings = tokio::select! {
            ctx = surroundings => ctx,
            _ = wait_for_signal(&mut self.stop_signal, StopSignal::TimedOut) => return self.timed_out(),
        };
        let mut ctx = match surroundings {
            Ok(ctx) => ctx,
            Err(error) => return DryNodeOutcome::failed(error.message().to_owned()),
        };
        ctx.row_limit = Some(self.shared.limits.dry_run_rows_max);
        ctx.cancel = self.stop.clone();
        ctx.dry_run_permit = Some(Arc::clone(&self.permit));
        let call = NodeCall::new(ctx, std::mem::take(&mut self.inputs));
        match attempt::run(&self.shared, executor, call, timeout, &mut self.stop_signal).await {
            AttemptOutcome::Returned(returned) => {
                let split = |output| branch::split(&self.graph, self.node_index, None, output);
                match returned.and_then(split) {
                    Ok(Returned { branch, dataset }) => DryNodeOutcome {
                        branch,
                        ..DryNodeOutcome::new(NodeStatus::Success, dataset)
                    },
                    Err(error) => DryNodeOutcome::failed(error.message().to_owned()),
                }
            }
            AttemptOutcome::TimedOut => {
                DryNodeOutcome::failed(timeout_message(timeout.unwrap_or_default()))
            }
            AttemptOutcome::Stopped(_) => self.timed_out(),
        }
    }

    fn timed_out(&self) -> DryNodeOutcome {
        DryNodeOutcome::failed(dry_run_timeout_message(self.shared.limits.dry_run_timeout))
    }
}
