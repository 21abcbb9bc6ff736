//! The measured servers, each a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The clock ticks of a second in `/proc`, the same on every Linux.
const TICKS: u64 = 100;

/// A server that ends when it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it listens. Its log goes into a file of the folder.
    pub(crate) fn start(mut command: Command, folder: &Path) -> Self {
        let log = File::create(folder.join("log.txt")).unwrap();
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            let log = std::fs::read_to_string(folder.join("log.txt"));
            panic!("{command:?}: {line} {}", log.unwrap_or_default());
        };
        let address = address.parse().unwrap();
        Self { process, address }
    }

    /// The command of a server that this program has, with its arguments.
    pub(crate) fn own(role: &str, folder: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(role).arg(folder);
        command
    }

    /// The processor time that the server has used. `None` where the system has no `/proc`.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let stat = format!("/proc/{}/stat", self.process.id());
        let stat = std::fs::read_to_string(stat).ok()?;
        // The second field is a name that may contain blanks.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some(Duration::from_millis((user + system) * 1_000 / TICKS))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Builds the standalone example as its users do, and returns its executable.
pub(crate) fn standalone() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--example", "standalone"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the example does not build");
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).unwrap();
        let path = message["executable"].as_str()?;
        (message["target"]["name"] == "standalone").then(|| path.into())
    });
    executable.unwrap()
}
