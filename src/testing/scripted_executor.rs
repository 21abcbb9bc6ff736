//! An executor that does what a test has scripted for each node, and records its calls.
//!
//! When a node is called is left to the engine, which is what such tests check.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::Gate;
use crate::error::Issue;
use crate::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use crate::model::{Dataset, Node, RunId};

/// What a node does in one attempt of a [`ScriptedExecutor`].
#[derive(Debug, Clone)]
pub struct Step {
    action: Action,
    gate: Option<Gate>,
    ignores_cancel: bool,
    lines: Vec<String>,
    branch: Option<bool>,
}

#[derive(Debug, Clone)]
enum Action {
    PassOn,
    Rows(Vec<Map<String, Value>>),
    Nothing,
    Fail(ExecutorError),
    Panic(String),
}

impl Step {
    const fn new(action: Action) -> Self {
        Self {
            action,
            gate: None,
            ignores_cancel: false,
            lines: Vec::new(),
            branch: None,
        }
    }

    /// Returns the rows of all inputs, one input after the other.
    ///
    /// A node without a script does the same.
    #[must_use]
    pub const fn pass_on() -> Self {
        Self::new(Action::PassOn)
    }

    /// Returns these rows, each of which MUST be a JSON object.
    ///
    /// # Panics
    /// If a row is not an object.
    #[must_use]
    pub fn rows(rows: impl IntoIterator<Item = Value>) -> Self {
        let rows = rows.into_iter().map(|row| match row {
            Value::Object(row) => row,
            other => panic!("a row must be a JSON object, not {other}"),
        });
        Self::new(Action::Rows(rows.collect()))
    }

    /// Returns no output, as a sink does.
    #[must_use]
    pub const fn nothing() -> Self {
        Self::new(Action::Nothing)
    }

    /// Takes this branch with its output.
    #[must_use]
    pub const fn branch(mut self, taken: bool) -> Self {
        self.branch = Some(taken);
        self
    }

    /// Fails with an error that allows a retry.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(Action::Fail(ExecutorError::retryable(message)))
    }

    /// Fails with an error that allows no retry.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(Action::Fail(ExecutorError::permanent(message)))
    }

    /// Panics with this text.
    #[must_use]
    pub fn panic(message: impl Into<String>) -> Self {
        Self::new(Action::Panic(message.into()))
    }

    /// Waits at `gate` first.
    ///
    /// If the attempt is cancelled meanwhile, it fails with the message `stopped`.
    #[must_use]
    pub fn at(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Ignores a cancellation and continues to wait at its gate.
    #[must_use]
    pub const fn ignores_cancel(mut self) -> Self {
        self.ignores_cancel = true;
        self
    }

    /// Writes a line to the log before everything else.
    #[must_use]
    pub fn logs(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }
}

/// A call of a [`ScriptedExecutor`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExecutedCall {
    /// The run.
    pub run_id: RunId,
    /// The node, with its templates resolved.
    pub node: Node,
    /// The number of the attempt.
    pub attempt: u32,
    /// The key by which a sink recognizes a repeated attempt.
    pub attempt_key: String,
    /// The rows of each upstream in edge order, or `None` for an upstream without output.
    pub inputs: Vec<Option<Vec<Map<String, Value>>>>,
}

/// An executor that follows a script for each node and records every call.
///
/// Clones share their scripts and calls, so a test keeps one clone and registers the other.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// use floret::testing::{ScriptedExecutor, Step, memory, run_to_end};
/// use floret::{Pipeline, RunStatus};
///
/// let executor = ScriptedExecutor::new();
/// executor.script("load", [Step::permanent("no such table")]);
///
/// let pipeline = Pipeline::new("daily").node("load", "scripted");
/// let finished = run_to_end(memory().executor("scripted", executor.clone()), pipeline).await?;
/// assert_eq!(finished.status(), RunStatus::Failed);
/// assert_eq!(executor.calls_of("load").len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct ScriptedExecutor(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified whenever a node starts.
    started: Notify,
}

