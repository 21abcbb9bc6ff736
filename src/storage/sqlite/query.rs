//! Executes cached statements on a connection: writes, and queries for the first or for all rows.
//!
//! `rows` and each noun's file decode the rows.

use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::store_error::StoreError;
use super::unreadable::{UnreadableRows, row_key};

/// Returns the first row that a query finds.
pub(super) fn row<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement
        .query_row(params, |row| Ok(read(row)))
        .optional()?;
    #[cfg(test)]
    super::statement_counts::count(&statement);
    found.transpose()
}

/// Executes a statement that writes. Returns how many rows it changed.
pub(super) fn write(
    conn: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<usize, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let changed = statement.execute(params)?;
    #[cfg(test)]
    super::statement_counts::count(&statement);
    Ok(changed)
}

/// Returns the rows that a query finds and that can be read. The others are counted and logged.
pub(super) fn readable_rows<T>(
    conn: &Connection,
    (unreadable, what): (&UnreadableRows, &'static str),
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let found = rows(conn, sql, params, |row| {
        unreadable.skip(what, row_key(row), read(row))
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// Reads the rows that a query finds, until `read` breaks.
pub(super) fn rows_until(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(params)?;
    while let Some(row) = found.next()? {
        if read(row)?.is_break() {
            break;
        }
    }
    drop(found);
    #[cfg(test)]
    super::statement_counts::count(&statement);
    Ok(())
}

/// Returns all rows that a query finds.
pub(super) fn rows<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(params)?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        items.push(read(row)?);
    }
    drop(found);
    #[cfg(test)]
    super::statement_counts::count(&statement);
    Ok(items)
}
