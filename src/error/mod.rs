//! The one error of the crate: opaque, with a problem and a message for the client.
//!
//! The vocabulary of problems is left to `problem`, what a host acts on to `kind`.
//! What user code fails with is `executor::ExecutorError`.

mod kind;
mod problem;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

pub use kind::ErrorKind;
pub use problem::Problem;

/// What the crate's functions answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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
    problem: Problem,
    kind: ErrorKind,
    message: String,
    issues: Vec<Issue>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Returns an error with this problem and a message that a client may read.
    #[must_use]
    pub fn new(problem: Problem, message: impl Into<String>) -> Self {
        Self::with_kind(problem, problem.kind(), message.into())
    }

    fn with_kind(problem: Problem, kind: ErrorKind, message: String) -> Self {
        Self(Box::new(Inner {
            problem,
            kind,
            message,
            issues: Vec::new(),
            source: None,
        }))
    }

    /// Returns the refusal of an input with all its issues; the message is that of the first.
    #[must_use]
    pub fn invalid(problem: Problem, issues: Vec<Issue>) -> Self {
        let message = issues.first().map_or_else(
            || "the input is not acceptable".to_owned(),
            |issue| issue.detail.clone(),
        );
        Self::new(problem, message).with_issues(issues)
    }

    /// Returns the refusal of a store that another process has open, with its id where it is known.
    #[must_use]
    pub fn store_in_use(pid: Option<u32>, message: impl Into<String>) -> Self {
        let kind = ErrorKind::StoreInUse { pid };
        Self::with_kind(Problem::StoreInUse, kind, message.into())
    }

    /// Returns the refusal of a store with a schema that only a newer version reads.
    #[must_use]
    pub fn schema_too_new(found: u32, supported: u32, message: impl Into<String>) -> Self {
        let kind = ErrorKind::SchemaTooNew { found, supported };
        Self::with_kind(Problem::SchemaTooNew, kind, message.into())
    }

    /// Returns the refusal of a linked SQLite that can corrupt the store.
    #[must_use]
    pub fn sqlite_too_old(found: i32, needed: i32, message: impl Into<String>) -> Self {
        let kind = ErrorKind::SqliteTooOld { found, needed };
        Self::with_kind(Problem::SqliteTooOld, kind, message.into())
    }

    /// No run of this id, or not the caller's.
    #[must_use]
    pub fn run_not_found(run: impl fmt::Display) -> Self {
        Self::new(Problem::RunNotFound, format!("no run {run}"))
    }

    /// No backfill of this id, or not the caller's.
    #[must_use]
    pub fn backfill_not_found(backfill: impl fmt::Display) -> Self {
        Self::new(Problem::BackfillNotFound, format!("no backfill {backfill}"))
    }

    /// No pipeline of this id or slug, or not the caller's.
    #[must_use]
    pub fn pipeline_not_found(pipeline: impl fmt::Display) -> Self {
        Self::new(
            Problem::PipelineNotFound,
            format!("no pipeline has the id or slug {pipeline}"),
        )
    }

    /// No connection of this id, or not the caller's.
    #[must_use]
    pub fn connection_not_found(connection: impl fmt::Display) -> Self {
        let message = format!("no connection has the id {connection}");
        Self::new(Problem::ConnectionNotFound, message)
    }

    /// No variable of this key, or not the caller's.
    #[must_use]
    pub fn variable_not_found(variable: impl fmt::Display) -> Self {
        let message = format!("no variable has the key {variable}");
        Self::new(Problem::VariableNotFound, message)
    }

    /// Storage failed for the moment.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Problem::StorageBusy, message)
    }

    /// A fault of Floret or of the machine; a client is told no more than that.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Problem::InternalError, message)
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

    /// Returns what went wrong.
    #[must_use]
    pub const fn problem(&self) -> Problem {
        self.0.problem
    }

    /// Returns what a caller can act on.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the slug of the problem.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        self.0.problem.slug()
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
            problem,
            kind,
            message,
            issues,
            source,
        } = &*self.0;
        f.debug_struct("Error")
            .field("problem", problem)
            .field("kind", kind)
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
pub(crate) fn message_with_causes(error: &dyn StdError) -> String {
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

/// Traces what caused an error that was told before, at `debug`: causes may hold paths, SQL or
/// secrets of the host, so that no louder line has them.
pub(crate) fn trace_causes(error: &Error) {
    let causes = causes(error);
    if !causes.is_empty() {
        tracing::debug!(%error, ?causes, "this is what caused it");
    }
}

/// What a panic says. Its payload is not dropped, since that may panic too.
pub(crate) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("with a payload that is no text").to_owned();
    std::mem::forget(payload);
    text
}

/// Cuts a text at a character boundary so that it has at most `max` bytes, and marks the cut.
pub(crate) fn truncate(mut text: String, max: usize) -> String {
    const MARK: &str = "… (cut)";
    if text.len() <= max {
        return text;
    }
    text.truncate(text.floor_char_boundary(max.saturating_sub(MARK.len())));
    text.push_str(MARK);
    text
}

/// Makes a received text fit for a message: control characters escaped, cut at 80 characters.
pub(crate) fn quote(text: &str) -> String {
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
