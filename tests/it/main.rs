//! The tests of the crate's outermost face, one file a noun.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says so by panicking, in the functions that tests share too"
)]

mod api_access;
mod api_health;
mod api_idempotency;
mod api_lists;
mod api_logs;
mod api_nodes;
mod api_pipelines;
mod api_runs;
mod api_service;
mod bad_input;
mod tidy;
mod wire;
