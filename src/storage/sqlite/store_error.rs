//! The error of a step or a read inside this backend.
//!
//! Callers receive it as an [`Error`], whose message contains neither SQL nor paths.

use rusqlite::ErrorCode;

use crate::error::{Error, Problem, log};

/// Why a step or a read failed.
#[derive(Debug)]
pub(super) enum StoreError {
    /// The step was refused before its first write.
    Refused(Error),
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// A stored value cannot be read.
    Unreadable(String),
    /// A step or a read panicked.
    Panicked,
    /// This file of the store was replaced or removed.
    Replaced(ReplacedFile),
    /// A commit failed, and the store cannot be opened to see whether it had its effect.
    Unknown(Box<Self>),
    /// The writer thread has ended, which only a defect causes.
    WriterGone,
    /// SQLite uses this journal mode instead of a write-ahead log.
    NoLog(String),
    /// A test made the commit fail.
    #[cfg(any(test, feature = "testing"))]
    Injected,
}

/// A file of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplacedFile {
    Database,
    Lock,
    Log,
}

impl std::fmt::Display for ReplacedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Lock => "lock file",
            Self::Log => "write-ahead log",
        })
    }
}

impl StoreError {
    /// Creates the error for a stored value that cannot be read.
    pub(super) fn unreadable(what: &str, why: impl std::fmt::Display) -> Self {
        Self::Unreadable(format!("{what}: {why}"))
    }

    /// Returns the error code of SQLite.
    ///
    /// Log lines above `debug` may contain nothing else of the error.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sql(error) => error.sqlite_error_code(),
            Self::Refused(_)
            | Self::Unreadable(_)
            | Self::Panicked
            | Self::Replaced(_)
            | Self::Unknown(_)
            | Self::WriterGone
            | Self::NoLog(_) => None,
            #[cfg(any(test, feature = "testing"))]
            Self::Injected => None,
        }
    }

    /// Logs the error at `debug`, because it may contain SQL, paths or stored values.
    pub(super) fn trace(&self) {
        log::debug!(error = ?self, "the error inside storage");
    }

    /// Returns whether another program holds the write lock.
    pub(super) fn is_busy(&self) -> bool {
        self.code() == Some(ErrorCode::DatabaseBusy)
    }

    /// Returns whether the disk is full. A smaller step may still succeed then.
    pub(super) fn is_disk_full(&self) -> bool {
        self.code() == Some(ErrorCode::DiskFull)
    }

    /// Returns whether the disk is full or fails, which no step can be blamed for.
    pub(super) fn is_of_the_disk(&self) -> bool {
        let code = self.code();
        self.is_disk_full() || code == Some(ErrorCode::SystemIoFailure)
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
            StoreError::Replaced(file) => {
                Self::unavailable(format!("the {file} of the store was replaced or removed"))
            }
            StoreError::Unknown(error) => {
                Self::unavailable("a commit failed, and whether it had its effect is unknown")
                    .with_source(Self::from(*error))
            }
            StoreError::WriterGone => Self::unavailable("the store cannot write any more"),
            StoreError::NoLog(mode) => Self::unavailable(format!(
                "SQLite cannot use a write-ahead log for the store (its journal mode is {mode})"
            )),
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
        ) => Error::unavailable("storage is temporarily unavailable"),
        Some(_) | None => Error::internal("storage failed"),
    };
    mapped.with_source(error)
}
