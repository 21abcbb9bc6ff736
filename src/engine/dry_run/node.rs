//! One node of a dry run: waits for its turn and makes one attempt.
//!
//! Retries are left out: whoever looks at a preview tries again by hand, and sooner.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::out_of_time;
use crate::engine::Shared;
use crate::engine::attempt::{self, Ended, reached, took_too_long};
use crate::engine::halt::Halt;
use crate::engine::turn::Turn;
use crate::engine::vault::Vault;
use crate::error::truncate;
use crate::executor::{Executor, Input, NodeCall, NodeLog, Output};
use crate::graph::policy::RetryPolicy;
use crate::model::{Dataset, Node, NodeStatus, Run};

/// What came of a node.
pub(super) struct Told {
    pub(super) status: NodeStatus,
    pub(super) dataset: Option<Dataset>,
    pub(super) error: Option<String>,
}

impl Told {
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

/// A node about to execute.
pub(super) struct Part {
    pub(super) shared: Arc<Shared>,
    pub(super) run: Arc<Run>,
    pub(super) vault: Vault,
    pub(super) node: Node,
    pub(super) inputs: Vec<Input>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) halt: watch::Receiver<Halt>,
    pub(super) stop: CancellationToken,
}

impl Part {
    pub(super) async fn play(mut self) -> Told {
        let shared = Arc::clone(&self.shared);
        let turn = Turn::wait(&shared, &self.slots, &self.node.kind, &mut self.halt).await;
        let Some(turn) = turn else {
            return self.late();
        };
        let told = match &turn.executor {
            Ok(executor) => self.attempt(executor).await,
            Err(error) => Told::failed(error.message().to_owned()),
        };
        let max = shared.limits.error_bytes_max;
        let hidden = |error| truncate(self.vault.mask.text(error), max);
        Told {
            error: told.error.map(hidden),
            ..told
        }
    }

    async fn attempt(&mut self, executor: &Arc<dyn Executor>) -> Told {
        let timeout = match RetryPolicy::for_node(&self.node) {
            Ok(policy) => policy.timeout,
            Err(issues) => {
                let told = issues.into_iter().map(|issue| issue.detail);
                return Told::failed(told.collect::<Vec<_>>().join("; "));
            }
        };
        let surroundings = self
            .vault
            .surroundings(&self.run, &self.node, 1, NodeLog::discard());
        let surroundings = tokio::select! {
            ctx = surroundings => ctx,
            _ = reached(&mut self.halt, Halt::TimedOut) => return self.late(),
        };
        let mut ctx = match surroundings {
            Ok(ctx) => ctx,
            Err(error) => return Told::failed(error.message().to_owned()),
        };
        ctx.row_limit = Some(self.shared.limits.dry_run_rows_max);
        ctx.cancel = self.stop.clone();
        let call = NodeCall::new(ctx, std::mem::take(&mut self.inputs));
        match attempt::run(&self.shared, executor, call, timeout, &mut self.halt).await {
            Ended::Itself(Ok(Output::Dataset(dataset))) => {
                Told::new(NodeStatus::Success, Some(dataset))
            }
            Ended::Itself(Ok(Output::Nothing)) => Told::new(NodeStatus::Success, None),
            Ended::Itself(Err(error)) => Told::failed(error.message().to_owned()),
            Ended::TimedOut => Told::failed(took_too_long(timeout.unwrap_or_default())),
            Ended::Halted(_) => self.late(),
        }
    }

    fn late(&self) -> Told {
        Told::failed(out_of_time(self.shared.limits.dry_run_timeout))
    }
}
