//! The error type of the crate. It is opaque, with a problem and a message for the client.
//!
//! `problem` lists the problems, `kind` the kinds that a host acts on. Errors of user code are
//! `executor::ExecutorError`s.

mod kind;
pub(crate) mod log;
mod mask;
mod panic;
mod pointer;
mod problem;
mod span;

use std::error::Error as StdError;
use std::fmt;

pub use kind::ErrorKind;
pub(crate) use mask::{has_hook_secret, mask_hook_secrets};
pub(crate) use panic::{catch_panic, catch_panic_in, contain, panic_message, trace_panic};
pub(crate) use pointer::reference_token;
pub use problem::Problem;
pub(crate) use span::LogSpan;

/// The result of the crate's functions.
///
/// ```
/// use floret::{Floret, RunId};
///
/// async fn start_daily(floret: &Floret) -> floret::Result<RunId> {
///     let run = floret.run("daily").start().await?;
///     Ok(run.id())
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// # start_daily(&floret).await?;
/// # Ok(())
/// # }
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An issue of an input: where it is and what is wrong.
///
/// ```
/// use floret::Pipeline;
///
/// let json = r#"{"id": "daily", "nodes": [{"id": "load", "type": 7}]}"#;
/// let error = Pipeline::from_json(json).unwrap_err();
/// for issue in error.issues() {
///     println!("{:?}: {}", issue.location, issue.detail);
/// }
/// assert!(!error.issues().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// Where the issue is.
    pub location: IssueLocation,
    /// What is wrong, what is allowed and what was received, in one sentence.
    pub detail: String,
}

/// The location of an issue in an input.
///
/// ```
/// use floret::{Issue, IssueLocation};
///
/// let issue = Issue::pointer("/nodes/0/type", "must be a string, not 7");
/// let place = match &issue.location {
///     IssueLocation::Pointer(pointer) => format!("in the body at {pointer}"),
///     IssueLocation::Parameter(name) => format!("in the parameter {name}"),
///     _ => String::new(),
/// };
/// assert_eq!(place, "in the body at /nodes/0/type");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssueLocation {
    /// A JSON pointer (RFC 6901) into the body.
    Pointer(String),
    /// The name of a query parameter.
    Parameter(String),
}

impl Issue {
    /// Creates an issue at a JSON pointer (RFC 6901) into the body. Secrets of hooks are masked.
    #[must_use]
    pub fn pointer(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            location: IssueLocation::Pointer(mask_hook_secrets(pointer.into())),
            detail: mask_hook_secrets(detail.into()),
        }
    }

    /// Creates an issue of a query parameter. Secrets of hooks are masked.
    #[must_use]
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            location: IssueLocation::Parameter(mask_hook_secrets(name.into())),
            detail: mask_hook_secrets(detail.into()),
        }
    }
}

/// The error of a failed call.
///
/// A host acts on [`Error::kind`], or on [`Error::problem`] where the kind is too coarse.
///
/// ```
/// use floret::{ErrorKind, Pipeline};
/// let error = Pipeline::from_json("{").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Malformed);
/// assert_eq!(error.slug(), "invalid-json");
/// ```
///
/// `Display` writes the message for the client, without the source. Logs follow the chain of
/// sources.
pub struct Error(Box<Inner>);

struct Inner {
    problem: Problem,
    kind: ErrorKind,
    message: String,
    issues: Vec<Issue>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Creates an error with this problem and a message for the client. Secrets of hooks
    /// (`whsec_…`) are masked in it.
    #[must_use]
    pub fn new(problem: Problem, message: impl Into<String>) -> Self {
        Self::with_kind(problem, problem.kind(), message.into())
    }

    fn with_kind(problem: Problem, kind: ErrorKind, message: String) -> Self {
        Self(Box::new(Inner {
            problem,
            kind,
            message: mask_hook_secrets(message),
            issues: Vec::new(),
            source: None,
        }))
    }

    /// Creates the error for an input with issues. Its message is the detail of the first issue.
    #[must_use]
    pub fn invalid(problem: Problem, issues: Vec<Issue>) -> Self {
        let message = issues.first().map_or_else(
            || "the input is not acceptable".to_owned(),
            |issue| issue.detail.clone(),
        );
        Self::new(problem, message).with_issues(issues)
    }

    /// Creates the error for a store that another process has open. `pid` is the id of that
    /// process, if known.
    #[must_use]
    pub fn store_in_use(pid: Option<u32>, message: impl Into<String>) -> Self {
        let kind = ErrorKind::StoreInUse { pid };
        Self::with_kind(Problem::StoreInUse, kind, message.into())
    }

    /// Creates the error for a store with a schema that only a newer version of Floret reads.
    #[must_use]
    pub fn schema_too_new(found: u32, supported: u32, message: impl Into<String>) -> Self {
        let kind = ErrorKind::SchemaTooNew { found, supported };
        Self::with_kind(Problem::SchemaTooNew, kind, message.into())
    }

    /// Creates the error for a linked SQLite that can corrupt the store.
    #[must_use]
    pub fn sqlite_too_old(found: i32, needed: i32, message: impl Into<String>) -> Self {
        let kind = ErrorKind::SqliteTooOld { found, needed };
        Self::with_kind(Problem::SqliteTooOld, kind, message.into())
    }

    /// Creates the error for a run that does not exist or is outside the caller's scope.
    #[must_use]
    pub fn run_not_found(run: impl fmt::Display) -> Self {
        Self::new(Problem::RunNotFound, format!("no run {run}"))
    }

