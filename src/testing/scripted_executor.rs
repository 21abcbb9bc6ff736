//! An executor that does what a test has written down for each node, and remembers how it was
//! called.
//!
//! When a node is called is decided by the engine; that is what such tests are about.

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

/// What a node does in one attempt.
#[derive(Debug, Clone)]
pub struct Step {
    end: End,
    gate: Option<Gate>,
    is_deaf: bool,
    lines: Vec<String>,
}

#[derive(Debug, Clone)]
enum End {
    PassOn,
    Rows(Vec<Map<String, Value>>),
    Nothing,
    Fail(ExecutorError),
    Panic(String),
}

impl Step {
    const fn new(end: End) -> Self {
        Self {
            end,
            gate: None,
            is_deaf: false,
            lines: Vec::new(),
        }
    }

    /// Hands on the rows of all inputs, one after another: what a node without a script does.
    #[must_use]
    pub const fn pass_on() -> Self {
        Self::new(End::PassOn)
    }

    /// Hands on these rows; each must be a JSON object.
    ///
    /// # Panics
    /// When one is none.
    #[must_use]
    pub fn rows(rows: impl IntoIterator<Item = Value>) -> Self {
        let rows = rows.into_iter().map(|row| match row {
            Value::Object(row) => row,
            other => panic!("a row must be a JSON object, not {other}"),
        });
        Self::new(End::Rows(rows.collect()))
    }

    /// Hands on nothing, as a sink does.
    #[must_use]
    pub const fn nothing() -> Self {
        Self::new(End::Nothing)
    }

    /// Fails, and trying again may help.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(End::Fail(ExecutorError::retryable(message)))
    }

    /// Fails for good.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(End::Fail(ExecutorError::permanent(message)))
    }

    /// Panics with this text.
    #[must_use]
    pub fn panic(message: impl Into<String>) -> Self {
        Self::new(End::Panic(message.into()))
    }

    /// Waits at the gate before; told to stop there, it fails with `stopped`.
    #[must_use]
    pub fn at(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Goes on waiting at its gate when it is told to stop.
    #[must_use]
    pub const fn deaf(mut self) -> Self {
        self.is_deaf = true;
        self
    }

    /// Writes a line to the log before all else.
    #[must_use]
    pub fn logs(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }
}

/// How a node was called.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Call {
    /// The run.
    pub run_id: RunId,
    /// The node, its templates resolved.
    pub node: Node,
    /// Which attempt.
    pub attempt: u32,
    /// The key by which a sink tells a repeat.
    pub attempt_key: String,
    /// The rows of each upstream, in the order of the edges; none where it handed on nothing.
    pub inputs: Vec<Option<Vec<Map<String, Value>>>>,
}

/// Follows a script for each node. Clones follow the same one.
#[derive(Clone, Default)]
pub struct ScriptedExecutor(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told whenever a node begins.
    began: Notify,
}

#[derive(Default)]
struct State {
    scripts: BTreeMap<String, VecDeque<Step>>,
    effects: BTreeMap<String, Effect>,
    calls: Vec<Call>,
    executing: usize,
    executing_max: usize,
}

impl fmt::Debug for ScriptedExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedExecutor").finish_non_exhaustive()
    }
}

impl ScriptedExecutor {
    /// An executor in which every node passes its inputs on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what a node does, one step an attempt; the last one is repeated.
    pub fn script(&self, node: impl Into<String>, steps: impl IntoIterator<Item = Step>) {
        let steps = steps.into_iter().collect();
        self.0.state.lock().scripts.insert(node.into(), steps);
    }

    /// Sets what a node does to the world outside; a transform where nothing is set.
    pub fn effect(&self, node: impl Into<String>, effect: Effect) {
        self.0.state.lock().effects.insert(node.into(), effect);
    }

