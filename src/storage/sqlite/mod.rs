//! A durable storage in one SQLite file.
//!
//! One thread writes and commits in groups; a few threads read. An async method sends a step or a
//! read to them and waits for the result. The rules that all backends share are in `rules`.

mod audit;
mod backfill_params;
mod backfill_pauses;
mod backfills;
mod backup;
mod body;
mod cached_pipelines;
mod calls;
mod cancel;
mod claim;
mod code_saves;
mod connect;
mod connections;
mod counts;
mod create;
#[cfg(feature = "testing")]
mod decode;
mod definitions;
mod delays;
mod deliveries;
mod dependencies;
mod dependency_rules;
mod dropped_outputs;
mod earlier_events;
mod encoded_append;
mod events;
mod existing_runs;
#[cfg(any(test, feature = "testing"))]
mod fault_injection;
mod figure_changes;
mod figures;
mod finish;
mod found_pipelines;
mod group;
mod idempotency;
mod inbox;
mod integrity;
mod journal;
mod key_conflicts;
mod keys;
mod labels;
mod lanes;
mod lock;
mod meta;
mod minutes;
mod named_lists;
mod naming;
mod node_runs;
mod nodes;
mod open;
mod open_backfills;
mod options;
mod outputs;
mod pages;
mod panics;
mod parked;
mod pauses;
mod payloads;
mod period;
mod pipeline_keys;
mod pipeline_search;
mod pipelines;
mod poisoned;
mod purge;
mod put_pipeline;
mod query;
mod queue;
mod read_bound;
mod read_only;
mod reader;
#[cfg(test)]
mod recorded_texts;
mod repair;
mod rows;
mod run_cache;
mod run_filter;
mod run_list;
mod runs;
mod schedules;
mod schema;
mod search_cache;
mod searched_pipelines;
mod settings;
mod settlement;
mod slugs;
mod state;
#[cfg(test)]
mod statement_counts;
mod step;
mod store_error;
mod store_file;
mod sweep;
mod sweep_queue;
mod system;
#[cfg(test)]
mod tests;
mod tx;
mod unreadable;
mod upcoming;
mod upkeep;
mod upstream_ends;
mod values;
mod variables;
mod versions;
mod waiting;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::OnceCell;

#[cfg(feature = "testing")]
pub(crate) use self::decode::decode;
#[cfg(any(test, feature = "testing"))]
pub use self::fault_injection::CommitFault;
pub use self::options::{Durability, SqliteOptions};

use self::definitions::Definitions;
use self::inbox::Inbox;
use self::lock::Lock;
use self::open::OpenedStore;
use self::read_bound::ReadBound;
use self::reader::{ReadJob, Reader};
use self::step::WriteStep;
use self::store_file::StoreFile;
use self::sweep::sweep_step;
use self::writer::{Published, Writer};
use super::rules;
use crate::error::{Error, Problem, Result};

/// A storage in one SQLite file. Clones share the same storage.
///
/// Only one process can have the file open at a time. Hard links to the file bypass this
/// protection.
///
/// Dropping the last clone loses no acknowledged write and does not wait.
/// [`System::close`](super::System::close) waits until everything is written.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> floret::Result<()> {
/// use floret::storage::{SqliteStorage, System};
/// # let folder = std::env::temp_dir().join(format!("floret-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// let storage = SqliteStorage::open(folder.join("runs.db")).await?;
/// storage.close().await?;
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SqliteStorage(Arc<Handle>);

/// The state that the clones share. Dropping it ends the threads.
struct Handle {
    steps: Arc<Inbox<Box<dyn WriteStep>>>,
    read_jobs: Arc<Inbox<ReadJob>>,
    published: Arc<Published>,
    file: Arc<StoreFile>,
    /// Whether the store has no writer, because it was opened for reading alone.
    is_read_only: bool,
    /// Whether the store is being closed. It guards no other data, so that any memory ordering
    /// would be correct.
    is_closing: AtomicBool,
    writer: Mutex<Option<JoinHandle<Result<()>>>>,
    readers: Mutex<Vec<JoinHandle<()>>>,
    /// The outcome of closing. Concurrent callers of `close` wait for the same outcome.
    closed: OnceCell<Option<(Problem, String)>>,
}

impl fmt::Debug for SqliteStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStorage").finish_non_exhaustive()
    }
}

