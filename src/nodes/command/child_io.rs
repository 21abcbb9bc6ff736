//! The I/O of a child process: rows to its stdin, rows from its stdout, log lines from its stderr.
//!
//! One future handles all pipes at once, since a child may block on any of them. `child` starts and
//! stops the process, and `stdout` reads its rows.

use std::convert::Infallible;
use std::io;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::ChildStdin;

use super::child::Pipes;
use super::lines::log_lines;
use super::stdout::{EarlyStop, StdoutReader};
use super::tail::Tail;
use crate::executor::{Ctx, Input};
use crate::model::Dataset;

/// How many bytes are written to the child at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A child's pipes and what was read from them.
pub(super) struct ChildIo {
    stdout: BufReader<tokio::process::ChildStdout>,
    stderr: BufReader<tokio::process::ChildStderr>,
    stdin: Option<ChildStdin>,
    pub(super) reader: StdoutReader,
    pub(super) stderr_tail: Tail,
}

impl ChildIo {
    pub(super) fn new(pipes: Pipes, reader: StdoutReader) -> Self {
        Self {
            stdout: BufReader::new(pipes.stdout),
            stderr: BufReader::new(pipes.stderr),
            stdin: Some(pipes.stdin),
            reader,
            stderr_tail: Tail::default(),
        }
    }

    /// Writes all rows and reads the child's rows and log lines, until both of its outputs are
    /// closed.
    pub(super) async fn exchange(&mut self, inputs: &[Input], ctx: &Ctx) -> Result<(), EarlyStop> {
        let written = write_inputs(self.stdin.take(), inputs);
        let rows = self.reader.read(&mut self.stdout, ctx);
        let lines = log_lines(&mut self.stderr, &mut self.stderr_tail, &ctx.log);
        let lines = async { lines.await.map_err(EarlyStop::from) };
        tokio::select! {
            read = async { tokio::try_join!(rows, lines) } => read.map(|_| ()),
            failed = written => match failed {
                Ok(never) => match never {},
                Err(error) => Err(error.into()),
            },
        }
    }

    /// Discards the child's output until both of its outputs are closed.
    pub(super) async fn drain(&mut self) {
        self.stdin = None;
        tokio::join!(discard(&mut self.stdout), discard(&mut self.stderr));
    }
}

/// Writes all rows, closes the pipe and never resolves. It is no error if the child stops reading.
async fn write_inputs(stdin: Option<ChildStdin>, inputs: &[Input]) -> io::Result<Infallible> {
    if let Some(mut stdin) = stdin {
        for dataset in inputs.iter().filter_map(|input| input.dataset.as_ref()) {
            match write_rows(&mut stdin, dataset).await {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                written => written?,
            }
        }
    }
    std::future::pending().await
}

async fn write_rows(stdin: &mut ChildStdin, dataset: &Dataset) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    for row in 0..dataset.len() {
        dataset.write_row(&mut chunk, row)?;
        chunk.push(b'\n');
        if chunk.len() >= CHUNK_BYTES || row + 1 == dataset.len() {
            stdin.write_all(&chunk).await?;
            chunk.clear();
        }
    }
    stdin.flush().await
}

async fn discard(reader: &mut (impl AsyncBufReadExt + Unpin)) {
    while let Ok(bytes) = reader.fill_buf().await {
        let count = bytes.len();
        if count == 0 {
            return;
        }
        reader.consume(count);
    }
}
