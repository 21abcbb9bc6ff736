//! The messages of the compiler for functions that cannot execute nodes: each says what to write.
//!
//! A message is in the `.stderr` beside its case. `TRYBUILD=overwrite` writes them again. Another
//! compiler may word what surrounds the message differently, so only one checks them.

use std::process::Command;

/// The compiler whose messages are stored.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn a_function_that_cannot_be_a_node_is_refused_with_what_to_write() {
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(compiler).arg("--version").output().unwrap();
    if version.stdout.starts_with(COMPILER.as_bytes()) {
        trybuild::TestCases::new().compile_fail("cases/*.rs");
    }
}
