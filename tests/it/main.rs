//! The tests of the crate's outermost face, one file a noun; what those of the engine share stands in `harness`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says so by panicking, in the functions that tests share too"
)]

#[macro_use]
mod harness;

mod agreement;
mod bounds;
mod cancels;
mod dataflow;
mod events;
mod failures;
mod faults;
mod logs;
mod outputs;
mod recovery;
mod resumes;
mod retries;
mod shutdowns;
mod spans;
mod tidy;
mod triggers;
