//! A file that takes the place of another once it is whole.
//!
//! What is written is left to `write`.

use std::fs::File;
use std::io::{self, ErrorKind as IoKind};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::data_dir::{DataDir, file_error};
use crate::executor::ExecutorError;

impl DataDir {
    /// Begins a file that takes the place of `path` once it is whole. Folders that are missing are made.
    ///
    /// What an earlier attempt of the same key left behind when the process was killed is removed.
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

/// A file on its way to its name. Dropped before it is kept, nothing of it remains.
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
        // It is not there any more once it was renamed; and nothing could be done about another error here.
        drop(self.folder.remove_file(&self.name));
    }
}

impl Replacement {
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Makes it durable and gives it its name.
    pub(super) fn keep(self, path: &str) -> Result<(), ExecutorError> {
        let Self { file, temp, name } = self;
        let synced = file.sync_all();
        // Some systems rename no file that is open.
        drop(file);
        let kept = synced
            .and_then(|()| temp.folder.rename(&temp.name, &temp.folder, name))
            .and_then(|()| sync_folder(&temp.folder));
        kept.map_err(|error| file_error(path, "written", &error))
    }
}

/// Makes the new name durable; other systems than Unix do so themselves.
fn sync_folder(folder: &Dir) -> io::Result<()> {
    if cfg!(unix) {
        folder.open(".")?.sync_all()?;
    }
    Ok(())
}

/// The same for all attempts at one file of one node, and of a fixed length, whatever the file is called.
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
