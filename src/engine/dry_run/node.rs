//! One node of a dry run: waits for a slot and makes one attempt.
//!
//! There are no retries: a caller who looks at a preview can repeat the dry run sooner.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::timeout_message;
use crate::engine::Shared;
use crate::engine::attempt::{self, Ended, reached, took_too_long};
use crate::engine::halt::Halt;
use crate::engine::turn::Turn;
use crate::engine::vault::Vault;
use crate::error::cut;
use crate::executor::{Executor, Input, NodeCall, NodeLog, Output};
use crate::graph::policy::RetryPolicy;
use crate::model::{Dataset, Node, NodeStatus, Run};

/// The outcome of a node in a dry run.
pub(super) struct DryNodeOutcome {
    pub(super) status: NodeStatus,
    pub(super) dataset: Option<Dataset>,
    pub(super) error: Option<String>,
}

impl DryNodeOutcome {
    pub(super) const fn new(status: NodeStatus, dataset: Option<Dataset>) -> Self {
        Self {
            status,
            dataset,
            error: None,
        }
    }

    fn failed(error: String) -> Self {
        Self {
            error: Some(error),
            ..Self::new(NodeStatus::Failed, None)
        }
    }
}

/// A node of a dry run that is about to execute.
pub(super) struct DryNode {
    pub(super) shared: Arc<Shared>,
    pub(super) run: Arc<Run>,
    pub(super) vault: Vault,
    pub(super) node: Node,
    pub(super) inputs: Vec<Input>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) halt: watch::Receiver<Halt>,
    pub(super) stop: CancellationToken,
}

impl DryNode {
    pub(super) async fn execute(mut self) -> DryNodeOutcome {
        let shared = Arc::clone(&self.shared);
        let turn = Turn::wait(&shared, &self.slots, &self.node.kind, &mut self.halt).await;
        let Some(turn) = turn else {
            return self.timed_out();
        };
        let outcome = match &turn.executor {
            Ok(executor) => self.attempt(executor).await,
            Err(error) => DryNodeOutcome::failed(error.message().to_owned()),
        };
        let max = shared.limits.error_bytes_max;
        let hidden = |error| cut(self.vault.mask.text(error), max);
        DryNodeOutcome {
            error: outcome.error.map(hidden),
            ..outcome
        }
    }

    async fn attempt(&mut self, executor: &Arc<dyn Executor>) -> DryNodeOutcome {
        let timeout = match RetryPolicy::of(&self.node) {
            Ok(policy) => policy.timeout,
            Err(issues) => {
                let details = issues.into_iter().map(|issue| issue.detail);
                return DryNodeOutcome::failed(details.collect::<Vec<_>>().join("; "));
            }
        };
        let surroundings = self
            .vault
            .surroundings(&self.run, &self.node, 1, NodeLog::discard());
        let surroundings = tokio::select! {
            ctx = surroundings => ctx,
            _ = reached(&mut self.halt, Halt::TimedOut) => return self.timed_out(),
        };
        let mut ctx = match surroundings {
            Ok(ctx) => ctx,
            Err(error) => return DryNodeOutcome::failed(error.message().to_owned()),
        };
        ctx.row_limit = Some(self.shared.limits.dry_run_rows_max);
        ctx.cancel = self.stop.clone();
        let call = NodeCall::new(ctx, std::mem::take(&mut self.inputs));
        match attempt::run(&self.shared, executor, call, timeout, &mut self.halt).await {
            Ended::Itself(Ok(Output::Dataset(dataset))) => {
                DryNodeOutcome::new(NodeStatus::Success, Some(dataset))
            }
            Ended::Itself(Ok(Output::Nothing)) => DryNodeOutcome::new(NodeStatus::Success, None),
            Ended::Itself(Err(error)) => DryNodeOutcome::failed(error.message().to_owned()),
            Ended::TimedOut => DryNodeOutcome::failed(took_too_long(timeout.unwrap_or_default())),
            Ended::Halted(_) => self.timed_out(),
        }
    }

    fn timed_out(&self) -> DryNodeOutcome {
        DryNodeOutcome::failed(timeout_message(self.shared.limits.dry_run_timeout))
    }
}