#[derive(Default)]
struct State {
    scripts: BTreeMap<String, VecDeque<Step>>,
    effects: BTreeMap<String, Effect>,
    calls: Vec<ExecutedCall>,
    executing: usize,
    executing_max: usize,
}

impl fmt::Debug for ScriptedExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedExecutor").finish_non_exhaustive()
    }
}

impl ScriptedExecutor {
    /// Returns an executor without scripts: every node returns the rows of its inputs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what a node does, one step per attempt.
    ///
    /// The last step repeats.
    pub fn script(&self, node: impl Into<String>, steps: impl IntoIterator<Item = Step>) {
        let steps = steps.into_iter().collect();
        self.0.state.lock().scripts.insert(node.into(), steps);
    }

    /// Sets the effect of a node, which is [`Effect::Transform`] by default.
    pub fn effect(&self, node: impl Into<String>, effect: Effect) {
        self.0.state.lock().effects.insert(node.into(), effect);
    }

    /// Returns every call so far, in start order.
    #[must_use]
    pub fn calls(&self) -> Vec<ExecutedCall> {
        self.0.state.lock().calls.clone()
    }

    /// Returns the calls of one node, in start order.
    #[must_use]
    pub fn calls_of(&self, node: &str) -> Vec<ExecutedCall> {
        let state = self.0.state.lock();
        let calls = state.calls.iter().filter(|call| call.node.id == node);
        calls.cloned().collect()
    }

    /// Returns how many nodes execute now.
    #[must_use]
    pub fn executing(&self) -> usize {
        self.0.state.lock().executing
    }

    /// Returns the highest number of nodes that executed at once.
    #[must_use]
    pub fn executing_max(&self) -> usize {
        self.0.state.lock().executing_max
    }

    /// Waits until the node has started to execute.
    pub async fn started(&self, node: &str) {
        self.started_times(node, 1).await;
    }

    /// Waits until the node has started to execute `count` times.
    pub async fn started_times(&self, node: &str, count: usize) {
        self.started_until(|| self.calls_of(node).len() >= count)
            .await;
    }

    /// Waits until `count` nodes execute at once.
    ///
    /// The event of a node's start may come earlier: it is stored before the node executes.
    pub async fn executing_at_once(&self, count: usize) {
        self.started_until(|| self.executing() >= count).await;
    }

    /// Waits for starts of nodes until this is true.
    async fn started_until(&self, is_reached: impl Fn() -> bool) {
        let started = self.0.started.notified();
        tokio::pin!(started);
        loop {
            started.as_mut().enable();
            if is_reached() {
                return;
            }
            started.as_mut().await;
            started.set(self.0.started.notified());
        }
    }

    /// Records a call and returns the step that it executes.
    fn begin(&self, call: &NodeCall) -> Result<Step, ExecutorError> {
        let rows = |dataset: &Dataset| Dataset::rows(dataset);
        let inputs = call.inputs.iter();
        let inputs = inputs.map(|input| input.dataset.as_ref().map(rows).transpose());
        let ctx = &call.ctx;
        let call = ExecutedCall {
            run_id: ctx.run_id,
            node: ctx.node.clone(),
            attempt: ctx.attempt,
            attempt_key: ctx.attempt_key.clone(),
            inputs: inputs.collect::<Result<_, _>>()?,
        };
        let mut state = self.0.state.lock();
        state.executing += 1;
        state.executing_max = state.executing_max.max(state.executing);
        state.calls.push(call);
        let step = match state.scripts.get_mut(&ctx.node.id) {
            Some(script) if script.len() > 1 => script.pop_front(),
            Some(script) => script.front().cloned(),
            None => None,
        };
        Ok(step.unwrap_or_else(Step::pass_on))
    }
}

/// Counts a node as executing until it is dropped, also by a panic or an abandoned attempt.
struct Executing<'a>(&'a Shared);

impl Drop for Executing<'_> {
    fn drop(&mut self) {
        self.0.state.lock().executing -= 1;
    }
}

