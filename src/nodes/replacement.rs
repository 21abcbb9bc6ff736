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
use crate::hex;

impl DataDir {
    /// Creates a temporary file that replaces the file at `path` when it is committed. Also creates
    /// missing folders.
    ///
    /// First removes the temporary files that earlier attempts with the same key left behind.
    pub(super) fn replace(
        &self,
        path: &str,
        attempt_key: &str,
    ) -> Result<Replacement, ExecutorError> {
        self.create_temp(path, attempt_key)
            .map_err(|error| file_error(path, "written", &error))
    }

    fn create_temp(&self, path: &str, attempt_key: &str) -> io::Result<Replacement> {
        let target = Path::new(path);
        let name = target.file_name().ok_or(IoKind::InvalidFilename)?;
        let folder = match target.parent() {
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

/// A temporary file that replaces another file when it is committed. Dropping it uncommitted
/// removes it.
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
        // After the rename, the temporary name no longer exists. Other errors are ignored, because
        // `drop` cannot report them.
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

/// Syncs the folder, so that the new name survives a power loss. Does nothing outside Unix.
fn sync_folder(folder: &Dir) -> io::Result<()> {
    if cfg!(unix) {
        folder.open(".")?.sync_all()?;
    }
    Ok(())
}

/// Returns the prefix of the temporary names for one attempt key and one path.
///
/// Its length is fixed, however long the key and the path are.
fn temp_prefix(path: &str, attempt_key: &str) -> String {
    let digest = Sha256::new()
        .chain_update(attempt_key)
        .chain_update([0])
        .chain_update(path)
        .finalize();
    let short = digest.first_chunk::<8>().map(|short| hex::encode(short));
    format!(".floret-{}-", short.unwrap_or_default())
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
