//! What a host acts on when a call failed.
//!
//! Which problem has which kind is left to `problem`'s table.

/// Why a call failed, as far as a caller acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing does not exist, or the caller may not see it.
    NotFound,
    /// The request cannot be read: its syntax, a header, a query parameter.
    Malformed,
    /// The input was read and is not acceptable; [`Error::issues`](crate::Error::issues) lists why.
    Invalid,
    /// The request has no credentials that are known.
    Unauthenticated,
    /// The caller, or the origin that it comes from, is not allowed to do this.
    Forbidden,
    /// The path exists and does not take this method.
    MethodNotAllowed,
    /// What was asked for existed and was purged.
    Gone,
    /// The call conflicts with the current state.
    Conflict,
    /// The run has ended; nothing changes it any more.
    RunFinished,
    /// The epoch is stale: the run belongs to another claim.
    StaleEpoch,
    /// The run was asked to cancel: it can only end cancelled.
    CancelRequested,
    /// The transition table does not have this change.
    IllegalTransition,
    /// The queue of runs is full; try again later.
    QueueFull,
    /// Too many dry runs or streams are open at once; try again later.
    TooManyRequests,
    /// Storage is busy or failed for the moment; the same call may succeed later.
    Unavailable,
    /// The disk is full; the same call may succeed once it has room.
    StorageFull,
    /// Floret is shutting down.
    ShuttingDown,
    /// The output was not kept, or no longer is.
    OutputDropped,
    /// Another process has the store open.
    StoreInUse {
        /// Its process id, where it could be read.
        pid: Option<u32>,
    },
    /// A newer Floret wrote the store.
    SchemaTooNew {
        /// The version of the store.
        found: u32,
        /// The newest version that this Floret reads.
        supported: u32,
    },
    /// The linked SQLite has a bug that can corrupt the store.
    SqliteTooOld {
        /// The linked version, as `sqlite3_libversion_number` gives it.
        found: i32,
        /// The oldest version without the bug.
        needed: i32,
    },
    /// The file is not a database, or not one of Floret's.
    NotADatabase,
    /// Floret or the machine is at fault.
    Internal,
}

impl ErrorKind {
    /// Returns whether the same call may succeed later, unchanged.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::StorageFull | Self::QueueFull | Self::TooManyRequests
        )
    }
}
