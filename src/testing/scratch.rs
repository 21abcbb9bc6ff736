//! A directory for one test.
//!
//! What is put into it is the test's.

use std::path::Path;

/// An empty directory that is removed when it is dropped.
#[derive(Debug)]
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Makes a directory for one test.
///
/// # Panics
/// When the machine gives none.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a test without its directory has nothing to test"
)]
pub fn scratch() -> Scratch {
    Scratch(tempfile::tempdir().expect("a directory for temporary files"))
}
