//! What the crate promises its host, shown through its outermost face, on every backend that can show it.
//!
//! A file a noun; what they share stands in `harness`.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

#[macro_use]
mod harness;

mod agreement;
mod bounds;
mod cancels;
mod dataflow;
mod events;
mod failures;
mod logs;
mod recovery;
mod resumes;
mod retries;
mod shutdowns;
mod triggers;
