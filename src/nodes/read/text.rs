//! Opens the text of a file: decompresses it, removes a byte order mark and converts it to UTF-8.
//!
//! The readers of the formats check that a text without a known encoding is UTF-8.

use std::io::{self, BufReader, Chain, Cursor, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use super::error::Fault;
use crate::nodes::blocking::StopCheck;
use crate::nodes::compression::Compression;

const CHUNK_BYTES: usize = 64 * 1024;

/// Opens the text of a file. Its byte order mark wins over `encoding`, whose default is UTF-8.
pub(in crate::nodes) fn open<'a>(
    file: impl Read + 'a,
    compression: Compression,
    encoding: Option<&'static Encoding>,
    stop: &'a StopCheck,
) -> io::Result<Box<dyn Read + 'a>> {
    let stoppable = BufReader::with_capacity(CHUNK_BYTES, Stoppable { file, stop });
    let bytes: Box<dyn Read + 'a> = match compression {
        Compression::None => Box::new(stoppable),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stoppable)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(stoppable)?),
    };
    // A few compressed bytes may become gigabytes, so reading the file does not check often enough.
    let mut bytes = Stoppable { file: bytes, stop };
    let mut start = Vec::new();
    // As long as the longest byte order mark.
    bytes.by_ref().take(3).read_to_end(&mut start)?;
    let (encoding, mark_length) =
        Encoding::for_bom(&start).unwrap_or((encoding.unwrap_or(UTF_8), 0));
    let rest = Cursor::new(start.split_off(mark_length)).chain(bytes);
    if encoding == UTF_8 {
        return Ok(Box::new(rest));
    }
    Ok(Box::new(Converter::new(rest, encoding)))
}

/// Stops reading with the attempt.
struct Stoppable<'a, R> {
    file: R,
    stop: &'a StopCheck,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stop.check().map_err(Fault::Stopped)?;
        self.file.read(buffer)
    }
}

/// Converts a text to UTF-8.
struct Converter<R> {
    bytes: Chain<Cursor<Vec<u8>>, R>,
    decoder: Decoder,
    /// Bytes that are read but not decoded.
    pending: Vec<u8>,
    /// Decoded text, and how much of it was returned.
    text: Vec<u8>,
    returned: usize,
    is_at_end: bool,
    /// The line of the next character.
    line: u64,
}

impl<R: Read> Converter<R> {
    fn new(bytes: Chain<Cursor<Vec<u8>>, R>, encoding: &'static Encoding) -> Self {
        Self {
            bytes,
            decoder: encoding.new_decoder_without_bom_handling(),
            pending: Vec::new(),
            text: Vec::new(),
            returned: 0,
            is_at_end: false,
            line: 1,
        }
    }

    /// Decodes the next part. The text stays empty only at the end.
    fn fill(&mut self) -> io::Result<()> {
        self.returned = 0;
        self.text.clear();
        while self.text.is_empty() && !(self.is_at_end && self.pending.is_empty()) {
            if self.pending.is_empty() {
                let read = (&mut self.bytes)
                    .take(CHUNK_BYTES as u64)
                    .read_to_end(&mut self.pending)?;
                self.is_at_end = read == 0;
            }
            self.decode()?;
        }
        Ok(())
    }

    fn decode(&mut self) -> io::Result<()> {
        self.text.resize(CHUNK_BYTES, 0);
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.pending,
            &mut self.text,
            self.is_at_end,
        );
        self.text.truncate(written);
        self.pending.drain(..read);
        let breaks = self.text.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(breaks as u64);
        match result {
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
            DecoderResult::Malformed(..) => {
                Err(Fault::Malformed(self.line, self.decoder.encoding().name()).into())
            }
        }
    }
}

impl<R: Read> Read for Converter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.returned == self.text.len() {
            self.fill()?;
        }
        let rest = self.text.get(self.returned..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.returned += count;
        Ok(count)
    }
}
