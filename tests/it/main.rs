//! The tests of the crate's outermost face, one file a noun.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says so by panicking, in the functions that tests share too"
)]

mod tidy;
