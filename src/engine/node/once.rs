//! One attempt at a node that has its permit, from its recorded start to what follows from it.
//!
//! `attempt` executes it, and `exit` stores its outcome.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::field::display;

use super::{NextStep, NodeTask, Phase};
use crate::engine::attempt::{self, AttemptOutcome};
use crate::engine::attempt_log::AttemptLog;
use crate::engine::execution_permit::ExecutionPermit;
use crate::engine::journal::LeaseLost;
use crate::engine::stop_signal::{StopSignal, wait_for_signal};
use crate::error::log;
use crate::executor::{Executor, NodeCall, NodeLog};
use crate::graph::policy::RetryPolicy;
use crate::model::{Node, TraceParent};
use crate::storage::Entry;

impl NodeTask {
    /// Makes one attempt and stores its outcome.
    pub(super) async fn execute_once(
        &mut self,
        node: &Node,
        policy: &RetryPolicy,
        permit: ExecutionPermit,
        ready_at: Duration,
    ) -> Result<NextStep, LeaseLost> {
        let started = self.context.shared.clock.elapsed();
        self.phase.enter(Phase::Storing)?;
        self.record_interruption().await?;
        self.record_start(started.saturating_sub(ready_at)).await?;
        self.phase.enter(Phase::Attempting)?;
        let traceparent = self.traceparent().map(display);
        let span = log::info_span!("attempt", attempt = self.attempt, traceparent);
        let outcome = match &permit.executor {
            Ok(executor) => span.instrument(self.attempt(node, executor, policy)).await,
            Err(error) => AttemptOutcome::Returned(Err(error.clone())),
        };
        self.phase.enter(Phase::Storing)?;
        let outcome = outcome.masked(&self.context.secrets.mask);
        let next = self.settle_attempt(outcome, policy, started).await?;
        self.phase.enter(Phase::Attempting)?;
        drop(permit);
        self.phase.enter(Phase::Storing)?;
        Ok(next)
    }

    /// Returns the place of the attempt in the distributed trace of its run.
    fn traceparent(&self) -> Option<TraceParent> {
        let run = &self.context.run;
        let parent = run.traceparent?;
        Some(parent.of_attempt(run.id, self.node_index, self.attempt))
    }

    /// Records that the node starts again, and says why in the host's log.
    async fn record_interruption(&mut self) -> Result<(), LeaseLost> {
        let Some(reason) = self.interruption.take() else {
            return Ok(());
        };
        let attempt = self.attempt;
        log::info!(attempt, reason, "an interrupted node starts again");
        let entry = Entry::NodeRecovered {
            node_index: self.node_index,
            attempt,
            reason: reason.to_owned(),
            at: self.context.shared.clock.now(),
        };
        self.context.journal.send(entry).await
    }

    async fn attempt(
        &mut self,
        node: &Node,
        executor: &Arc<dyn Executor>,
        policy: &RetryPolicy,
    ) -> AttemptOutcome {
        let shared = Arc::clone(&self.context.shared);
        let log = NodeLog::to_sink(Arc::new(AttemptLog {
            journal: self.context.journal.clone(),
            shared: Arc::clone(&shared),
            mask: self.context.secrets.mask.clone(),
            node_index: self.node_index,
            attempt: self.attempt,
            size: Mutex::default(),
        }));
        let secrets = &self.context.secrets;
        let ctx = secrets.build_ctx(&self.context.run, node, self.attempt, log);
        let ctx = tokio::select! {
            ctx = ctx => ctx,
            signal = wait_for_signal(&mut self.stop_signal, StopSignal::TimedOut) => {
                return AttemptOutcome::Stopped(signal);
            },
        };
        match ctx {
            Ok(mut ctx) => {
                ctx.attempt_key = self.context.run.attempt_key(self.node_index, &node.id);
                ctx.traceparent = self.traceparent();
                let call = NodeCall::new(ctx, self.inputs.clone());
                attempt::run(
                    &shared,
                    executor,
                    call,
                    policy.timeout,
                    &mut self.stop_signal,
                )
                .await
            }
            Err(error) => AttemptOutcome::Returned(Err(error)),
        }
    }
}