impl SqliteStorage {
    /// Opens the store at this path with [`Durability::Full`], or creates it.
    ///
    /// # Errors
    /// After an error, nothing was written.
    ///
    /// - `StoreInUse` while another process has the store open.
    /// - `SchemaTooNew`, `SqliteTooOld` or `NotADatabase`.
    /// - `NotFound` if the folder of the store is missing.
    /// - `Unavailable` if the store cannot be written.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// Opens the store at this path with these options, or creates it.
    ///
    /// # Errors
    /// The same as [`SqliteStorage::open`].
    pub async fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref().to_owned();
        tokio::task::spawn_blocking(move || {
            Self::start_threads(open::open(&path, &options)?, options)
        })
        .await
        .map_err(|error| Error::internal("opening the store was aborted").with_source(error))?
    }

    fn start_threads(opened: OpenedStore, options: SqliteOptions) -> Result<Self> {
        let OpenedStore {
            file,
            mut tx,
            readers,
            lock,
        } = opened;
        let wants_sweep = std::mem::take(&mut tx.wants_sweep);
        let published = Published::new(tx.newest_seq(), Arc::clone(&tx.unreadable));
        let published = Arc::new(published);
        let read_jobs = Arc::new(Inbox::new(options.reads_queued_max));
        let steps = Arc::new(Inbox::new(options.steps_queued_max));
        let handle = Handle {
            steps: Arc::clone(&steps),
            read_jobs: Arc::clone(&read_jobs),
            published: Arc::clone(&published),
            file: Arc::clone(&file),
            is_read_only: false,
            is_closing: AtomicBool::new(false),
            writer: Mutex::new(None),
            readers: Mutex::new(Vec::new()),
            closed: OnceCell::new(),
        };
        handle.start_readers(readers, &lock, options.read_timeout)?;
        let writer = Writer {
            file,
            may_shrink: true,
            restart_log_at: options.log_bytes_max,
            options,
            inbox: steps,
            published,
            tx: Some(tx),
            lock,
        };
        *handle.writer.lock() = Some(spawn("floret-writer", move || writer.run())?);
        if wants_sweep {
            let first = sweep_step(Arc::clone(&handle.steps));
            handle.steps.push_background(first);
        }
        Ok(Self(Arc::new(handle)))
    }

    /// Ends the writer, then the readers.
    async fn shut_down(&self) -> Result<()> {
        let outcome = self.0.closed.get_or_init(|| async {
            let handle = Arc::clone(&self.0);
            let join = move || {
                let outcome = handle.join_threads();
                handle.published.finished_changes.close();
                outcome
            };
            let joined = tokio::task::spawn_blocking(join).await;
            let error = joined.unwrap_or_else(|_| Err(unclean_close())).err()?;
            Some((error.problem(), error.to_string()))
        });
        outcome.await.as_ref().map_or(Ok(()), |(problem, message)| {
            Err(Error::new(*problem, message.clone()))
        })
    }
}

impl Handle {
    /// Starts a thread for each of these connections, which read until the store is closed.
    fn start_readers(
        &self,
        readers: Vec<Connection>,
        lock: &Arc<Lock>,
        read_timeout: Duration,
    ) -> Result<()> {
        let definitions = Arc::new(Definitions::default());
        for mut conn in readers {
            let reader = Reader {
                bound: ReadBound::of_connection(&mut conn, read_timeout)?,
                conn,
                definitions: Arc::clone(&definitions),
                unreadable: Arc::clone(&self.published.unreadable),
            };
            let (inbox, lock) = (Arc::clone(&self.read_jobs), Arc::clone(lock));
            let thread = spawn("floret-reader", move || reader.run(&inbox, lock))?;
            self.readers.lock().push(thread);
        }
        Ok(())
    }

    fn join_threads(&self) -> Result<()> {
        self.is_closing.store(true, Ordering::Release);
        self.steps.close();
        let writer = self.writer.lock().take();
        let outcome = writer.map_or(Ok(()), |thread| {
            thread.join().unwrap_or_else(|_| Err(unclean_close()))
        });
        self.read_jobs.close();
        for thread in self.readers.lock().drain(..) {
            thread.join().map_err(|_| unclean_close())?;
        }
        outcome
    }
}

impl Drop for Handle {
    // No join: each thread ends by itself once its inbox is closed and empty.
    fn drop(&mut self) {
        self.steps.close();
        self.read_jobs.close();
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| Error::unavailable("a thread cannot be started").with_source(error))
}

/// The error of a step that a panic dropped, perhaps after its commit.
fn step_dropped() -> Error {
    Error::unavailable("the store failed, and whether the change was made is unknown")
}

fn unclean_close() -> Error {
    Error::internal("the store was not closed cleanly")
}
