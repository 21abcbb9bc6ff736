//! Runs a test in a process of its own, whose limits and libraries it may change.

use std::process::Command;

const CHILD: &str = "FLORET_TEST_CHILD";

/// Returns whether this process executes one test alone.
pub(super) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Executes the test with this path with a command to which the arguments of the test are added.
///
/// # Panics
/// If the test fails.
pub(super) fn run_test(command: &mut Command, path: &str) {
    let command = command.args(["--exact", path]).env(CHILD, "1");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}
