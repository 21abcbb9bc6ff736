//! A folder of the data directory in which a program starts.
//!
//! The folder is opened first, so that no symlink can lead the program elsewhere.

use std::path::{Path, PathBuf};

use cap_std::fs::Dir;

use super::data_dir::{DataDir, file_error};
use crate::executor::ExecutorError;

/// An open folder, with a path that leads to it whatever its name becomes.
#[derive(Debug)]
pub(super) struct WorkingDir {
    path: PathBuf,
    // The path may name this handle.
    _dir: Dir,
}

impl WorkingDir {
    /// Opens an existing folder of the data directory.
    ///
    /// # Errors
    /// Returns an error if the folder does not exist, is no folder, or is outside.
    pub(super) fn open(data: &DataDir, path: &str) -> Result<Self, ExecutorError> {
        let dir = data.root().and_then(|root| root.open_dir(path));
        let dir = dir.map_err(|error| file_error(path, "opened", &error))?;
        Ok(Self {
            path: path_of(&dir)?,
            _dir: dir,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The child has the same handles until it executes the program.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn path_of(dir: &Dir) -> Result<PathBuf, ExecutorError> {
    use std::os::fd::AsRawFd;
    Ok(PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())))
}

#[cfg(target_vendor = "apple")]
fn path_of(dir: &Dir) -> Result<PathBuf, ExecutorError> {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let path = rustix::fs::getpath(dir).map_err(std::io::Error::from)?;
    Ok(PathBuf::from(OsString::from_vec(path.into_bytes())))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn path_of(_: &Dir) -> Result<PathBuf, ExecutorError> {
    Err(ExecutorError::permanent(
        "cwd is not supported on this platform",
    ))
}
