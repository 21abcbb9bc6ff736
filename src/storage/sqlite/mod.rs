//! A durable storage in one SQLite file.
//!
//! One thread writes and commits in groups, a few threads read; an async method sends them what to
//! do and waits for the answer. What is decided alike by every backend stands in `rules`.

mod backfills;
mod body;
mod cancel;
mod claim;
mod connections;
mod create;
#[cfg(feature = "testing")]
mod decode;
mod definitions;
mod deliveries;
mod drive;
mod ends;
mod events;
mod fault;
mod figures;
mod file;
#[cfg(any(test, feature = "testing"))]
mod hooks;
mod inbox;
mod journal;
mod keys;
mod lanes;
mod lock;
mod nodes;
mod open;
mod open_backfills;
mod options;
mod outputs;
mod pages;
mod payloads;
mod pipelines;
mod poison;
mod prepared;
mod purge;
mod put;
mod query;
mod queue;
mod reader;
mod rows;
mod run_list;
mod runs;
mod schedules;
mod schema;
mod settings;
mod settlement;
mod state;
mod step;
mod system;
#[cfg(test)]
mod tests;
mod tx;
mod values;
mod variables;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::{OnceCell, oneshot};

#[cfg(feature = "testing")]
pub(crate) use self::decode::decode;
#[cfg(any(test, feature = "testing"))]
pub use self::hooks::CommitFault;
pub use self::options::{Durability, SqliteOptions};

use self::definitions::Definitions;
use self::fault::Fault;
use self::file::Watched;
use self::inbox::{Inbox, Lane};
use self::open::Opened;
use self::reader::{Question, Reader};
use self::step::{Job, Step};
use self::tx::Tx;
use self::writer::{Published, Writer};
use super::rules;
use crate::error::{Error, Problem, Result};

/// A storage in one SQLite file. Clones are the same storage.
///
/// One process has a file open at a time. Dropping it loses nothing that was acknowledged and does
/// not wait; [`System::close`](super::System::close) waits until all is written. Hard links to the
/// file are not protected.
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

/// What the clones share; the threads end when it is dropped.
struct Handle {
    steps: Arc<Inbox<Box<dyn Step>>>,
    questions: Arc<Inbox<Question>>,
    published: Arc<Published>,
    writer: Mutex<Option<JoinHandle<Result<()>>>>,
    readers: Mutex<Vec<JoinHandle<()>>>,
    /// Set once the store was closed; whoever closes it meanwhile waits for the same end.
    closed: OnceCell<Option<(Problem, String)>>,
}

impl fmt::Debug for SqliteStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStorage").finish_non_exhaustive()
    }
}

impl SqliteStorage {
    /// Opens the store at this path, or makes one, with [`Durability::Full`].
    ///
    /// # Errors
    /// `StoreInUse` while another process has it open; `SchemaTooNew`, `SqliteTooOld`,
    /// `NotADatabase`; `NotFound` when its folder is missing; `Unavailable` when it cannot be
    /// written. Nothing was written then.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// Opens the store at this path, or makes one.
    ///
    /// # Errors
    /// As [`SqliteStorage::open`].
    pub async fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref().to_owned();
        tokio::task::spawn_blocking(move || Self::start(open::open(&path, &options)?, options))
            .await
            .map_err(|error| Error::internal("opening the store ended early").with_source(error))?
    }

    fn start(opened: Opened, options: SqliteOptions) -> Result<Self> {
        let Opened {
            path,
            tx,
            readers,
            lock,
        } = opened;
        let published = Arc::new(Published {
            newest_seq: AtomicU64::new(tx.newest_seq()),
            #[cfg(any(test, feature = "testing"))]
            hooks: hooks::Hooks::default(),
        });
        let questions = Arc::new(Inbox::new(options.reads_queued_max));
        let definitions = Arc::new(Definitions::default());
        let steps = Arc::new(Inbox::new(options.steps_queued_max));
        let handle = Handle {
            steps: Arc::clone(&steps),
            questions: Arc::clone(&questions),
            published: Arc::clone(&published),
            writer: Mutex::new(None),
            readers: Mutex::new(Vec::new()),
            closed: OnceCell::new(),
        };
        for conn in readers {
            let reader = Reader {
                conn,
                definitions: Arc::clone(&definitions),
            };
            let (inbox, lock) = (Arc::clone(&questions), Arc::clone(&lock));
            let thread = spawn("floret-reader", move || reader.run(&inbox, lock))?;
            handle.readers.lock().push(thread);
        }
        let writer = Writer {
            file: Watched::new(path),
            options,
            inbox: steps,
            published,
            tx: Some(tx),
            lock,
        };
        *handle.writer.lock() = Some(spawn("floret-writer", move || writer.run())?);
        Ok(Self(Arc::new(handle)))
    }

    /// Has the writer do a step and answers once it is durable.
    async fn step<T: Send + 'static>(
        &self,
        lane: Lane,
        act: impl FnMut(&mut Tx) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        // Whoever asked may have gone; the step is done all the same.
        let step = Job::boxed(act, move |outcome| drop(sender.send(outcome)));
        self.send(lane, step).await?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    async fn send(&self, lane: Lane, step: Box<dyn Step>) -> Result<()> {
        if self.0.steps.push(lane, step).await {
            Ok(())
        } else {
            Err(rules::shutting_down())
        }
    }

    /// Has a reader answer a question.
    async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        let question: Question = Box::new(move |reader| {
            if !sender.is_closed() {
                drop(sender.send(ask(reader)));
            }
        });
        if !self.0.questions.push(Lane::Normal, question).await {
            return Err(rules::shutting_down());
        }
        match answer.await {
            Ok(outcome) => outcome.map_err(Error::from),
            Err(_) => Err(ended()),
        }
    }

    /// The number of the newest event that is durable.
    fn newest(&self) -> u64 {
        self.0
            .published
            .newest_seq
            .load(std::sync::atomic::Ordering::Acquire)
    }

    /// Ends the threads in order: first what writes, then what reads.
    async fn end(&self) -> Result<()> {
        let end = self.0.closed.get_or_init(|| async {
            let handle = Arc::clone(&self.0);
            let ended = tokio::task::spawn_blocking(move || handle.end()).await;
            let error = ended.unwrap_or_else(|_| Err(ended_badly())).err()?;
            Some((error.problem(), error.to_string()))
        });
        end.await.as_ref().map_or(Ok(()), |(problem, message)| {
            Err(Error::new(*problem, message.clone()))
        })
    }
}

impl Handle {
    fn end(&self) -> Result<()> {
        self.steps.close();
        let writer = self.writer.lock().take();
        let outcome = writer.map_or(Ok(()), |thread| {
            thread.join().unwrap_or_else(|_| Err(ended_badly()))
        });
        self.questions.close();
        for thread in self.readers.lock().drain(..) {
            thread.join().map_err(|_| ended_badly())?;
        }
        outcome
    }
}

impl Drop for Handle {
    // The threads are not joined: they end by themselves once they have done what waits.
    fn drop(&mut self) {
        self.steps.close();
        self.questions.close();
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| Error::unavailable("no thread can be started").with_source(error))
}

fn ended() -> Error {
    Error::internal("the thread of the store has ended")
}

fn ended_badly() -> Error {
    Error::internal("the store was not closed in order")
}
