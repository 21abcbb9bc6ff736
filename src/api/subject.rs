//! The object that the path of a route names.
//!
//! `call` checks that it exists; the handlers read it.

/// What the parameters of a path name.
///
/// A request with an unacceptable query or body is refused for it only if its subject exists.
/// Otherwise the response is 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The path has no parameters.
    Nothing,
    Pipeline,
    /// A version of a pipeline.
    Version,
    /// Two versions of a pipeline.
    Versions,
    /// A node of a pipeline.
    PipelineNode,
    Run,
    /// A node of a run.
    Node,
    Backfill,
    Connection,
    Variable,
    Delivery,
}
