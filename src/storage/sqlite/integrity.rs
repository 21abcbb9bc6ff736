//! Checks the structure of a store: what SQLite finds in its file.
//!
//! Whether the rows make sense is left to `Builder::check`.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::SqliteStorage;
use super::open::{cannot_open, check_version, existing, not_a_database, refuse_old_sqlite};
use super::schema::APPLICATION_ID;
use super::store_error::StoreError;
use crate::error::{Error, Result};

/// The most findings of each check. One is reason enough to restore a backup.
const FINDINGS_MAX: u32 = 100;

impl SqliteStorage {
    /// Checks the file of a store, and returns what is wrong with it: damaged pages, rows that an
    /// index misses, values that their column does not allow, references to missing rows.
    ///
    /// It reads the whole file without changing it, on a thread of its own. The store may be in
    /// use, here or in another process: writes go on, and the check sees one point in time.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> floret::Result<()> {
    /// use floret::storage::SqliteStorage;
    /// # let folder = floret::testing::scratch();
    /// # let file = folder.path().join("runs.db");
    /// let storage = SqliteStorage::open(&file).await?;
    /// assert!(SqliteStorage::check(&file).await?.is_empty());
    /// # drop(storage); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// - `NotFound` if there is no such store.
    /// - `NotADatabase`, `SchemaTooNew` or `SqliteTooOld`.
    /// - `Unavailable` if the store cannot be read.
    pub async fn check(store: impl AsRef<Path>) -> Result<Vec<String>> {
        let store = store.as_ref().to_owned();
        blocking(move || {
            let conn = connect_beside(&existing(&store)?)?;
            Ok(findings(&conn)?)
        })
        .await
    }
}

/// Runs a long task on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    task: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(task)
        .await
        .map_err(|error| Error::internal("a task on the store was aborted").with_source(error))?
}

/// Opens a connection to a store that may be in use, for reading.
///
/// Nothing but SQLite may open the file: if this process has the store open, closing another file
/// handle of it would release the locks of SQLite.
pub(super) fn connect_beside(path: &Path) -> Result<Connection> {
    refuse_old_sqlite()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(StoreError::from)?;
    let number = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(|error| refusal(path, error))?;
    if application != APPLICATION_ID {
        return Err(not_a_database(path, "it belongs to another program"));
    }
    let version = number("user_version").map_err(StoreError::from)?;
    check_version(u32::try_from(version).unwrap_or(u32::MAX))?;
    Ok(conn)
}

fn refusal(path: &Path, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => not_a_database(path, "it is not a SQLite database"),
        Some(ErrorCode::CannotOpen) => cannot_open(path, std::io::Error::other(error.to_string())),
        Some(_) | None => StoreError::from(error).into(),
    }
}

/// Returns what is wrong with the file of a connection.
pub(super) fn findings(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for check in [broken_pages, dangling_rows] {
        match check(conn) {
            Ok(own) => found.extend(own),
            // The damage itself can keep SQLite from looking further.
            Err(error) if is_damage(&error) => found.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Returns whether an error says that the file is damaged.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

fn broken_pages(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = format!("PRAGMA integrity_check({FINDINGS_MAX})");
    let mut statement = conn.prepare(&sql)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    let lines = lines.filter(|line| line.as_ref().map_or(true, |line| line != "ok"));
    lines.collect()
}

fn dangling_rows(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT ?";
    let mut statement = conn.prepare(sql)?;
    let rows = statement.query_map([FINDINGS_MAX], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        let rowid = row.get::<_, Option<i64>>(1)?;
        let which = rowid.map_or_else(String::new, |rowid| format!(" {rowid}"));
        Ok(format!(
            "the row{which} of {table} refers to a missing row of {parent}"
        ))
    })?;
    rows.collect()
}
