//! Counts and logs the stored rows that cannot be read, so that one damaged row costs no more than
//! what it holds.
//!
//! The readers of rows decide what to do without such a row.

use std::collections::HashSet;
use std::fmt;

use parking_lot::Mutex;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::store_error::StoreError;
use crate::error::log;

/// The number of rows that are remembered. Further ones are neither counted nor logged: a file with
/// so many needs a backup, not a log.
const ROWS_MAX: usize = 10_000;

/// The length of a key in the log.
const KEY_CHARS_MAX: usize = 80;

/// The rows that could not be read since the store was opened.
#[derive(Debug, Default)]
pub(super) struct UnreadableRows(
    // A lock, because the writer and all readers share it. Only a damaged row takes it.
    Mutex<HashSet<(&'static str, String)>>,
);

impl UnreadableRows {
    /// Returns what was read, or `None` after counting and logging a row that cannot be read.
    ///
    /// `what` and `key` identify the row, which is logged once.
    ///
    /// # Errors
    /// Every other error.
    pub(super) fn skip<T>(
        &self,
        what: &'static str,
        key: impl fmt::Display,
        read: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(error @ StoreError::Unreadable(_)) => {
                self.note(what, &key.to_string(), &error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn note(&self, what: &'static str, key: &str, error: &StoreError) {
        let mut rows = self.0.lock();
        if rows.len() >= ROWS_MAX || !rows.insert((what, key.to_owned())) {
            return;
        }
        drop(rows);
        log::error!(
            row = what,
            key,
            "a stored row cannot be read and is skipped"
        );
        error.trace();
    }

    /// Returns the number of rows that could not be read.
    pub(super) fn count(&self) -> u64 {
        self.0.lock().len() as u64
    }
}

/// Returns the first column of a row, for the log. It is read when it is displayed: lists ask for
/// the key of each row.
pub(super) fn row_key(row: &Row<'_>) -> impl fmt::Display {
    fmt::from_fn(|f| match row.get_ref(0) {
        Ok(ValueRef::Integer(key)) => write!(f, "{key}"),
        Ok(ValueRef::Blob(bytes)) => {
            let mut start = bytes.iter().take(KEY_CHARS_MAX / 2);
            start.try_for_each(|byte| write!(f, "{byte:02x}"))
        }
        Ok(ValueRef::Text(bytes)) => {
            let text = String::from_utf8_lossy(bytes);
            let start: String = text.chars().take(KEY_CHARS_MAX).collect();
            write!(f, "{}", start.escape_debug())
        }
        Ok(ValueRef::Null | ValueRef::Real(_)) | Err(_) => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_cannot_be_read_is_counted_once() {
        let rows = UnreadableRows::default();
        let read = || Err::<(), _>(StoreError::unreadable("a time", -1));
        for _ in 0..2 {
            assert!(matches!(rows.skip("a run", 7, read()), Ok(None)));
        }
        assert!(matches!(rows.skip("a run", 8, read()), Ok(None)));
        assert!(matches!(rows.skip("a run", 9, Ok(())), Ok(Some(()))));
        assert!(
            rows.skip("a run", 9, Err::<(), _>(StoreError::Panicked))
                .is_err()
        );
        assert_eq!(rows.count(), 2);
    }
}
