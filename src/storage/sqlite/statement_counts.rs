//! Counts what SQLite does for the statements of a store, for tests.
//!
//! `query` executes the statements. Each thread of a store has its own connection and counts for
//! itself.

use std::cell::Cell;

use rusqlite::{Statement, StatementStatus};

/// What a thread of a store has executed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StatementCounts {
    /// How often statements were executed.
    pub(crate) executed: u64,
    /// How often SQLite prepared one of them again.
    pub(crate) prepared_again: u64,
    /// The instructions of SQLite's virtual machine.
    pub(crate) steps: u64,
}

thread_local! {
    static COUNTED: Cell<StatementCounts> = Cell::default();
}

/// Counts a statement that was executed.
pub(super) fn count(statement: &Statement<'_>) {
    let take = |status| u64::from(statement.reset_status(status).unsigned_abs());
    let before = COUNTED.get();
    COUNTED.set(StatementCounts {
        executed: before.executed + 1,
        prepared_again: before.prepared_again + take(StatementStatus::RePrepare),
        steps: before.steps + take(StatementStatus::VmStep),
    });
}

/// Returns what this thread has executed.
pub(super) fn counted() -> StatementCounts {
    COUNTED.get()
}
