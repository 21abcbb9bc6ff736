//! Ends a read whose time is over, or whose caller has left.
//!
//! SQLite asks while it executes a statement. Each query is bounded by rows as well, in each noun's
//! file.

use std::ffi::c_int;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::store_error::StoreError;
use crate::clock::Clock;

/// After how many instructions of its virtual machine SQLite asks again. They take about 50 µs.
const INSTRUCTIONS: c_int = 4_000;

/// The bound of the read that a reader executes.
#[derive(Debug)]
pub(super) struct ReadBound {
    clock: Clock,
    timeout: Duration,
    // A lock, because SQLite asks through a closure of its own. Only one thread ever takes it.
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    deadline: Duration,
    caller: Weak<()>,
}

impl ReadBound {
    /// Bounds every read of a connection.
    pub(super) fn of_connection(
        conn: &mut Connection,
        timeout: Duration,
    ) -> Result<Arc<Self>, StoreError> {
        let bound = Arc::new(Self {
            clock: Clock::system(),
            timeout,
            current: Mutex::new(None),
        });
        let asked = Arc::clone(&bound);
        conn.progress_handler(INSTRUCTIONS, Some(move || asked.is_over()))
            .check()?;
        Ok(bound)
    }

    /// Begins a read for a caller that waits as long as it holds its token.
    pub(super) fn begin(&self, caller: Weak<()>) {
        let deadline = self.clock.elapsed().saturating_add(self.timeout);
        *self.current.lock() = Some(Current { deadline, caller });
    }

    pub(super) fn end(&self) {
        *self.current.lock() = None;
    }

    fn is_over(&self) -> bool {
        self.current.lock().as_ref().is_some_and(|current| {
            current.caller.strong_count() == 0 || self.clock.elapsed() >= current.deadline
        })
    }
}

/// Counts the instructions of a connection from now on. They take the place of its bound.
#[cfg(test)]
pub(super) fn count_instructions(
    conn: &mut Connection,
) -> Result<Arc<std::sync::atomic::AtomicU64>, StoreError> {
    let count = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let count_one = move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        false
    };
    conn.progress_handler(1, Some(count_one)).check()?;
    Ok(count)
}

/// What the registration of a handler returns: the supported versions of rusqlite differ.
trait Registered {
    fn check(self) -> Result<(), StoreError>;
}

impl Registered for () {
    fn check(self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Registered for rusqlite::Result<()> {
    fn check(self) -> Result<(), StoreError> {
        Ok(self?)
    }
}
