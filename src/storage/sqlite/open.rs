//! Opens a store: takes the lock, checks the file, migrates the schema and recovers from a crash.
//!
//! A file is checked before anything is written to it. `lock` handles the lock file, `connect`
//! opens the connections, and `schema` migrates the schema.

use std::fs::{File, Metadata};
use std::io::{ErrorKind as IoKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::connect::{connect, connect_to_read, set_pragmas};
use super::dropped_outputs::drop_all_staged;
use super::lock::Lock;
use super::meta::{Meta, next_seq};
use super::options::SqliteOptions;
use super::schema::{APPLICATION_ID, VERSION, migrate};
use super::store_error::StoreError;
use super::store_file::{StoreFile, open_private};
use super::tx::Tx;
use super::unreadable::UnreadableRows;
use super::values::to_u64;
use crate::error::{Error, Problem, Result};

/// An opened store.
pub(super) struct OpenedStore {
    pub(super) file: Arc<StoreFile>,
    pub(super) tx: Tx,
    pub(super) readers: Vec<Connection>,
    pub(super) lock: Arc<Lock>,
}

/// Version 3.51.3. In earlier versions, two connections can corrupt a database in WAL mode.
const SQLITE_MIN: i32 = 3_051_003;

/// Opens a store, or creates it if the file is missing or empty.
pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<OpenedStore> {
    refuse_old_sqlite()?;
    let path = resolve(path)?;
    // The lock comes first. If this process already has the store open, closing another file handle
    // of the database would release the locks of SQLite.
    let lock = Lock::acquire(&path)?;
    if let Err(error) = refuse_read_only(&path).and_then(|()| check_header(&path)) {
        lock.discard();
        return Err(error);
    }
    // SQLite gives its own files the permissions of the database.
    open_private(&path).map_err(|error| cannot_open(&path, error))?;
    let (tx, readers) = open_connections(&path, options)?;
    let file = StoreFile::new(path, lock.path().to_owned(), lock.identity());
    file.note_log();
    Ok(OpenedStore {
        file: Arc::new(file),
        tx,
        readers,
        lock: Arc::new(lock),
    })
}

/// A store that was opened for reading alone.
pub(super) struct OpenedToRead {
    pub(super) file: Arc<StoreFile>,
    pub(super) readers: Vec<Connection>,
    pub(super) lock: Arc<Lock>,
    /// The number of the newest event.
    pub(super) newest_seq: u64,
}

/// Opens a store that exists, and changes nothing in it.
pub(super) fn open_to_read(path: &Path, options: &SqliteOptions) -> Result<OpenedToRead> {
    refuse_old_sqlite()?;
    let path = existing(path)?;
    let lock = Lock::acquire(&path)?;
    if let Err(error) = check_header(&path) {
        lock.discard();
        return Err(error);
    }
    let readers: Vec<_> = (0..options.readers_max.max(1))
        .map(|_| connect_to_read(&path, options))
        .collect::<Result<_, StoreError>>()?;
    let mut newest_seq = 0;
    if let Some(conn) = readers.first() {
        refuse_older(version(conn)?)?;
        let meta = Meta::load(conn, &UnreadableRows::default())?;
        let next = meta.next_seq.max(next_seq(conn)?);
        newest_seq = to_u64(next.saturating_sub(1));
    }
    let file = StoreFile::new(path, lock.path().to_owned(), lock.identity());
    Ok(OpenedToRead {
        file: Arc::new(file),
        readers,
        lock: Arc::new(lock),
        newest_seq,
    })
}

/// Returns the path of a store that exists.
pub(super) fn existing(path: &Path) -> Result<PathBuf> {
    let found = resolve(path)?;
    if found.exists() {
        return Ok(found);
    }
    let message = format!("there is no store {}", found.display());
    Err(Error::new(Problem::NotFound, message))
}

/// Refuses a store that must be upgraded before it can be read.
fn refuse_older(found: usize) -> Result<()> {
    if found == VERSION {
        return Ok(());
    }
    let message = format!(
        "the store has schema version {found}, and this Floret reads version {VERSION}: open it once to upgrade it"
    );
    Err(Error::new(Problem::PreconditionFailed, message))
}

/// Refuses a SQLite that can damage a store.
pub(super) fn refuse_old_sqlite() -> Result<()> {
    let found = rusqlite::version_number();
    if found < SQLITE_MIN {
        return Err(too_old(found));
    }
    Ok(())
}

fn open_connections(path: &Path, options: &SqliteOptions) -> Result<(Tx, Vec<Connection>)> {
    let conn = connect(path, options)?;
    let version = version(&conn)?;
    set_up(&conn, options, version)?;
    let mut tx = Tx::new(conn, Arc::default())?;
    recover(&mut tx)?;
    let readers = (0..options.readers_max.max(1))
        .map(|_| connect_to_read(path, options))
        .collect::<Result<_, StoreError>>()?;
    Ok((tx, readers))
}

fn resolve(path: &Path) -> Result<PathBuf> {
    match path.canonicalize() {
        Ok(found) if found.is_dir() => Err(not_a_database(&found, "it is a folder")),
        Ok(found) => Ok(found),
        Err(error) if error.kind() == IoKind::NotFound && !path.is_symlink() => {
            resolve_absent(path)
        }
        Err(error) => Err(cannot_open(path, error)),
    }
}

fn resolve_absent(path: &Path) -> Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| not_a_database(path, "it names no file"))?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|error| {
        let message = format!(
            "the folder {} of the store cannot be opened",
            folder.display()
        );
        Error::new(Problem::NotFound, message).with_source(error)
    })?;
    Ok(folder.join(name))
}

