//! The kinds of errors, which tell a host how to react to a failed call.
//!
//! `problem` has the table that maps each problem to its kind.

/// The kind of an error: what a caller can act on.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let floret = floret::testing::memory().start().await?;
/// use floret::ErrorKind;
///
/// let error = floret.run("nightly").start().await.unwrap_err();
/// match error.kind() {
///     ErrorKind::NotFound => println!("create the pipeline first"),
///     kind if kind.is_transient() => println!("try again later: {error}"),
///     kind => panic!("{kind:?}: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object does not exist, or the caller may not see it.
    NotFound,
    /// The request cannot be parsed: its syntax, a header or a query parameter is wrong.
    Malformed,
    /// The input was parsed but is not acceptable. [`Error::issues`](crate::Error::issues) lists
    /// the reasons.
    Invalid,
    /// The request has no valid credentials.
    Unauthenticated,
    /// The caller, or the origin of the request, is not allowed to do this.
    Forbidden,
    /// The path exists but does not support this method.
    MethodNotAllowed,
    /// The requested data existed and was purged.
    Gone,
    /// The call conflicts with the current state.
    Conflict,
    /// The run is finished. Nothing can change it any more.
    RunFinished,
    /// The epoch is stale: a later claim has the run.
    StaleEpoch,
    /// A cancel request exists for the run, so the run can only finish as cancelled.
    CancelRequested,
    /// The transition table does not contain this status change.
    IllegalTransition,
    /// The queue of pending runs is full. Try again later.
    QueueFull,
    /// Too many dry runs or streams are open at the same time. Try again later.
    TooManyRequests,
    /// Storage is busy or temporarily unavailable. The same call may succeed later.
    Unavailable,
    /// The disk is full. The same call may succeed once there is space.
    StorageFull,
    /// Floret is shutting down.
    ShuttingDown,
    /// The output was not stored, or was dropped later.
    OutputDropped,
    /// Another process has the store open.
    StoreInUse {
        /// The id of that process, if it could be read.
        pid: Option<u32>,
    },
    /// A newer version of Floret wrote the store.
    SchemaTooNew {
        /// The schema version of the store.
        found: u32,
        /// The newest schema version that this version of Floret reads.
        supported: u32,
    },
    /// The linked SQLite has a bug that can corrupt the store.
    SqliteTooOld {
        /// The linked version, in the format of `sqlite3_libversion_number`.
        found: i32,
        /// The oldest version without the bug, in the same format.
        needed: i32,
    },
    /// The file is not an SQLite database, or it belongs to another application.
    NotADatabase,
    /// An internal fault of Floret or of the machine.
    Internal,
}

impl ErrorKind {
    /// Returns whether the same call, unchanged, may succeed later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::StorageFull | Self::QueueFull | Self::TooManyRequests
        )
    }
}
