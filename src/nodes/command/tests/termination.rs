//! A command is stopped with its whole process group, however its attempt ends.

use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::{execute, listen};
use crate::clock::{Clock, Sleep, Time};
use crate::executor::{Executor, NodeCall};
use crate::nodes::CommandNode;
use crate::nodes::tests::call;

/// A pipe that a grandchild process holds open. A reader sees its end once all holders have exited.
struct HeldPipe {
    _dir: tempfile::TempDir,
    path: String,
}

impl HeldPipe {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("held").to_str().unwrap().to_owned();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        Self { _dir: dir, path }
    }

    /// Creates a call whose command and grandchild hold the pipe open, report their start and wait.
    fn call(&self, before: &str) -> NodeCall {
        let script = format!("{before} exec 3> \"$0\"; sleep 1000 & echo started >&2; wait");
        call(json!({"command": ["sh", "-c", script, self.path]}), [])
    }

    /// Resolves when no process holds the pipe. The read has its own thread, which a failed test
    /// does not wait for.
    fn released(&self) -> oneshot::Receiver<Vec<u8>> {
        let (released, receiver) = oneshot::channel();
        let path = self.path.clone();
        std::thread::spawn(move || released.send(std::fs::read(path).unwrap()));
        receiver
    }
}

async fn within_a_minute<T>(future: impl Future<Output = T>) -> T {
    let output = Clock::system()
        .timeout(Duration::from_secs(60), future)
        .await;
    output.expect("timed out after a minute")
}

#[tokio::test]
async fn a_cancelled_command_stops_with_its_whole_group() {
    let held = HeldPipe::new();
    let released = held.released();
    let mut call = held.call("");
    let mut heard = listen(&mut call);
    let cancel = call.ctx.cancel.clone();
    let stop = async {
        assert_eq!(heard.recv().await.unwrap(), "started");
        cancel.cancel();
    };
    let (output, ()) = within_a_minute(async { tokio::join!(execute(call), stop) }).await;
    assert_eq!(output.unwrap_err().message(), "stopped before it finished");
    assert_eq!(within_a_minute(released).await.unwrap(), b"");
}

#[tokio::test]
async fn a_dropped_command_stops_with_its_whole_group() {
    let held = HeldPipe::new();
    let released = held.released();
    let mut call = held.call("trap '' TERM;");
    let mut heard = listen(&mut call);
    tokio::select! {
        output = execute(call) => panic!("it finished: {output:?}"),
        line = heard.recv() => assert_eq!(line.unwrap(), "started"),
    }
    assert_eq!(within_a_minute(released).await.unwrap(), b"");
}

/// A clock on which every sleep ends at once. It reports each sleep to the test.
struct InstantSleeps(mpsc::UnboundedSender<Duration>);

impl Time for InstantSleeps {
    fn wall(&self) -> chrono::DateTime<chrono::Utc> {
        chrono::DateTime::UNIX_EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.send(duration).unwrap();
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn a_command_that_ignores_sigterm_is_killed_after_a_second() {
    let held = HeldPipe::new();
    let released = held.released();
    let mut call = held.call("trap '' TERM;");
    let mut heard = listen(&mut call);
    let cancel = call.ctx.cancel.clone();
    let (sleeps, mut slept) = mpsc::unbounded_channel();
    let node = CommandNode::new(Clock::new(Box::new(InstantSleeps(sleeps))));
    let stop = async {
        assert_eq!(heard.recv().await.unwrap(), "started");
        cancel.cancel();
    };
    let (output, ()) = within_a_minute(async { tokio::join!(node.execute(call), stop) }).await;
    assert!(output.is_err());
    assert_eq!(within_a_minute(released).await.unwrap(), b"");
    assert_eq!(slept.recv().await, Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn a_command_may_clean_up_after_sigterm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("exited");
    let script =
        "trap 'echo bye > \"$0\"; exit' TERM; echo started >&2; while :; do sleep 0.01; done";
    let mut call = call(json!({"command": ["sh", "-c", script, path]}), []);
    let mut heard = listen(&mut call);
    let cancel = call.ctx.cancel.clone();
    let stop = async {
        assert_eq!(heard.recv().await.unwrap(), "started");
        cancel.cancel();
    };
    let (output, ()) = within_a_minute(async { tokio::join!(execute(call), stop) }).await;
    assert!(output.is_err());
    assert_eq!(std::fs::read_to_string(path).unwrap(), "bye\n");
}
