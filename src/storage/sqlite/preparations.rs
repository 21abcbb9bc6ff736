//! Counts how often SQLite prepares statements again, for a test.
//!
//! `query` executes the statements. Each thread of a store has its own connection and counts for
//! itself.

use std::cell::Cell;

use rusqlite::{Statement, StatementStatus};

/// What a thread of a store has executed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Preparations {
    /// How often statements were executed.
    pub(crate) executed: u64,
    /// How often SQLite prepared one of them again.
    pub(crate) repeated: u64,
}

thread_local! {
    static COUNTED: Cell<Preparations> = Cell::default();
}

/// Counts a statement that was executed.
pub(super) fn count(statement: &Statement<'_>) {
    let repeated = statement.reset_status(StatementStatus::RePrepare);
    COUNTED.with(|counted| {
        let before = counted.get();
        counted.set(Preparations {
            executed: before.executed + 1,
            repeated: before.repeated + u64::from(repeated.unsigned_abs()),
        });
    });
}

/// Returns what this thread has executed.
pub(super) fn counted() -> Preparations {
    COUNTED.get()
}
