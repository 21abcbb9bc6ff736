//! Why a step or a question failed, inside this backend.
//!
//! What a caller sees of it is one [`Error`]; SQL and paths stay in its source.

use rusqlite::ErrorCode;

use crate::error::{Error, Problem};

/// Why a step or a question failed.
#[derive(Debug)]
pub(super) enum StoreError {
    /// The step was refused before its first write.
    Refused(Error),
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// A stored value cannot be read.
    Unreadable(String),
    /// A step or a question panicked.
    Panicked,
    /// The file at the path is not the one that is open.
    Replaced,
    /// A commit failed on cue.
    #[cfg(any(test, feature = "testing"))]
    Injected,
}

impl StoreError {
    /// A stored value that cannot be read, and why.
    pub(super) fn unreadable(what: &str, why: impl std::fmt::Display) -> Self {
        Self::Unreadable(format!("{what}: {why}"))
    }

    /// What SQLite calls it: all of it that a line above `debug` may tell.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sql(error) => error.sqlite_error_code(),
            Self::Refused(_) | Self::Unreadable(_) | Self::Panicked | Self::Replaced => None,
            #[cfg(any(test, feature = "testing"))]
            Self::Injected => None,
        }
    }

    /// Traces it, at `debug`: it may hold SQL, paths or what is stored.
    pub(super) fn trace(&self) {
        tracing::debug!(error = ?self, "this is what storage met");
    }

    /// Whether another program holds the write lock.
    pub(super) fn is_busy(&self) -> bool {
        self.code() == Some(ErrorCode::DatabaseBusy)
    }

    /// Whether the same step may succeed on its own where its group failed.
    pub(super) fn is_disk_full(&self) -> bool {
        self.code() == Some(ErrorCode::DiskFull)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as Sql;
        match error {
            Sql::FromSqlConversionFailure(..)
            | Sql::InvalidColumnType(..)
            | Sql::IntegralValueOutOfRange(..)
            | Sql::Utf8Error(..) => Self::Unreadable(error.to_string()),
            error => Self::Sql(error),
        }
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(error) => error,
            StoreError::Sql(error) => from_sqlite(error),
            StoreError::Unreadable(what) => {
                Self::internal("a stored value cannot be read").with_source(what)
            }
            StoreError::Panicked => Self::internal("storage failed"),
            StoreError::Replaced => {
                Self::unavailable("the file of the store was replaced or removed")
            }
            #[cfg(any(test, feature = "testing"))]
            StoreError::Injected => Self::unavailable("the commit failed"),
        }
    }
}

fn from_sqlite(error: rusqlite::Error) -> Error {
    let mapped = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            Error::new(Problem::StorageFull, "there is no room left on the disk")
        }
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed,
        ) => Error::unavailable("storage cannot answer for the moment"),
        Some(_) | None => Error::internal("storage failed"),
    };
    mapped.with_source(error)
}
