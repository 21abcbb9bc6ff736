//! A node that is a program: rows on its stdin, rows on its stdout, its stderr in the log.
//!
//! How a child is started and ended is left to `child`, what passes through its pipes to `talk`, its config to `config`.

mod child;
mod config;
mod lines;
mod talk;
#[cfg(unix)]
#[cfg(test)]
mod tests;

use std::process::ExitStatus;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use self::child::Group;
use self::config::{Config, read_effect};
use self::talk::{Early, Talk};
use super::config::{Fields, known, refusal};
use crate::clock::Clock;
use crate::error::{Issue, IssueLocation};
use crate::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use crate::model::{Dataset, Node};

/// How long the outputs of a child that has ended may stay open: what it said is in its pipes by then.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Runs a program an attempt: config `command` (the program and its arguments, without a shell) and `effect` (`source`,
/// `transform` or `sink`, by default `transform`).
///
/// It gets the rows of all upstreams as NDJSON on its stdin and may stop reading them; its stdout is NDJSON too, each
/// line of its stderr a line of the log, and an exit code other than 0 a failure that may be tried again. Its environment
/// is the host's, without what [`CommandNode::hide_env`] names, with `FLORET_RUN_ID`, `FLORET_NODE_ID`, `FLORET_ATTEMPT` and
/// `FLORET_ATTEMPT_KEY`.
/// It runs in a process group of its own (on Unix), and whatever is left of the group when it ends is killed.
#[derive(Debug, Clone)]
pub struct CommandNode {
    clock: Clock,
    hidden: Vec<String>,
}

impl CommandNode {
    /// Runs programs; `clock` is the one of the engine.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self {
            clock,
            hidden: Vec::new(),
        }
    }

    /// Keeps a variable of the host's environment, a secret of its own, from the programs.
    #[must_use]
    pub fn hide_env(mut self, name: impl Into<String>) -> Self {
        self.hidden.push(name.into());
        self
    }

    async fn run(&self, config: &Config<'_>, call: &NodeCall) -> Result<Dataset, ExecutorError> {
        let ctx = &call.ctx;
        let (mut group, pipes) = Group::start(config.program, &config.args, ctx, &self.hidden)?;
        let mut talk = Talk::new(pipes);
        let ended = tokio::select! {
            biased;
            () = ctx.cancel.cancelled() => Err(Early::Failed(ExecutorError::retryable("stopped before its end"))),
            ended = self.converse(&mut group, &mut talk, call) => ended,
        };
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(exit_error(status, &talk.last_line)),
            Err(early) => {
                group.stop(&self.clock, talk.drain()).await;
                if let Early::Failed(error) = early {
                    return Err(error);
                }
            }
        }
        talk.rows
            .finish()
            .map_err(|error| ExecutorError::permanent(error.to_string()))
    }

    /// Talks with the child until its outputs and it have ended.
    async fn converse(
        &self,
        group: &mut Group,
        talk: &mut Talk,
        call: &NodeCall,
    ) -> Result<ExitStatus, Early> {
        let rows_max = call.ctx.row_limit.unwrap_or(usize::MAX);
        let held_open = async {
            let status = group.wait().await?;
            self.clock.sleep(DRAIN_GRACE).await;
            Ok::<_, Early>(status)
        };
        tokio::select! {
            heard = talk.hold(&call.inputs, rows_max, &call.ctx.log) => heard?,
            status = held_open => return match status? {
                status if status.success() => Err(Early::Failed(ExecutorError::permanent(
                    "the command has ended, but a process that it started still holds its output open",
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
        let config = Config::read(&call.ctx.node.config).map_err(|issues| refusal(&issues))?;
        let dataset = self.run(&config, &call).await?;
        if config.effect == Effect::Sink && dataset.row_count() == 0 {
            return Ok(Output::Nothing);
        }
        Ok(Output::Dataset(dataset))
    }

    fn effect(&self, node: &Node) -> Effect {
        read_effect(&mut Fields::new(&node.config))
    }

    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue> {
        // Whether it is a sink is asked before templates are resolved.
        let (fixed, open): (Vec<_>, Vec<_>) = Config::read(config)
            .err()
            .unwrap_or_default()
            .into_iter()
            .partition(|issue| issue.location == IssueLocation::Pointer("/effect".to_owned()));
        fixed.into_iter().chain(known(config, open)).collect()
    }

    fn assets(&self, _node: &Node) -> Vec<Asset> {
        Vec::new()
    }
}

fn exit_error(status: ExitStatus, last_line: &str) -> ExecutorError {
    let ended = match (status.code(), signal(status)) {
        (Some(code), _) => format!("the command failed with exit code {code}"),
        (None, Some(signal)) => format!("the command was ended by signal {signal}"),
        (None, None) => "the command failed".to_owned(),
    };
    if last_line.is_empty() {
        return ExecutorError::retryable(ended);
    }
    ExecutorError::retryable(format!("{ended}: {last_line}"))
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
const fn signal(_: ExitStatus) -> Option<i32> {
    None
}
