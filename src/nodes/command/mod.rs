//! A node that runs a program: rows on its stdin, rows on its stdout, and its stderr in the log.
//!
//! `child` starts and stops the program, `child_io` handles its pipes, `stdout` reads its rows,
//! `config` reads the node's config and `environment` collects its variables.

mod child;
mod child_io;
mod config;
mod document;
mod environment;
mod exhaustion;
mod lines;
mod stdout;
mod tail;
#[cfg(unix)]
#[cfg(test)]
mod tests;

use std::process::ExitStatus;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use self::child::Group;
use self::child_io::ChildIo;
use self::config::{Config, KEYS, read_effect};
use self::environment::Environment;
use self::stdout::{EarlyStop, StdoutReader};
use super::blocking::blocking;
use super::config::{ConfigFields, config_error, without_template_issues};
use super::data_dir::DataDir;
use super::schemas;
use super::working_dir::WorkingDir;
use crate::clock::Clock;
use crate::error::{Issue, IssueLocation};
use crate::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use crate::model::Node;

/// How long the outputs of an exited child may stay open. Its own output is in the pipes by then.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Runs a program for each attempt.
///
/// | key of the config | meaning |
/// |---|---|
/// | `command` | the program and its arguments, without a shell |
/// | `effect` | `source`, `transform` or `sink`, by default `transform` |
/// | `output` | how stdout is read: `ndjson` (the default), `json`, `csv` or `log` |
/// | `false_exit_code` | the exit code that takes the branch `false`; 0 then takes `true` |
/// | `cwd` | the folder in which the program starts, inside the data directory |
/// | `env` | variables of its environment, as an object of names and texts |
///
/// A dry run skips a `sink` and executes every other program, also one without `effect`. It stops
/// a program that has written enough rows, unless its exit code takes a branch.
///
/// The program reads the rows of all upstreams as NDJSON on its stdin, and may stop reading early.
/// Each line of its stderr becomes a line of the log, and so does each line of its stdout if
/// `output` is `log`, which it always is for a sink. An exit code other than 0 and
/// `false_exit_code` is a retryable failure, whatever the program has written. Its message shows
/// the last lines of stderr and of stdout, which may be rows. A line of stdout that is no row is a
/// permanent failure, but only after the program has exited without one: Floret does not stop a
/// program in the middle of its work because of its output.
///
/// `false_exit_code` is 1 for `grep` and `test`. Of a script, take another one, such as 10:
/// interpreters exit with 1 after an error, which is no decision.
///
/// Its environment has the run's parameters as `FLORET_PARAM_<NAME>` (in upper case, with `_` for
/// other characters than letters and digits), `FLORET_RUN_ID`, `FLORET_NODE_ID`, `FLORET_ATTEMPT`
/// and `FLORET_ATTEMPT_KEY`, the variables of `env`, and of the host's variables only those that
/// programs commonly need (such as `PATH`, `HOME`, `LANG` and `TZ`) and those of
/// [`CommandNode::inherit_env`]. On Unix it runs in its own process group. When it exits, the rest
/// of the group is killed.
///
/// A parameter belongs in a word of its own, or is read from the environment. In the text of a
/// script, its value could change the script. `validate` warns of that.
///
/// ```
/// use floret::{Clock, Node, Pipeline, nodes::CommandNode, testing::memory};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let script = r#"echo "{\"region\": \"$1\", \"day\": \"$FLORET_PARAM_DAY\"}""#;
/// let command = serde_json::json!(["sh", "-c", script, "sh", "${param.region}"]);
/// let daily = Pipeline::new("daily")
///     .with(Node::new("say", "command").config("command", command))
///     .param("region", "eu")
///     .param("day", "2024-01-15");
/// let floret = memory()
///     .executor("command", CommandNode::new(Clock::system()))
///     .pipeline(daily)
///     .start()
///     .await?;
/// # if cfg!(unix) {
/// let run = floret.run("daily").start().await?;
/// assert_eq!(run.finished().await?.run.status, floret::RunStatus::Success);
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct CommandNode {
    clock: Clock,
    inherited: Vec<String>,
    data: Option<DataDir>,
}

