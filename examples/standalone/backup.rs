//! Copies a store, while a server has it open or not.

use std::path::Path;
use std::process::ExitCode;

use floret::storage::SqliteStorage;

use crate::failure::Failure;
use crate::output;

/// Copies the store into a new file, and prints its size.
pub(crate) async fn backup(db: &Path, file: &Path) -> Result<ExitCode, Failure> {
    let size = SqliteStorage::backup(db, file)
        .await
        .map_err(|error| Failure::of(format!("no backup of {}", db.display()), error))?;
    output::write(&format!("{}: {size} bytes, checked\n", file.display()))
}
