//! The OpenAPI document and whether the service keeps to it.
//!
//! Every response that a test of this binary gets through `wire` is checked against the document:
//! its status, its content type, its problem, its headers and its JSON. `matrix` drives every
//! route. A test of the crate writes the document from the route table.

mod document;
mod schema;
mod served;

pub(crate) use document::{Operation, check, operations, resolve};
pub(crate) use schema::Checker;
