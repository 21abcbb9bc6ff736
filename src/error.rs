//! The one error of the crate: opaque, with a kind to act on, a slug for the wire and a message for the client.
//!
//! How a kind becomes an HTTP status is left to `api/problem`; what user code fails with is `executor::ExecutorError`.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

/// What the crate's functions answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed, as far as a caller acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No such thing, or not the caller's.
    NotFound,
    /// Cannot be read: syntax, a query parameter.
    Malformed,
    /// Read, but not acceptable; [`Error::issues`] tells every problem.
    Invalid,
    /// Conflicts with the state as it is.
    Conflict,
    /// The run has ended; nothing changes it any more.
    RunFinished,
    /// A stale epoch: the run belongs to another claim by now.
    StaleEpoch,
    /// The run was asked to cancel: it can only end cancelled.
    CancelRequested,
    /// A change that the transition table does not have.
    IllegalTransition,
    /// The queue is full; try again later.
    QueueFull,
    /// Storage is busy or failed for the moment; the same call may succeed later.
    Unavailable,
    /// No room on the disk; the same call may succeed once there is some.
    StorageFull,
    /// Floret shuts down.
    ShuttingDown,
    /// The output was not kept, or no longer is.
    OutputDropped,
    /// Another process has the store open.
    StoreInUse {
        /// Its process id, where it could be read.
        pid: Option<u32>,
    },
    /// The store was written by a newer Floret.
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
        /// The oldest good one.
        needed: i32,
    },
    /// The file is no database, or not one of Floret's.
    NotADatabase,
    /// A fault of Floret or of the machine.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed later, unchanged.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::StorageFull | Self::QueueFull
        )
    }
}

/// One problem of an input: where, and what was wrong, what is allowed, what was received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// Where in the input.
    pub at: IssueAt,
    /// What is wrong and what is expected.
    pub detail: String,
}

/// Where in an input a problem is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssueAt {
    /// A JSON pointer (RFC 6901) into the body.
    Pointer(String),
    /// A query parameter.
    Parameter(String),
}

impl Issue {
    /// A problem at a JSON pointer (RFC 6901) of the body.
    #[must_use]
    pub fn pointer(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            at: IssueAt::Pointer(pointer.into()),
            detail: detail.into(),
        }
    }

    /// A problem of a query parameter.
    #[must_use]
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            at: IssueAt::Parameter(name.into()),
            detail: detail.into(),
        }
    }
}

/// Why a call failed.
///
/// It shows as one sentence for the client, without the source: logs walk the chain.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    slug: &'static str,
    message: String,
    issues: Vec<Issue>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind, with the slug of the wire contract and a message that a client may read.
    #[must_use]
    pub fn new(kind: ErrorKind, slug: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            slug,
            message: message.into(),
            issues: Vec::new(),
            source: None,
        }))
    }

    /// An input that was read and is not acceptable, every problem told; the message is the first one's.
    #[must_use]
    pub fn invalid(slug: &'static str, issues: Vec<Issue>) -> Self {
        let message = issues.first().map_or_else(
            || "the input is not acceptable".to_owned(),
            |issue| issue.detail.clone(),
        );
        Self::new(ErrorKind::Invalid, slug, message).with_issues(issues)
    }

    /// Nothing called so; `slug` says of which sort.
    #[must_use]
    pub fn not_found(slug: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, slug, message)
    }

    /// A conflict with the state as it is.
    #[must_use]
    pub fn conflict(slug: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, slug, message)
    }

    /// No run of this id, or not the caller's.
    #[must_use]
    pub fn run_not_found(run: impl fmt::Display) -> Self {
        Self::not_found("run-not-found", format!("no run {run}"))
    }

    /// No backfill of this id, or not the caller's.
    #[must_use]
    pub fn backfill_not_found(backfill: impl fmt::Display) -> Self {
        Self::not_found("backfill-not-found", format!("no backfill {backfill}"))
    }

    /// No pipeline of this id or slug, or not the caller's.
    #[must_use]
    pub fn pipeline_not_found(pipeline: impl fmt::Display) -> Self {
        Self::not_found(
            "pipeline-not-found",
            format!("no pipeline has the id or slug {pipeline}"),
        )
    }

    /// No connection of this id, or not the caller's.
    #[must_use]
    pub fn connection_not_found(connection: impl fmt::Display) -> Self {
        let message = format!("no connection has the id {connection}");
        Self::not_found("connection-not-found", message)
    }

    /// No variable of this key, or not the caller's.
    #[must_use]
    pub fn variable_not_found(variable: impl fmt::Display) -> Self {
        let message = format!("no variable has the key {variable}");
        Self::not_found("variable-not-found", message)
    }

    /// Storage failed for the moment.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, "storage-busy", message)
    }

    /// A fault of Floret or of the machine; a client is told no more than that.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, "internal-error", message)
    }

    /// The same with what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same with every problem told.
    #[must_use]
    pub fn with_issues(mut self, issues: Vec<Issue>) -> Self {
        self.0.issues = issues;
        self
    }

    /// What a caller can act on.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The slug of the wire contract, the end of the problem's `type`.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        self.0.slug
    }

    /// Every problem of the input.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.0.issues
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            slug,
            message,
            issues,
            source,
        } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("slug", slug)
            .field("message", message)
            .field("issues", issues)
            .field("source", source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

/// The message of an error and those of all its causes.
pub(crate) fn with_causes(error: &dyn StdError) -> String {
    let causes = causes(error).into_iter();
    std::iter::once(error.to_string())
        .chain(causes)
        .collect::<Vec<_>>()
        .join(": ")
}

/// What the causes of an error say, the nearest first.
pub(crate) fn causes(error: &dyn StdError) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(own) = cause {
        causes.push(own.to_string());
        cause = own.source();
    }
    causes
}

/// Traces what caused an error that was told before, at `debug`: causes may hold paths, SQL or secrets of the host, so that no louder line has them.
pub(crate) fn trace_causes(error: &Error) {
    let causes = causes(error);
    if !causes.is_empty() {
        tracing::debug!(%error, ?causes, "this is what caused it");
    }
}

/// What a panic says. Its payload is not dropped, since that may panic too.
pub(crate) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("with a payload that is no text").to_owned();
    std::mem::forget(payload);
    text
}

/// Cuts a text at a character boundary so that it has at most `max` bytes, and marks the cut.
pub(crate) fn cut(mut text: String, max: usize) -> String {
    const MARK: &str = "… (cut)";
    if text.len() <= max {
        return text;
    }
    text.truncate(text.floor_char_boundary(max.saturating_sub(MARK.len())));
    text.push_str(MARK);
    text
}

/// Makes a received text fit for a message: control characters escaped, cut at 80 characters.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let cut: String = text
        .chars()
        .take(SHOWN_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        format!("\"{cut}…\"")
    } else {
        format!("\"{cut}\"")
    }
}