impl CommandNode {
    /// Creates a command node that uses the engine's clock.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self {
            clock,
            inherited: Vec::new(),
            data: None,
        }
    }

    /// Lets the programs inherit one more variable of the host's environment.
    #[must_use]
    pub fn inherit_env(mut self, name: impl Into<String>) -> Self {
        self.inherited.push(name.into());
        self
    }

    /// Lets nodes start their programs in folders of this directory, with `cwd`.
    #[must_use]
    pub fn data_dir(mut self, dir: DataDir) -> Self {
        self.data = Some(dir);
        self
    }

    async fn run(&self, config: &Config<'_>, call: &NodeCall) -> Result<Output, ExecutorError> {
        let ctx = &call.ctx;
        let environment = Environment::new(&self.inherited, &config.env, ctx);
        for warning in &environment.warnings {
            ctx.log.warning(warning.as_str()).await;
        }
        let folder = match config.cwd {
            Some((data, path)) => {
                let (data, path) = (data.clone(), path.to_owned());
                Some(blocking(ctx, move |_| WorkingDir::open(&data, &path)).await?)
            }
            None => None,
        };
        let program = (config.program, &*config.args);
        let stopped = || ExecutorError::retryable("stopped before it finished");
        let (mut group, pipes) = tokio::select! {
            biased;
            () = ctx.cancel.cancelled() => return Err(stopped()),
            started = Group::start(program, &environment, folder.as_ref(), (&self.clock, &ctx.log)) => started?,
        };
        let mut reader = StdoutReader::new(config.output, ctx);
        if config.false_exit_code.is_some() {
            reader.read_to_the_end();
        }
        let mut child_io = ChildIo::new(pipes, reader);
        let result = tokio::select! {
            biased;
            () = ctx.cancel.cancelled() => Err(EarlyStop::Failed(stopped())),
            result = self.exchange_until_exit(config, &mut group, &mut child_io, call) => result,
        };
        let taken = match result {
            Ok(status) => match config.branch_of(status) {
                Ok(branch) => branch,
                Err(status) => return Err(exit_error(status, child_io)),
            },
            Err(stop) => {
                group.stop(&self.clock, child_io.drain()).await;
                if let EarlyStop::Failed(error) = stop {
                    return Err(error);
                }
                None
            }
        };
        let dataset = child_io.reader.finish()?;
        Ok(match taken {
            Some(taken) => Output::Branch { taken, dataset },
            None => dataset.map_or(Output::Nothing, Output::Dataset),
        })
    }

    /// Exchanges rows with the child until its outputs are closed and it has exited.
    async fn exchange_until_exit(
        &self,
        config: &Config<'_>,
        group: &mut Group,
        child_io: &mut ChildIo,
        call: &NodeCall,
    ) -> Result<ExitStatus, EarlyStop> {
        let held_open = async {
            let status = group.wait().await?;
            self.clock.sleep(DRAIN_GRACE).await;
            Ok::<_, EarlyStop>(status)
        };
        tokio::select! {
            read = child_io.exchange(&call.inputs, &call.ctx) => read?,
            status = held_open => return match config.branch_of(status?) {
                Ok(_) => Err(EarlyStop::Failed(ExecutorError::permanent(
                    "the command has exited, but a process that it started still holds its output open",
                ))),
                Err(status) => Ok(status),
            },
        }
        Ok(group.wait().await?)
    }
}

#[async_trait]
impl Executor for CommandNode {
    async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        let config = Config::read(&call.ctx.node.config, self.data.as_ref());
        let config = config.map_err(|issues| config_error(&issues))?;
        self.run(&config, &call).await
    }

    fn effect(&self, node: &Node) -> Effect {
        read_effect(&mut ConfigFields::new(&node.config))
    }

    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue> {
        // The engine reads the effect before it resolves templates.
        let (effect, others): (Vec<_>, Vec<_>) = Config::read(config, self.data.as_ref())
            .err()
            .unwrap_or_default()
            .into_iter()
            .partition(|issue| issue.location == IssueLocation::Pointer("/effect".to_owned()));
        effect
            .into_iter()
            .chain(without_template_issues(config, others))
            .collect()
    }

    fn config_keys(&self) -> Option<&[&str]> {
        Some(KEYS)
    }

    fn config_schema(&self) -> Option<Value> {
        Some(schemas::command())
    }

    fn warnings(&self, config: &Map<String, Value>) -> Vec<Issue> {
        config::warnings(config)
    }

    fn assets(&self, _node: &Node) -> Vec<Asset> {
        Vec::new()
    }
}

/// Describes the exit, with the last lines of both outputs.
fn exit_error(status: ExitStatus, child_io: ChildIo) -> ExecutorError {
    let mut message = match (status.code(), signal(status)) {
        (Some(code), _) => format!("the command failed with exit code {code}"),
        (None, Some(signal)) => format!("the command was killed by signal {signal}"),
        (None, None) => "the command failed".to_owned(),
    };
    if let Some(lines) = child_io.stderr_tail.into_text() {
        message = format!("{message}: {lines}");
    }
    if let Some(lines) = child_io.reader.tail.into_text() {
        message = format!("{message}; its output ends with: {lines}");
    }
    ExecutorError::retryable(message)
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
const fn signal(_: ExitStatus) -> Option<i32> {
    None
}
