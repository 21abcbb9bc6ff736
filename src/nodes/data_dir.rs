//! The one directory that file nodes see: nothing outside it can be reached, by `..`, an absolute path or a symlink.
//!
//! Writing into it is left to `replacement`, what files hold to `read` and `write`.

use std::fs::File;
use std::io::{self, ErrorKind as IoKind};
use std::path::{Component, Path};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::config::Fields;
use crate::error::{Error, Problem, Result, quote};
use crate::executor::ExecutorError;

/// A directory whose files nodes may read and write. Clones are the same directory.
///
/// It is opened once: moving or replacing it later does not change what nodes see.
#[derive(Debug, Clone)]
pub struct DataDir {
    dir: Arc<Dir>,
}

impl DataDir {
    /// Opens a directory.
    ///
    /// # Errors
    /// `NotFound` when it is not there, `Internal` when it cannot be opened; the source tells why.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        match Dir::open_ambient_dir(path, ambient_authority()) {
            Ok(dir) => Ok(Self { dir: Arc::new(dir) }),
            Err(error) if error.kind() == IoKind::NotFound => Err(Error::new(
                Problem::NotFound,
                "the data directory does not exist",
            )
            .with_source(error)),
            Err(error) => {
                Err(Error::internal("the data directory cannot be opened").with_source(error))
            }
        }
    }

    /// Opens a regular file to read it.
    pub(super) fn open_file(&self, path: &str) -> Result<File, ExecutorError> {
        let failed = |error: io::Error| file_error(path, "read", &error);
        // Opening a pipe would wait for its writer.
        if !self.dir.metadata(path).map_err(failed)?.is_file() {
            return Err(ExecutorError::permanent(format!("{path} is not a file")));
        }
        let file = self.dir.open(path).map_err(failed)?;
        Ok(file.into_std())
    }

    /// The directory itself, as a folder.
    pub(super) fn root(&self) -> io::Result<Dir> {
        self.dir.try_clone()
    }

    /// Opens a folder, made where it is missing.
    pub(super) fn folder(&self, path: &Path) -> io::Result<Dir> {
        match self.dir.open_dir(path) {
            Err(error) if error.kind() == IoKind::NotFound => {
                self.dir.create_dir_all(path)?;
                self.dir.open_dir(path)
            }
            opened => opened,
        }
    }
}

/// A path that may be inside: relative, without `..`.
pub(super) fn read_path<'a>(fields: &mut Fields<'a>) -> Option<&'a str> {
    let path = fields.required_text("path")?;
    let is_inside = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let problem = if path.trim().is_empty() {
        "is empty"
    } else if path.contains('\0') {
        "contains a NUL character"
    } else if !is_inside {
        "is not a relative path without .."
    } else if path.ends_with(['/', '\\']) {
        "names a folder"
    } else {
        return Some(path);
    };
    let shown = quote(path);
    fields.refuse(
        "/path",
        format!("path is a file inside the data directory; {shown} {problem}"),
    );
    None
}

/// What went wrong with a file, without the host's paths.
pub(super) fn file_error(path: &str, act: &str, error: &io::Error) -> ExecutorError {
    match (error.kind(), error.raw_os_error()) {
        (IoKind::NotFound, _) => {
            ExecutorError::permanent(format!("file {path} does not exist in the data directory"))
        }
        // cap-std refuses by itself, without asking the system.
        (IoKind::PermissionDenied, None) => {
            ExecutorError::permanent(format!("file {path} leads outside of the data directory"))
        }
        (
            kind @ (IoKind::PermissionDenied
            | IoKind::IsADirectory
            | IoKind::NotADirectory
            | IoKind::InvalidFilename),
            _,
        ) => ExecutorError::permanent(format!("file {path} cannot be {act}: {kind}")),
        (kind, _) => ExecutorError::retryable(format!("file {path} cannot be {act}: {kind}")),
    }
}
