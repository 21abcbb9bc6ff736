//! The I/O of a child process: rows to its stdin, rows from its stdout, log lines from its stderr.
//!
//! One future handles all pipes at once, since a child may block on any of them. `child` starts and
//! stops the process.

use std::convert::Infallible;
use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::ChildStdin;

use super::child::Pipes;
use super::lines::{Line, next_line};
use crate::error::truncate;
use crate::executor::{ExecutorError, Input, NodeLog};
use crate::limits::DatasetLimits;
use crate::model::{Dataset, DatasetBuilder};

/// The maximum size of a log line; the rest is cut. It is the size that is stored.
const LOG_BYTES_MAX: usize = 16 * 1024;
/// How many bytes are written to the child at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why reading stopped before the end of the output.
pub(super) enum EarlyStop {
    /// The maximum number of rows was read.
    RowLimit,
    Failed(ExecutorError),
}

impl From<io::Error> for EarlyStop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// A child's pipes and what was read from them.
pub(super) struct ChildIo {
    stdout: BufReader<tokio::process::ChildStdout>,
    stderr: BufReader<tokio::process::ChildStderr>,
    stdin: Option<ChildStdin>,
    pub(super) rows: DatasetBuilder,
    pub(super) last_line: String,
}

impl ChildIo {
    pub(super) fn new(pipes: Pipes, limits: DatasetLimits) -> Self {
        Self {
            stdout: BufReader::new(pipes.stdout),
            stderr: BufReader::new(pipes.stderr),
            stdin: Some(pipes.stdin),
            rows: DatasetBuilder::new(limits),
            last_line: String::new(),
        }
    }

    /// Writes all rows and reads the child's rows and log lines, until both of its outputs are
    /// closed.
    pub(super) async fn exchange(
        &mut self,
        inputs: &[Input],
        rows_max: usize,
        log: &NodeLog,
    ) -> Result<(), EarlyStop> {
        let written = write_inputs(self.stdin.take(), inputs);
        let rows = read_rows(&mut self.stdout, &mut self.rows, rows_max);
        let lines = read_lines(&mut self.stderr, &mut self.last_line, log);
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

async fn read_rows(
    stdout: &mut BufReader<impl AsyncRead + Unpin>,
    rows: &mut DatasetBuilder,
    rows_max: usize,
) -> Result<(), EarlyStop> {
    let (mut text, mut line) = (Vec::new(), 0_u64);
    let bytes_max = rows.limits().row_bytes_max;
    while rows.row_count() < rows_max {
        let read = next_line(stdout, &mut text, bytes_max).await?;
        line += 1;
        let invalid = |reason: String| {
            EarlyStop::Failed(ExecutorError::permanent(format!(
                "line {line} of the output: {reason}"
            )))
        };
        match read {
            Line::End => return Ok(()),
            Line::Cut => return Err(invalid(format!("it is longer than {bytes_max} bytes"))),
            Line::Whole if text.trim_ascii().is_empty() => {}
            Line::Whole => rows
                .push_json_row(text.trim_ascii())
                .map_err(|error| invalid(error.to_string()))?,
        }
    }
    Err(EarlyStop::RowLimit)
}

async fn read_lines(
    stderr: &mut BufReader<impl AsyncRead + Unpin>,
    last_line: &mut String,
    log: &NodeLog,
) -> Result<(), EarlyStop> {
    let (mut line, mut rest) = (Vec::new(), Vec::new());
    loop {
        // One byte more than the maximum reveals a line that is too long.
        let mut read = next_line(stderr, &mut line, LOG_BYTES_MAX + 1).await?;
        if read == Line::End {
            return Ok(());
        }
        while read == Line::Cut {
            read = next_line(stderr, &mut rest, LOG_BYTES_MAX).await?;
        }
        let text = String::from_utf8_lossy(&line);
        let text = truncate(text.trim_end_matches('\r').to_owned(), LOG_BYTES_MAX);
        if !text.trim().is_empty() {
            last_line.clone_from(&text);
        }
        log.info(text).await;
    }
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