    /// Every call so far, in the order in which they began.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.0.state.lock().calls.clone()
    }

    /// The calls of one node.
    #[must_use]
    pub fn calls_of(&self, node: &str) -> Vec<Call> {
        let state = self.0.state.lock();
        let calls = state.calls.iter().filter(|call| call.node.id == node);
        calls.cloned().collect()
    }

    /// How many nodes execute now.
    #[must_use]
    pub fn executing(&self) -> usize {
        self.0.state.lock().executing
    }

    /// The most nodes that executed at once.
    #[must_use]
    pub fn executing_max(&self) -> usize {
        self.0.state.lock().executing_max
    }

    /// Ends once the node has begun to execute.
    pub async fn started(&self, node: &str) {
        self.started_times(node, 1).await;
    }

    /// Ends once the node has begun to execute so many times.
    pub async fn started_times(&self, node: &str, count: usize) {
        let began = self.0.began.notified();
        tokio::pin!(began);
        loop {
            began.as_mut().enable();
            if self.calls_of(node).len() >= count {
                return;
            }
            began.as_mut().await;
            began.set(self.0.began.notified());
        }
    }

    /// Remembers the call and gives what the node does in it.
    fn begin(&self, call: &NodeCall) -> Result<Step, ExecutorError> {
        let rows = |dataset: &Dataset| Dataset::rows(dataset);
        let inputs = call.inputs.iter();
        let inputs = inputs.map(|input| input.dataset.as_ref().map(rows).transpose());
        let ctx = &call.ctx;
        let call = Call {
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

/// Counts a node as executing until it is dropped, which a panic and an abandoned attempt do too.
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
        self.0.began.notify_waiters();
        for line in step.lines {
            call.ctx.log.info(line).await;
        }
        if let Some(gate) = &step.gate {
            tokio::select! {
                biased;
                () = gate.passed() => {}
                () = call.ctx.cancel.cancelled(), if !step.is_deaf => {
                    return Err(ExecutorError::permanent("stopped"));
                }
            }
        }
        match step.end {
            End::PassOn => {
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
            End::Rows(rows) => Ok(Output::Dataset(Dataset::from_rows(rows)?)),
            End::Nothing => Ok(Output::Nothing),
            End::Fail(error) => Err(error),
            End::Panic(message) => std::panic::panic_any(message),
        }
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
    async fn steps_follow_one_another_and_the_last_is_repeated() {
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
                panic!("rows were written down");
            };
            assert_eq!(dataset.row_count(), 1);
        }
        assert_eq!(executor.calls_of("load").len(), 3);
        assert_eq!(executor.executing_max(), 1);
    }

    #[tokio::test]
    async fn a_node_without_a_script_passes_its_inputs_on() {
        let executor = ScriptedExecutor::new();
        let dataset = |n| {
            let rows = vec![json!({ "n": n }).as_object().unwrap().clone()];
            let id = NodeId::new("up").unwrap();
            Input::new(id, Some(Dataset::from_rows(rows).unwrap()))
        };
        let output = executor.execute(call(vec![dataset(1), dataset(2)])).await;
        let Output::Dataset(passed) = output.unwrap() else {
            panic!("a node without a script hands on rows");
        };
        assert_eq!(passed.row_count(), 2);
        assert_eq!(executor.calls()[0].inputs.len(), 2);
    }

    #[tokio::test]
    async fn told_to_stop_a_step_leaves_its_gate_unless_it_is_deaf() {
        let executor = ScriptedExecutor::new();
        let gate = Gate::new();
        executor.script(
            "load",
            [Step::nothing().at(&gate), Step::nothing().at(&gate).deaf()],
        );
        let first = call(Vec::new());
        first.ctx.cancel.cancel();
        assert_eq!(
            executor.execute(first).await.unwrap_err().message(),
            "stopped"
        );
        let second = call(Vec::new());
        second.ctx.cancel.cancel();
        let mut deaf = executor.execute(second);
        assert!((&mut deaf).now_or_never().is_none());
        gate.open();
        deaf.await.unwrap();
    }
}
