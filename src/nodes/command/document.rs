//! Reads rows from an output that is one document, CSV or JSON, while the program writes it.
//!
//! `nodes/read` decodes the document on a blocking thread; the chunks of the output reach it
//! through a channel.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::mpsc;

use super::tail::Tail;
use crate::executor::{Ctx, ExecutorError};
use crate::limits::DatasetLimits;
use crate::model::Dataset;
use crate::nodes::blocking::{StopCheck, blocking};
use crate::nodes::format::Format;
use crate::nodes::read::{self, Bounds};

/// How many chunks of the output may wait for the decoder. A chunk has at most 8 KiB.
const CHUNKS_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DocumentFormat {
    Json,
    Csv,
}

/// How much of an output was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputPart {
    /// Everything: the program has closed its output.
    Whole,
    /// What the decoder wanted.
    Start,
}

/// The rows of a document and what is odd in it, or why it is invalid.
type Decoded = Result<(Dataset, Vec<String>), ExecutorError>;

/// Reads the document at most to the end of row `rows_max`.
///
/// # Errors
/// Returns an error of the pipe.
pub(super) async fn read_document(
    stdout: &mut BufReader<impl AsyncRead + Unpin>,
    format: DocumentFormat,
    rows_max: usize,
    ctx: &Ctx,
    tail: &mut Tail,
) -> io::Result<(OutputPart, Decoded)> {
    let (chunks, receiver) = mpsc::channel(CHUNKS_MAX);
    let limits = ctx.dataset_limits;
    let decoded = blocking(ctx, move |stop| {
        let output = Chunks {
            receiver,
            chunk: Bytes::new(),
        };
        decode(format, output, rows_max, limits, stop)
    });
    let (part, decoded) = tokio::join!(pump(stdout, chunks, tail), decoded);
    Ok((part?, decoded))
}

fn decode(
    format: DocumentFormat,
    output: Chunks,
    rows_max: usize,
    limits: DatasetLimits,
    stop: &StopCheck,
) -> Decoded {
    let format = match format {
        DocumentFormat::Json => Format::Json,
        DocumentFormat::Csv => Format::Csv,
    };
    let bounds = Bounds { rows_max, limits };
    read::document(output, format, bounds, stop)
        .map_err(|error| error.into_executor_error("the output"))
}

/// Passes the output on until it ends or the decoder wants no more.
async fn pump(
    stdout: &mut BufReader<impl AsyncRead + Unpin>,
    chunks: mpsc::Sender<Bytes>,
    tail: &mut Tail,
) -> io::Result<OutputPart> {
    loop {
        let bytes = stdout.fill_buf().await?;
        let count = bytes.len();
        if count == 0 {
            return Ok(OutputPart::Whole);
        }
        tail.push(bytes);
        let chunk = Bytes::copy_from_slice(bytes);
        stdout.consume(count);
        if chunks.send(chunk).await.is_err() {
            return Ok(OutputPart::Start);
        }
    }
}

/// The chunks of an output as a reader for a blocking thread.
struct Chunks {
    receiver: mpsc::Receiver<Bytes>,
    chunk: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            // The end of the channel is the end of the output.
            self.chunk = self.receiver.blocking_recv().unwrap_or_default();
        }
        let count = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
