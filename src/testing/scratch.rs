//! A temporary directory for one test.
//!
//! Its content is left to the test.

use std::path::Path;

/// A temporary directory that is removed on drop.
#[derive(Debug)]
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// Returns the path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Creates an empty temporary directory for one test.
///
/// ```
/// let directory = floret::testing::scratch();
/// let file = directory.path().join("floret.db");
/// assert!(!file.exists());
/// ```
///
/// # Panics
/// If the system cannot create the directory.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a test cannot continue without its directory"
)]
pub fn scratch() -> Scratch {
    Scratch(tempfile::tempdir().expect("the system can create a temporary directory"))
}
