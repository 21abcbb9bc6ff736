//! The schema and its migrations: one SQL text per version, in order.
//!
//! The SQL texts document the columns. `rows` and each noun's file read and write the rows.

use rusqlite::Connection;

use super::store_error::StoreError;

/// The application id that marks a Floret store: `flrt` in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x666c_7274;

/// The text at index n migrates a store from version n to n + 1.
const MIGRATIONS: [&str; 2] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
];

/// The schema version that this code reads and writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// Migrates a store from `version` to the newest version in one transaction.
pub(super) fn migrate(conn: &Connection, version: usize) -> Result<(), StoreError> {
    let Some(missing) = MIGRATIONS.get(version..).filter(|texts| !texts.is_empty()) else {
        return Ok(());
    };
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let outcome = missing
        .iter()
        .try_for_each(|text| conn.execute_batch(text))
        .and_then(|()| {
            conn.pragma_update(
                None,
                "user_version",
                i64::try_from(VERSION).unwrap_or(i64::MAX),
            )
        })
        .and_then(|()| conn.execute_batch("COMMIT"));
    outcome.map_err(|error| {
        // SQLite ends the transaction itself after errors such as `SQLITE_FULL`.
        if !conn.is_autocommit() {
            drop(conn.execute_batch("ROLLBACK"));
        }
        error.into()
    })
}
