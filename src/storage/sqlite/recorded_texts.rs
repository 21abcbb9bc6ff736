//! Records the SQL texts that the connections to a store execute, for tests.
//!
//! SQLite itself reports them, so that none is missed, however it was prepared. `tests::plans`
//! explains them.

use std::collections::BTreeSet;
use std::path::Path;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

/// The name of a file whose connections are recorded.
///
/// A name instead of an option, because connections are opened on several threads and again after
/// a failure, and the options are public.
pub(super) const RECORDED_FILE: &str = "recorded.db";

/// The texts of all recorded stores. The test that reads them is the only one that records.
static TEXTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Records what a connection executes if its file has the name [`RECORDED_FILE`].
pub(super) fn record(mut conn: Connection, path: &Path) -> rusqlite::Result<Connection> {
    if path.ends_with(RECORDED_FILE) {
        let take: fn(TraceEvent<'_>) = take;
        conn.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(take))?;
    }
    Ok(conn)
}

/// Returns the recorded texts, with their parameters unbound.
pub(super) fn recorded() -> BTreeSet<String> {
    TEXTS.lock().clone()
}

fn take(event: TraceEvent<'_>) {
    if let TraceEvent::Stmt(statement, _) = event {
        let text = statement.sql();
        let mut texts = TEXTS.lock();
        if !texts.contains(&*text) {
            texts.insert(text.into_owned());
        }
    }
}
