//! Replaces the executor of a registered node type in a test.
//!
//! `builder` holds the registered types.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::builder::Builder;
use crate::error::Issue;
use crate::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use crate::model::Node;

impl Builder {
    /// Replaces what a registered node type executes, for tests of a host that has a function which
    /// registers its types.
    ///
    /// The type keeps its effect, the check of its configs, its assets and its tenants, so that a
    /// test refuses and skips what the host does. Only the attempts go to `executor`. The node type
    /// must be registered before: [`Builder::start`] refuses another name.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// use floret::executor::{Ctx, ExecutorError};
    /// use floret::testing::{ScriptedExecutor, Step, memory, run_to_end};
    /// use floret::{Builder, Pipeline};
    /// use serde_json::{Value, json};
    ///
    /// // The host's own.
    /// async fn enrich(_: Ctx, _: Vec<Value>) -> Result<Vec<Value>, ExecutorError> {
    ///     Err(ExecutorError::retryable("a test has no network"))
    /// }
    /// fn node_types(builder: Builder) -> Builder {
    ///     builder.node("enrich", enrich)
    /// }
    ///
    /// // The test.
    /// let script = ScriptedExecutor::new();
    /// script.script("enrich", [Step::rows([json!({"city": "Oslo"})])]);
    /// let builder = node_types(memory()).replace("enrich", script);
    /// let daily = Pipeline::new("daily").node("enrich", "enrich");
    /// let finished = run_to_end(builder, daily).await?;
    /// assert_eq!(finished.handle.output::<Value>("enrich").await?[0]["city"], "Oslo");
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace(self, kind: impl Into<String>, executor: impl Executor) -> Self {
        self.replace_executor(kind.into(), |original| {
            Arc::new(Replacement {
                original,
                executor: Arc::new(executor),
            })
        })
    }
}

/// Executes with one executor what another one declares.
struct Replacement {
    original: Arc<dyn Executor>,
    executor: Arc<dyn Executor>,
}

#[async_trait]
impl Executor for Replacement {
    async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        self.executor.execute(call).await
    }

    fn effect(&self, node: &Node) -> Effect {
        self.original.effect(node)
    }

    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue> {
        self.original.validate(config)
    }

    fn assets(&self, node: &Node) -> Vec<Asset> {
        self.original.assets(node)
    }

    fn config_keys(&self) -> Option<&[&str]> {
        self.original.config_keys()
    }

    fn input_count(&self) -> Option<usize> {
        self.original.input_count()
    }

    fn config_schema(&self) -> Option<Value> {
        self.original.config_schema()
    }

    fn warnings(&self, config: &Map<String, Value>) -> Vec<Issue> {
        self.original.warnings(config)
    }
}
