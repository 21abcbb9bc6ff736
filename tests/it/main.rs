//! Floret from outside, as a host and its clients see it: one binary, a file a noun.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that meets what it does not expect should end there"
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
mod examples;
mod tidy;
mod wire;
