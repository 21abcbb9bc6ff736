//! A pipeline's graph: valid by construction, with its order and what may run when.
//!
//! Pure: no I/O, no clock, no async.

pub(crate) mod definition;
pub(crate) mod frontier;
