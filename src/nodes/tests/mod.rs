//! Tests of file nodes on real directories; `command` has its own tests.

mod bombs;
mod changing_files;
mod configs;
mod csv_sources;
mod csv_values;
mod emptiness;
mod encodings;
mod escapes;
mod formats;
mod sinks;

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::{DataDir, SinkFile, SourceFile};
use crate::clock::Clock;
use crate::executor::{
    Ctx, Executor, ExecutorError, Input, LogLine, LogSink, NodeCall, NodeLog, Output,
};
use crate::model::{Dataset, Node, NodeId, PipelineId};

pub(super) fn dataset(rows: Value) -> Dataset {
    Dataset::from_rows(serde_json::from_value(rows).unwrap()).unwrap()
}

/// Creates the call of the first attempt at a node with this config.
pub(super) fn call(config: Value, inputs: impl IntoIterator<Item = Dataset>) -> NodeCall {
    let mut node = Node::new("node", "kind");
    node.config = serde_json::from_value(config).unwrap();
    let ids = (
        Clock::system().new_run_id(),
        PipelineId::new("pipeline").unwrap(),
    );
    let ctx = Ctx::new(ids.0, ids.1, "2024-01-15".parse().unwrap(), node);
    let input = |dataset| Input::new(NodeId::new("upstream").unwrap(), Some(dataset));
    NodeCall::new(ctx, inputs.into_iter().map(input).collect())
}

pub(super) fn rows(output: Output) -> Vec<Map<String, Value>> {
    match output {
        Output::Dataset(dataset) => dataset.rows().unwrap(),
        Output::Nothing | Output::Branch { .. } => panic!("the node has no output"),
    }
}

/// The lines of a log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

#[async_trait::async_trait]
impl LogSink for Lines {
    async fn send(&self, line: LogLine) {
        self.0
            .lock()
            .push(format!("{:?}: {}", line.level, line.message));
    }
}

/// Creates a log, and returns the lines that are written to it.
fn recorded() -> (NodeLog, Lines) {
    let lines = Lines::default();
    (NodeLog::to_sink(Arc::new(lines.clone())), lines)
}

/// A data directory inside an outer directory, which nodes must not reach.
struct TestDir {
    outer: TempDir,
    dir: DataDir,
}

impl TestDir {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        std::fs::create_dir(outer.path().join("data")).unwrap();
        let dir = DataDir::open(outer.path().join("data")).unwrap();
        Self { outer, dir }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.outer.path().join("data").join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    async fn read(&self, config: Value) -> Result<Output, ExecutorError> {
        SourceFile::new(self.dir.clone())
            .execute(call(config, []))
            .await
    }

    async fn store(&self, config: Value, rows: Value) -> Result<Output, ExecutorError> {
        let call = call(config, [dataset(rows)]);
        SinkFile::new(self.dir.clone()).execute(call).await
    }

    /// Returns the message of a permanent failure.
    fn message(&self, failed: Result<Output, ExecutorError>) -> String {
        let error = self.error(failed);
        assert!(!error.is_retryable(), "{error}");
        error.message().to_owned()
    }

    /// Returns the message of a failure that a retry may mend.
    fn retryable(&self, failed: Result<Output, ExecutorError>) -> String {
        let error = self.error(failed);
        assert!(error.is_retryable(), "{error}");
        error.message().to_owned()
    }

    /// Returns a failure, which must not reveal where the directory is.
    fn error(&self, failed: Result<Output, ExecutorError>) -> ExecutorError {
        let error = failed.unwrap_err();
        assert!(
            !error
                .message()
                .contains(self.outer.path().to_str().unwrap())
        );
        error
    }
}
