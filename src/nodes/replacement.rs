//! Replaces a file atomically: writes a temporary file and renames it.
//!
//! `write` encodes the content.

use std::fs::File;
use std::io::{self, ErrorKind as IoKind};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::data_dir::{DataDir, file_error};
use crate::executor::ExecutorError;

impl DataDir {
    /// Creates a temporary file that replaces `path` when it is committed. Missing folders are
    /// created.
    ///
    /// Temporary files of a killed attempt with the same key are removed.
    pub(super) fn replace(
        &self,
        path: &str,
        attempt_key: &str,
    ) -> Result<Replacement, ExecutorError> {
        self.begin(path, attempt_key)
            .map_err(|error| file_error(path, "written", &error))
    }

    fn begin(&self, path: &str, attempt_key: &str) -> io::Result<Replacement> {
        let whole = Path::new(path);
        let name = whole.file_name().ok_or(IoKind::InvalidFilename)?;
        let folder = match whole.parent() {
            Some(parent) if parent != Path::new("") => self.folder(parent)?,
            Some(_) | None => self.root()?,
        };
        if folder
            .symlink_metadata(name)
            .is_ok_and(|found| found.is_dir())
        {
            return Err(IoKind::IsADirectory.into());
        }
        let prefix = temp_prefix(path, attempt_key);
        remove_leftovers(&folder, &prefix)?;
        let temp = format!("{prefix}{}.tmp", Uuid::new_v4().simple());
        let file = folder.open_with(&temp, OpenOptions::new().write(true).create_new(true))?;
        Ok(Replacement {
            file: file.into_std(),
            temp: Temp { folder, name: temp },
            name: PathBuf::from(name),
        })
    }
}

/// A temporary file that replaces another when it is committed. Dropping it before removes it.
pub(super) struct Replacement {
    file: File,
    temp: Temp,
    name: PathBuf,
}

struct Temp {
    folder: Dir,
    name: String,
}

impl Drop for Temp {
    fn drop(&mut self) {
        // After the rename it no longer exists, and no other error could be handled here.
        drop(self.folder.remove_file(&self.name));
    }
}

impl Replacement {
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Syncs the file to disk and renames it to its final name.
    pub(super) fn commit(self, path: &str) -> Result<(), ExecutorError> {
        let Self { file, temp, name } = self;
        let synced = file.sync_all();
        // Some systems cannot rename an open file.
        drop(file);
        let committed = synced
            .and_then(|()| temp.folder.rename(&temp.name, &temp.folder, name))
            .and_then(|()| sync_folder(&temp.folder));
        committed.map_err(|error| file_error(path, "written", &error))
    }
}

/// Syncs the folder, so that the new name is durable. Only Unix needs this.
fn sync_folder(folder: &Dir) -> io::Result<()> {
    if cfg!(unix) {
        folder.open(".")?.sync_all()?;
    }
    Ok(())
}

/// Returns a prefix of fixed length that all attempts of one node at one file share.
fn temp_prefix(path: &str, attempt_key: &str) -> String {
    let digest = Sha256::new()
        .chain_update(attempt_key)
        .chain_update([0])
        .chain_update(path)
        .finalize();
    let short: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(".floret-{short}-")
}

fn remove_leftovers(folder: &Dir, prefix: &str) -> io::Result<()> {
    for entry in folder.entries()? {
        let name = entry?.file_name();
        if name.to_string_lossy().starts_with(prefix) {
            folder.remove_file(name)?;
        }
    }
    Ok(())
}