    /// Creates the error for a version that a pipeline does not have.
    #[must_use]
    pub fn version_not_found(version: impl fmt::Display) -> Self {
        let message = format!("no version {version} of this pipeline");
        Self::new(Problem::VersionNotFound, message)
    }

    /// Creates the error for a backfill that does not exist or is outside the caller's scope.
    #[must_use]
    pub fn backfill_not_found(backfill: impl fmt::Display) -> Self {
        Self::new(Problem::BackfillNotFound, format!("no backfill {backfill}"))
    }

    /// Creates the error for a delivery that is not parked, or is outside the caller's scope.
    #[must_use]
    pub fn delivery_not_found(delivery: impl fmt::Display) -> Self {
        Self::new(
            Problem::DeliveryNotFound,
            format!("no delivery {delivery} waits or is dead"),
        )
    }

    /// Creates the error for a delivery that is no dead letter.
    #[must_use]
    pub fn delivery_waiting(delivery: impl fmt::Display) -> Self {
        let message = format!("the delivery {delivery} is not dead: it waits for its next try");
        Self::new(Problem::DeliveryWaiting, message)
    }

    /// Creates the error for one parameter of a query, over HTTP or in Rust.
    pub(crate) fn invalid_parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::invalid_parameters(vec![Issue::parameter(name, detail)])
    }

    /// Creates the error for parameters of a query. Its message names the first one.
    pub(crate) fn invalid_parameters(issues: Vec<Issue>) -> Self {
        let message = issues
            .first()
            .map_or_else(String::new, |first| match &first.location {
                IssueLocation::Parameter(name) => {
                    format!("the parameter {} {}", quote(name), first.detail)
                }
                IssueLocation::Pointer(_) => first.detail.clone(),
            });
        Self::new(Problem::InvalidParameter, message).with_issues(issues)
    }

    /// Creates the error for a name that stands for objects of several tenants.
    pub(crate) fn tenant_required(name: impl fmt::Display) -> Self {
        let message = format!(
            "several tenants have an object with the name {name}: name one of them, over HTTP with \
             the parameter tenant, in Rust with a scope"
        );
        Self::new(Problem::TenantRequired, message)
    }

    /// Creates the error for a pipeline id or slug that does not exist or is outside the caller's
    /// scope.
    #[must_use]
    pub fn pipeline_not_found(pipeline: impl fmt::Display) -> Self {
        Self::new(
            Problem::PipelineNotFound,
            format!("no pipeline has the id or slug {pipeline}"),
        )
    }

    /// Creates the error for a connection that does not exist or is outside the caller's scope.
    #[must_use]
    pub fn connection_not_found(connection: impl fmt::Display) -> Self {
        let message = format!("no connection has the id {connection}");
        Self::new(Problem::ConnectionNotFound, message)
    }

    /// Creates the error for a variable that does not exist or is outside the caller's scope.
    #[must_use]
    pub fn variable_not_found(variable: impl fmt::Display) -> Self {
        let message = format!("no variable has the key {variable}");
        Self::new(Problem::VariableNotFound, message)
    }

    /// Creates the error for a storage that is temporarily unavailable.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Problem::StorageBusy, message)
    }

    /// Creates the error for an internal fault of Floret or of the machine.
    ///
    /// Over HTTP a client sees a generic message only.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Problem::InternalError, message)
    }

    /// Returns the error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns the error with these issues.
    #[must_use]
    pub fn with_issues(mut self, issues: Vec<Issue>) -> Self {
        self.0.issues = issues;
        self
    }

    /// Returns the problem: what went wrong.
    #[must_use]
    pub const fn problem(&self) -> Problem {
        self.0.problem
    }

    /// Returns the kind: what a caller can act on.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the slug of the problem, such as `run-not-found`.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        self.0.problem.slug()
    }

    /// Returns the issues of the input. Empty if the error has none.
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

/// Returns the messages of an error and of all its causes, separated by colons.
pub(crate) fn message_with_causes(error: &dyn StdError) -> String {
    let causes = causes(error).into_iter();
    std::iter::once(error.to_string())
        .chain(causes)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Returns the messages of the causes of an error, the nearest cause first.
pub(crate) fn causes(error: &dyn StdError) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(own) = cause {
        causes.push(mask_hook_secrets(own.to_string()));
        cause = own.source();
    }
    causes
}

/// Logs the causes of an error that was logged before, at level `debug`.
///
/// Causes may contain paths, SQL or secrets of the host, so no higher level contains them.
pub(crate) fn trace_causes(error: &Error) {
    let causes = causes(error);
    if !causes.is_empty() {
        log::debug!(%error, ?causes, "causes of the previous error");
    }
}

/// The end of a truncated text.
pub(crate) const CUT_MARK: &str = "… (cut)";

/// Truncates a text at a character boundary to at most `max` bytes. A truncated text ends with
/// [`CUT_MARK`].
pub(crate) fn truncate(mut text: String, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    text.truncate(text.floor_char_boundary(max.saturating_sub(CUT_MARK.len())));
    text.push_str(CUT_MARK);
    text
}

/// Quotes a received text for a message. Escapes control characters and truncates the text after 80
/// characters.
pub(crate) fn quote(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let escaped: String = text
        .chars()
        .take(SHOWN_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        format!("\"{escaped}…\"")
    } else {
        format!("\"{escaped}\"")
    }
}
