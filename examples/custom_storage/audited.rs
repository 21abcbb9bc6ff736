//! The storage itself: all its rows behind one lock, and the trail beside them.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use floret::{Error, Problem, Result};
use serde_json::json;

use crate::rows::Rows;

/// Keeps everything in memory, and writes a line to a file of every step that changed something.
#[derive(Debug)]
pub(crate) struct AuditedStorage(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    rows: Rows,
    trail: File,
    is_closed: bool,
}

impl AuditedStorage {
    /// An empty storage with an empty trail.
    pub(crate) fn create(trail: &Path) -> std::io::Result<Self> {
        Ok(Self(Mutex::new(Inner {
            rows: Rows::default(),
            trail: File::create(trail)?,
            is_closed: false,
        })))
    }

    /// Asks something.
    pub(crate) fn read<T>(&self, question: impl FnOnce(&Rows) -> T) -> T {
        question(&self.lock().rows)
    }

    /// Takes a step whole or not at all: on a copy of the rows, which takes their place once its
    /// line is written.
    pub(crate) fn write<T>(
        &self,
        name: &str,
        step: impl FnOnce(&mut Rows) -> Result<T>,
    ) -> Result<T> {
        let mut inner = self.lock();
        if inner.is_closed {
            let message = "the storage is closed";
            return Err(Error::new(Problem::ShuttingDown, message));
        }
        let mut next = inner.rows.clone();
        let answer = step(&mut next)?;
        if next != inner.rows {
            inner.note(name, &next)?;
            inner.rows = next;
        }
        Ok(answer)
    }

    pub(crate) fn trail_bytes(&self) -> Result<u64> {
        let metadata = self.lock().trail.metadata();
        metadata.map(|found| found.len()).map_err(unwritten)
    }

    pub(crate) fn end(&self) -> Result<()> {
        let mut inner = self.lock();
        inner.is_closed = true;
        inner.trail.sync_all().map_err(unwritten)
    }

    /// A step that panicked left its copy behind and the rows as they were, so a poisoned lock is
    /// no harm.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Writes the line of a step. A storage that cannot say what it does must not do anything any
    /// more.
    fn note(&mut self, step: &str, next: &Rows) -> Result<()> {
        let events: Vec<_> = next.events_after(self.rows.seq).collect();
        let line = json!({ "step": step, "events": events });
        writeln!(self.trail, "{line}").map_err(|error| {
            self.is_closed = true;
            unwritten(error)
        })
    }
}

fn unwritten(error: std::io::Error) -> Error {
    Error::internal("the trail cannot be kept").with_source(error)
}