/// Refuses a file that nobody may write.
fn refuse_read_only(path: &Path) -> Result<()> {
    let is_read_only = |found: Metadata| found.permissions().readonly();
    if std::fs::metadata(path).is_ok_and(is_read_only) {
        return Err(read_only(path));
    }
    Ok(())
}

/// Refuses a file of another program by its header.
///
/// This reads the file without SQLite, because SQLite may create files next to it.
fn check_header(path: &Path) -> Result<()> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == IoKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot_open(path, error)),
    };
    let mut header = Vec::new();
    file.by_ref()
        .take(100)
        .read_to_end(&mut header)
        .map_err(|error| cannot_open(path, error))?;
    if header.is_empty() {
        return Ok(());
    }
    let number = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    if !header.starts_with(MAGIC) || header.len() < 100 {
        return Err(not_a_database(path, "it is not a SQLite database"));
    }
    if number(68).map(i64::from) != Some(APPLICATION_ID) {
        return Err(not_a_database(path, "it belongs to another program"));
    }
    number(60).map_or(Ok(()), check_version)
}

pub(super) fn check_version(found: u32) -> Result<()> {
    let supported = u32::try_from(VERSION).unwrap_or(u32::MAX);
    if found <= supported {
        return Ok(());
    }
    let message = format!(
        "the store has schema version {found}; this Floret reads versions up to {supported}"
    );
    Err(Error::schema_too_new(found, supported, message))
}

/// Returns the version of the schema, and refuses a newer one.
///
/// The header may be outdated: the current version can still be in the write-ahead log.
fn version(conn: &Connection) -> Result<usize> {
    let found: i64 = conn
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(StoreError::from)?;
    check_version(u32::try_from(found).unwrap_or(u32::MAX))?;
    Ok(usize::try_from(found).unwrap_or(0))
}

fn set_up(conn: &Connection, options: &SqliteOptions, version: usize) -> Result<(), StoreError> {
    if version == 0 {
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        // This pragma commits by itself. After a crash during the migration, the next open
        // recognizes the file and continues.
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    set_pragmas(conn, options)?;
    migrate(conn, version)
}

/// Releases the runs of earlier owners and drops the chunks that no entry named.
///
/// The lock proves that these owners are dead.
fn recover(tx: &mut Tx) -> Result<(), StoreError> {
    let is_owned = tx
        .state
        .running
        .values()
        .any(|active| active.owner.is_some());
    let is_staged = tx
        .row("SELECT 1 FROM staged LIMIT 1", [], |_| Ok(()))?
        .is_some();
    tx.wants_sweep = tx
        .row("SELECT 1 FROM sweeps LIMIT 1", [], |_| Ok(()))?
        .is_some();
    if !is_owned && !is_staged && !tx.state.is_meta_damaged {
        return Ok(());
    }
    tx.begin()?;
    if is_owned {
        tx.write("UPDATE runs SET owner = NULL, lease_until = NULL WHERE finished_at IS NULL AND status = 1 AND owner IS NOT NULL", [])?;
        tx.state
            .running
            .values_mut()
            .for_each(|active| active.owner = None);
    }
    if is_staged {
        drop_all_staged(tx)?;
    }
    if tx.state.is_meta_damaged {
        tx.repair_meta()?;
    }
    tx.finish()?;
    tx.commit()
}

fn too_old(found: i32) -> Error {
    let message =
        format!("the linked SQLite has version {found}; at least {SQLITE_MIN} is required");
    Error::sqlite_too_old(found, SQLITE_MIN, message)
}

pub(super) fn not_a_database(path: &Path, why: &str) -> Error {
    let message = format!("{} is not a Floret store: {why}", path.display());
    Error::new(Problem::NotADatabase, message)
}

fn read_only(path: &Path) -> Error {
    Error::unavailable(format!("the store {} is read-only", path.display()))
}

pub(super) fn cannot_open(path: &Path, error: std::io::Error) -> Error {
    Error::unavailable(format!("the store {} cannot be opened", path.display())).with_source(error)
}