#[async_trait]
impl Executor for ScriptedExecutor {
    async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        let step = self.begin(&call)?;
        let _executing = Executing(&self.0);
        self.0.started.notify_waiters();
        for line in step.lines {
            call.ctx.log.info(line).await;
        }
        if let Some(gate) = &step.gate {
            tokio::select! {
                biased;
                () = gate.passed() => {}
                () = call.ctx.cancel.cancelled(), if !step.ignores_cancel => {
                    return Err(ExecutorError::permanent("stopped"));
                }
            }
        }
        let output = match step.action {
            Action::PassOn => {
                let mut rows = Vec::new();
                for dataset in call
                    .inputs
                    .iter()
                    .filter_map(|input| input.dataset.as_ref())
                {
                    rows.extend(dataset.rows()?);
                }
                Ok(Output::Dataset(Dataset::from_rows(rows)?))
            }
            Action::Rows(rows) => Ok(Output::Dataset(Dataset::from_rows(rows)?)),
            Action::Nothing => Ok(Output::Nothing),
            Action::Fail(error) => Err(error),
            Action::Panic(message) => std::panic::panic_any(message),
        }?;
        Ok(match step.branch {
            Some(taken) => Output::Branch {
                taken,
                dataset: output.into_parts().1,
            },
            None => output,
        })
    }

    fn effect(&self, node: &Node) -> Effect {
        let state = self.0.state.lock();
        let effect = state.effects.get(&node.id).copied();
        effect.unwrap_or(Effect::Transform)
    }

    fn validate(&self, _config: &Map<String, Value>) -> Vec<Issue> {
        Vec::new()
    }

    fn assets(&self, _node: &Node) -> Vec<Asset> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::executor::{Ctx, Input};
    use crate::model::{NodeId, PipelineId};

    fn call(inputs: Vec<Input>) -> NodeCall {
        let clock = Clock::system();
        let pipeline = PipelineId::new("daily").unwrap();
        let date = clock.now().date_naive();
        let ctx = Ctx::new(clock.new_run_id(), pipeline, date, Node::new("load", "any"));
        NodeCall::new(ctx, inputs)
    }

    #[tokio::test]
    async fn steps_follow_their_order_and_the_last_one_repeats() {
        let executor = ScriptedExecutor::new();
        executor.script(
            "load",
            [Step::retryable("no"), Step::rows([json!({"n": 1})])],
        );
        let first = executor.execute(call(Vec::new())).await.unwrap_err();
        assert_eq!((first.message(), first.is_retryable()), ("no", true));
        for _ in 0..2 {
            let output = executor.execute(call(Vec::new())).await.unwrap();
            let Output::Dataset(dataset) = output else {
                panic!("the step returns rows");
            };
            assert_eq!(dataset.row_count(), 1);
        }
        assert_eq!(executor.calls_of("load").len(), 3);
        assert_eq!(executor.executing_max(), 1);
    }

    #[tokio::test]
    async fn a_node_without_a_script_returns_the_rows_of_its_inputs() {
        let executor = ScriptedExecutor::new();
        let dataset = |n| {
            let rows = vec![json!({ "n": n }).as_object().unwrap().clone()];
            let id = NodeId::new("up").unwrap();
            Input::new(id, Some(Dataset::from_rows(rows).unwrap()))
        };
        let output = executor.execute(call(vec![dataset(1), dataset(2)])).await;
        let Output::Dataset(passed) = output.unwrap() else {
            panic!("a node without a script returns rows");
        };
        assert_eq!(passed.row_count(), 2);
        assert_eq!(executor.calls()[0].inputs.len(), 2);
    }

    #[tokio::test]
    async fn a_cancelled_step_stops_waiting_unless_it_ignores_the_cancel() {
        let executor = ScriptedExecutor::new();
        let gate = Gate::new();
        executor.script(
            "load",
            [
                Step::nothing().at(&gate),
                Step::nothing().at(&gate).ignores_cancel(),
            ],
        );
        let first = call(Vec::new());
        first.ctx.cancel.cancel();
        assert_eq!(
            executor.execute(first).await.unwrap_err().message(),
            "stopped"
        );
        let second = call(Vec::new());
        second.ctx.cancel.cancel();
        let mut waiting = executor.execute(second);
        assert!((&mut waiting).now_or_never().is_none());
        gate.open();
        waiting.await.unwrap();
    }
}
