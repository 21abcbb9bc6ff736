//! A node that runs a program: rows on its stdin, rows on its stdout, and its stderr in the log.
//!
//! `child` starts and stops the program, `child_io` handles its pipes, `config` reads the node's
//! config.

mod child;
mod child_io;
mod config;
mod lines;
#[cfg(unix)]
#[cfg(test)]
mod tests;

use std::process::ExitStatus;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use self::child::Group;
use self::child_io::{ChildIo, EarlyStop};
use self::config::{Config, read_effect};
use super::config::{ConfigFields, config_error, without_template_issues};
use crate::clock::Clock;
use crate::error::{Issue, IssueLocation};
use crate::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use crate::model::{Dataset, Node};

/// How long the outputs of an exited child may stay open. Its own output is in the pipes by then.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Runs a program for each attempt.
///
/// Its config has `command` (the program and its arguments, without a shell) and `effect`
/// (`source`, `transform` or `sink`, by default `transform`).
///
/// The program reads the rows of all upstreams as NDJSON on its stdin, and may stop reading early.
/// It writes NDJSON rows to its stdout. Each line of its stderr becomes a line of the log. An exit
/// code other than 0 is a retryable failure.
///
/// Its environment is the host's without the variables of [`CommandNode::hide_env`], and with
/// `FLORET_RUN_ID`, `FLORET_NODE_ID`, `FLORET_ATTEMPT` and `FLORET_ATTEMPT_KEY`. On Unix it runs in
/// its own process group. When it exits, the rest of the group is killed.
#[derive(Debug, Clone)]
pub struct CommandNode {
    clock: Clock,
    hidden: Vec<String>,
}

impl CommandNode {
    /// Creates a command node that uses the engine's clock.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self {
            clock,
            hidden: Vec::new(),
        }
    }

    /// Hides a variable of the host's environment, such as a secret, from the programs.
    #[must_use]
    pub fn hide_env(mut self, name: impl Into<String>) -> Self {
        self.hidden.push(name.into());
        self
    }

    async fn run(&self, config: &Config<'_>, call: &NodeCall) -> Result<Dataset, ExecutorError> {
        let ctx = &call.ctx;
        let (mut group, pipes) = Group::start(config.program, &config.args, ctx, &self.hidden)?;
        let mut child_io = ChildIo::new(pipes, ctx.dataset_limits);
        let result = tokio::select! {
            biased;
            () = ctx.cancel.cancelled() => Err(EarlyStop::Failed(ExecutorError::retryable("stopped before it finished"))),
            result = self.exchange_until_exit(&mut group, &mut child_io, call) => result,
        };
        match result {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(exit_error(status, &child_io.last_line)),
            Err(stop) => {
                group.stop(&self.clock, child_io.drain()).await;
                if let EarlyStop::Failed(error) = stop {
                    return Err(error);
                }
            }
        }
        child_io
            .rows
            .finish()
            .map_err(|error| ExecutorError::permanent(error.to_string()))
    }

    /// Exchanges rows with the child until its outputs are closed and it has exited.
    async fn exchange_until_exit(
        &self,
        group: &mut Group,
        child_io: &mut ChildIo,
        call: &NodeCall,
    ) -> Result<ExitStatus, EarlyStop> {
        let rows_max = call.ctx.row_limit.unwrap_or(usize::MAX);
        let held_open = async {
            let status = group.wait().await?;
            self.clock.sleep(DRAIN_GRACE).await;
            Ok::<_, EarlyStop>(status)
        };
        tokio::select! {
            read = child_io.exchange(&call.inputs, rows_max, &call.ctx.log) => read?,
            status = held_open => return match status? {
                status if status.success() => Err(EarlyStop::Failed(ExecutorError::permanent(
                    "the command has exited, but a process that it started still holds its output open",
                ))),
                status => Ok(status),
            },
        }
        Ok(group.wait().await?)
    }
}

#[async_trait]
impl Executor for CommandNode {
    async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError> {
        let config = Config::read(&call.ctx.node.config).map_err(|issues| config_error(&issues))?;
        let dataset = self.run(&config, &call).await?;
        if config.effect == Effect::Sink && dataset.row_count() == 0 {
            return Ok(Output::Nothing);
        }
        Ok(Output::Dataset(dataset))
    }

    fn effect(&self, node: &Node) -> Effect {
        read_effect(&mut ConfigFields::new(&node.config))
    }

    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue> {
        // The engine reads the effect before it resolves templates.
        let (effect, others): (Vec<_>, Vec<_>) = Config::read(config)
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
        Some(&["command", "effect"])
    }

    fn assets(&self, _node: &Node) -> Vec<Asset> {
        Vec::new()
    }
}

fn exit_error(status: ExitStatus, last_line: &str) -> ExecutorError {
    let reason = match (status.code(), signal(status)) {
        (Some(code), _) => format!("the command failed with exit code {code}"),
        (None, Some(signal)) => format!("the command was killed by signal {signal}"),
        (None, None) => "the command failed".to_owned(),
    };
    if last_line.is_empty() {
        return ExecutorError::retryable(reason);
    }
    ExecutorError::retryable(format!("{reason}: {last_line}"))
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
const fn signal(_: ExitStatus) -> Option<i32> {
    None
}
