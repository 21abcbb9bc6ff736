//! The storage itself: all rows behind one lock, and the trail file.
//!
//! The rows and their queries are in `rows`. The traits are implemented in one file each.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use floret::{Error, Problem, Result};
use serde_json::json;

use crate::rows::Rows;

/// A storage in memory that writes a line to a file for every step that changes something.
#[derive(Debug)]
pub(crate) struct AuditedStorage(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    rows: Rows,
    trail: File,
    is_closed: bool,
}

impl AuditedStorage {
    /// Creates an empty storage with an empty trail.
    pub(crate) fn create(trail: &Path) -> std::io::Result<Self> {
        Ok(Self(Mutex::new(Inner {
            rows: Rows::default(),
            trail: File::create(trail)?,
            is_closed: false,
        })))
    }

    /// Answers a query. Refuses once the storage is closed.
    pub(crate) fn read<T>(&self, query: impl FnOnce(&Rows) -> T) -> Result<T> {
        let inner = self.lock();
        inner.refuse_closed()?;
        Ok(query(&inner.rows))
    }

    /// Applies a step completely or not at all.
    ///
    /// The step changes a copy of the rows. The copy replaces them once its line is written.
    pub(crate) fn write<T>(
        &self,
        name: &str,
        step: impl FnOnce(&mut Rows) -> Result<T>,
    ) -> Result<T> {
        let mut inner = self.lock();
        inner.refuse_closed()?;
        let mut next = inner.rows.clone();
        let result = step(&mut next)?;
        if next != inner.rows {
            inner.record(name, &next)?;
            inner.rows = next;
        }
        Ok(result)
    }

    pub(crate) fn trail_bytes(&self) -> Result<u64> {
        let metadata = self.lock().trail.metadata();
        metadata.map(|found| found.len()).map_err(trail_error)
    }

    pub(crate) fn close_trail(&self) -> Result<()> {
        let mut inner = self.lock();
        inner.is_closed = true;
        inner.trail.sync_all().map_err(trail_error)
    }

    /// Locks the rows, even after a panic: a step that panics changes only its copy of the rows.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn refuse_closed(&self) -> Result<()> {
        match self.is_closed {
            true => Err(Error::new(Problem::ShuttingDown, "the storage is closed")),
            false => Ok(()),
        }
    }

    /// Writes the line of a step, and closes the storage if that fails: a step without a line must
    /// not take effect.
    fn record(&mut self, step: &str, next: &Rows) -> Result<()> {
        let events: Vec<_> = next.events_after(self.rows.seq).collect();
        let line = json!({ "step": step, "events": events });
        writeln!(self.trail, "{line}").map_err(|error| {
            self.is_closed = true;
            trail_error(error)
        })
    }
}

fn trail_error(error: std::io::Error) -> Error {
    Error::internal("cannot write the trail").with_source(error)
}
