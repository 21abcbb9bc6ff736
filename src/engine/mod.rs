//! The write side: every command that changes something, and the loops that execute runs.
//!
//! Questions are answered by `views`; what is remembered is `storage`'s.

mod cancel;
mod pipelines;
mod resume;
mod trigger;

pub(crate) use pipelines::Validation;
pub(crate) use resume::Resume;
pub(crate) use trigger::{Key, Start, Started};

/// Carries out commands and executes runs. Clones are the same engine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {}
