//! The keys of a node's config that the engine reads: their names, units, ranges and defaults, and
//! the setters that write them.
//!
//! `graph/policy` reads and checks them. `engine/retry` decides how the delay grows.

use std::time::Duration;

use serde_json::Value;

use super::{Node, seconds};

/// The number of attempts after the first.
pub(crate) const MAX_RETRIES: &str = "max_retries";

/// The largest number of retries of a node. With the longest delay, 100 retries take about eight
/// hours.
pub(crate) const RETRIES_MAX: u32 = 100;

/// The delay before the first retry, in milliseconds.
pub(crate) const RETRY_DELAY: &str = "retry_delay";

/// The longest delay before the first retry, in milliseconds. 5 min, because no later delay is
/// longer.
pub(crate) const DELAY_MS_MAX: u32 = 300_000;

/// The delay of a node without the key.
pub(crate) const DELAY_DEFAULT: Duration = Duration::from_secs(1);

/// The timeout of one attempt, in seconds.
pub(crate) const TIMEOUT: &str = "timeout";

/// The shortest timeout, because timeouts are rounded to milliseconds.
pub(crate) const TIMEOUT_MIN: Duration = Duration::from_millis(1);

/// The longest timeout. One year, because a longer value is most likely a wrong unit.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_secs(31_536_000);

/// The values from [`TIMEOUT_MIN`] to [`TIMEOUT_MAX`].
pub(crate) const TIMEOUT_RANGE: &str = "a number of seconds from 0.001 to 31536000";

/// Whether a succeeded run keeps the output of the node. `false` without the key.
pub(crate) const KEEP_OUTPUT: &str = "keep_output";

/// The keys of a node's config that the engine reads.
pub(crate) const CONFIG_KEYS: [&str; 4] = [MAX_RETRIES, RETRY_DELAY, TIMEOUT, KEEP_OUTPUT];

/// The keys of the config that the engine reads, whatever the node type is.
impl Node {
    /// Sets how many attempts may follow the first one: 0 to 100. Without it, there are none.
    ///
    /// A save refuses a larger number. A permanent error ends the attempts at once. The config has
    /// the number as `max_retries`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// use std::time::Duration;
    ///
    /// use floret::testing::{ScriptedExecutor, Step, memory, run_to_end};
    /// use floret::{Node, Pipeline, RunStatus};
    ///
    /// let executor = ScriptedExecutor::new();
    /// executor.script("load", [Step::retryable("busy"), Step::nothing()]);
    ///
    /// let load = Node::new("load", "scripted")
    ///     .retries(4)
    ///     .retry_delay(Duration::from_millis(5))
    ///     .timeout(Duration::from_secs(60));
    /// let daily = Pipeline::new("daily").with(load);
    /// let finished = run_to_end(memory().executor("scripted", executor), daily).await?;
    /// assert_eq!(finished.status(), RunStatus::Success);
    /// assert_eq!(finished.detail.nodes[0].attempt, Some(2));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn retries(self, count: u32) -> Self {
        self.config(MAX_RETRIES, count)
    }

    /// Sets the delay before the first retry: 0 to 5 minutes, in milliseconds. Without it, the
    /// delay is one second.
    ///
    /// Each later delay is twice as long, up to 5 minutes. A save refuses a longer first delay. The
    /// config has the number of milliseconds as `retry_delay`.
    #[must_use]
    pub fn retry_delay(self, delay: Duration) -> Self {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.config(RETRY_DELAY, ms)
    }

    /// Sets how long one attempt may take: 0.001 s to one year, in milliseconds. Without it, there
    /// is no limit.
    ///
    /// An attempt that takes longer fails, and may be retried. A save refuses a value out of the
    /// range. The config has the number of seconds as `timeout`. [`Pipeline::timeout`] limits the
    /// whole run.
    ///
    /// [`Pipeline::timeout`]: super::Pipeline::timeout
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        let seconds = seconds::to_number(timeout);
        self.config(TIMEOUT, Value::Number(seconds))
    }

    /// Keeps the output of the node after its run has succeeded, until the run is purged. Without
    /// it, a succeeded run keeps the outputs of its last nodes only, up to 1 MiB each
    /// (`Limits::result_bytes_max`).
    ///
    /// The size has no other limit than that of every stored output (`Limits::output_bytes_max`,
    /// 16 MiB). An output that contains a secret is not stored. The config has `true` as
    /// `keep_output`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// use floret::executor::{Ctx, ExecutorError};
    /// use floret::{Floret, Node, Pipeline, storage::MemoryStorage};
    /// use serde_json::{Value, json};
    ///
    /// async fn load(_: Ctx) -> Result<Vec<Value>, ExecutorError> {
    ///     Ok(vec![json!({"id": 7})])
    /// }
    /// async fn save(_: Ctx, _: Vec<Value>) -> Result<(), ExecutorError> {
    ///     Ok(())
    /// }
    /// let load_node = Node::new("load", "load").keep_output();
    /// let daily = Pipeline::new("daily").with(load_node).node("save", "save").after("load");
    /// let floret = Floret::builder(MemoryStorage::default())
    ///     .node("load", load)
    ///     .sink("save", save)
    ///     .pipeline(daily)
    ///     .start()
    ///     .await?;
    /// let run = floret.run("daily").await?;
    /// run.finished().await?;
    /// assert_eq!(run.output::<Value>("load").await?, [json!({"id": 7})]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn keep_output(self) -> Self {
        self.config(KEEP_OUTPUT, true)
    }

    /// Returns whether a succeeded run keeps the output of the node.
    pub(crate) fn keeps_output(&self) -> bool {
        self.config.get(KEEP_OUTPUT).and_then(Value::as_bool) == Some(true)
    }
}
