//! The one directory that file nodes can access. No `..`, absolute path or symlink leads outside
//! it.
//!
//! `replacement` writes its files; `read` and `write` decode and encode their content.

use std::fs::File;
use std::io::{self, ErrorKind as IoKind};
use std::path::{Component, Path};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use super::config::ConfigFields;
use crate::error::{Error, Problem, Result, quote};
use crate::executor::ExecutorError;

/// A directory whose files nodes may read and write. Clones share it.
///
/// It is opened once: nodes keep using it even if its path is moved or replaced later.
#[derive(Debug, Clone)]
pub struct DataDir {
    dir: Arc<Dir>,
}

impl DataDir {
    /// Opens a directory.
    ///
    /// # Errors
    /// Returns `NotFound` if it does not exist, and `Internal` if it cannot be opened; the source
    /// says why.
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

    /// Opens a regular file for reading.
    ///
    /// It never blocks: the handle is checked, not the path, which may change in between.
    pub(super) fn open_file(&self, path: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true);
        // Without this flag, opening a named pipe waits for its writer. It changes nothing for a
        // regular file.
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::custom_flags(
            &mut options,
            rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
        );
        let file = self.dir.open_with(path, &options)?.into_std();
        if !file.metadata()?.is_file() {
            return Err(IoKind::Unsupported.into());
        }
        Ok(file)
    }

    /// Returns a handle to the directory itself.
    pub(super) fn root(&self) -> io::Result<Dir> {
        self.dir.try_clone()
    }

    /// Opens a folder, and creates it if it is missing.
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

/// Reads `path`, which must be relative and without `..`.
pub(super) fn read_path<'a>(fields: &mut ConfigFields<'a>) -> Option<&'a str> {
    let path = fields.required_text("path")?;
    let is_folder = path.ends_with(['/', '\\']);
    let problem = path_problem(path).or(is_folder.then_some("names a folder"));
    let Some(problem) = problem else {
        return Some(path);
    };
    let shown = quote(path);
    fields.refuse(
        "/path",
        format!("path is a file inside the data directory; {shown} {problem}"),
    );
    None
}

/// Returns what is wrong with a path, or `None` if it can lead to something in the directory.
pub(super) fn path_problem(path: &str) -> Option<&'static str> {
    let is_inside = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if path.trim().is_empty() {
        Some("is empty")
    } else if path.contains('\0') {
        Some("contains a NUL character")
    } else if !is_inside {
        Some("is not a relative path without ..")
    } else {
        None
    }
}

/// Returns the path as the lineage names it: `a/b` for `./a//b`.
pub(super) fn asset_name(path: &str) -> String {
    let parts: Vec<_> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if path.starts_with('/') || parts.is_empty() {
        return path.to_owned();
    }
    parts.join("/")
}

/// Converts an I/O error. The message does not contain the host's paths.
///
/// A retry may help, because a file may appear, change or become readable later. It cannot help if
/// the path itself is refused.
pub(super) fn file_error(path: &str, act: &str, error: &io::Error) -> ExecutorError {
    match (error.kind(), error.raw_os_error()) {
        (IoKind::NotFound, _) => {
            ExecutorError::retryable(format!("file {path} does not exist in the data directory"))
        }
        // cap-std refuses a path without a system call, so there is no OS error.
        (IoKind::PermissionDenied, None) => {
            ExecutorError::permanent(format!("file {path} leads outside the data directory"))
        }
        (IoKind::Unsupported, None) => ExecutorError::retryable(format!("{path} is not a file")),
        (kind @ IoKind::InvalidFilename, _) => {
            ExecutorError::permanent(format!("file {path} cannot be {act}: {kind}"))
        }
        (kind, _) => ExecutorError::retryable(format!("file {path} cannot be {act}: {kind}")),
    }
}
