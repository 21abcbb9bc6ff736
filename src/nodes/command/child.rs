//! A child process in its own process group, which is killed with it.
//!
//! `child_io` reads and writes its pipes.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::environment::Environment;
use super::exhaustion::spawn_when_possible;
use crate::clock::Clock;
use crate::executor::{ExecutorError, NodeLog};
use crate::nodes::working_dir::WorkingDir;

/// How long a process group may take to exit after SIGTERM.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// A running child process. Dropping it kills its whole process group.
pub(super) struct Group {
    child: Child,
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
}

/// Our ends of a child's pipes.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Group {
    /// Starts a program with an environment, in a folder or in that of the host. Waits while the
    /// machine has no room for it.
    pub(super) async fn start(
        (program, args): (&str, &[&str]),
        environment: &Environment,
        folder: Option<&WorkingDir>,
        (clock, log): (&Clock, &NodeLog),
    ) -> Result<(Self, Pipes), ExecutorError> {
        let mut command = Command::new(program);
        if let Some(folder) = folder {
            command.current_dir(folder.path());
        }
        command
            .args(args)
            .env_clear()
            .envs(&environment.variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = spawn_when_possible(clock, log, || command.spawn())
            .await
            .map_err(|error| start_error(program, &error))?;
        let pipes = child
            .stdin
            .take()
            .zip(child.stdout.take())
            .zip(child.stderr.take());
        let ((stdin, stdout), stderr) =
            pipes.ok_or_else(|| ExecutorError::retryable("the command has no pipes"))?;
        let group = Self {
            #[cfg(unix)]
            group: child
                .id()
                .and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)),
            child,
        };
        Ok((
            group,
            Pipes {
                stdin,
                stdout,
                stderr,
            },
        ))
    }

    /// Waits until the child exits.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Sends SIGTERM to the group, waits up to a second while `drain` discards its output, and
    /// kills the rest.
    pub(super) async fn stop(mut self, clock: &Clock, drain: impl Future<Output = ()>) {
        self.terminate();
        let exited = async {
            drain.await;
            self.child.wait().await
        };
        // The drop of `self` kills what is left of the group in either case.
        drop(clock.timeout(STOP_GRACE, exited).await);
    }

    #[cfg(unix)]
    fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Other systems have no such signal: the drop kills the group.
    #[cfg(not(unix))]
    fn terminate(&self) {}

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(group) = self.group {
            // It fails if the whole group has exited already, which is the goal.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::KILL);
    }
}

fn start_error(program: &str, error: &io::Error) -> ExecutorError {
    let kind = error.kind();
    let message = format!("the command {program} cannot be started: {kind}");
    match kind {
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::ArgumentListTooLong => ExecutorError::permanent(message),
        _ => ExecutorError::retryable(message),
    }
}
