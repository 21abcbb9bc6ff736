//! The trace output of a test, captured in memory.
//!
//! The level and the scope are left to the test, which sets the subscriber.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

/// A writer that captures the output of a subscriber. Clones share the output.
#[derive(Clone, Default)]
pub(crate) struct CapturedTrace(Arc<Mutex<Vec<u8>>>);

impl CapturedTrace {
    /// Returns the output so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl io::Write for CapturedTrace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for CapturedTrace {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
