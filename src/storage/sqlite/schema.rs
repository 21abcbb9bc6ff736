//! The schema and its history: one SQL text a version, in order.
//!
//! What the columns mean is written in the texts; reading and writing them is left to `rows`.

use rusqlite::Connection;

use super::store_error::StoreError;

/// Marks a file as one of Floret's: `flrt`.
pub(super) const APPLICATION_ID: i64 = 0x666c_7274;

/// The text at index n brings a store from version n to n + 1.
const MIGRATIONS: [&str; 2] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
];

/// The version that this code reads and writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// Brings a store from `version` to the newest one, all or nothing.
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
        // The transaction may be gone already, as it is after SQLITE_FULL.
        if !conn.is_autocommit() {
            drop(conn.execute_batch("ROLLBACK"));
        }
        error.into()
    })
}
