//! The Floret of a case: its backend, its limits, and nodes that do nothing or wait at a gate.

use std::sync::Arc;

use floret::executor::{Ctx, ExecutorError};
use floret::storage::{MemoryStorage, SqliteStorage};
use floret::{Builder, Floret, Limits, Pipeline, RunStatus};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The storage of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Backend {
    Sqlite,
    Memory,
}

pub(crate) const BACKENDS: [Backend; 2] = [Backend::Sqlite, Backend::Memory];

impl Backend {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Memory => "memory",
        }
    }
}

/// A Floret and what its nodes share.
pub(crate) struct Engine {
    pub(crate) floret: Floret,
    pub(crate) gate: Arc<Gate>,
    _folder: TempDir,
}

/// Where the nodes of the type `held` wait.
pub(crate) struct Gate {
    /// One permit for each node that waits.
    arrived: Semaphore,
    open: Semaphore,
}

impl Gate {
    /// Waits until this many nodes execute.
    pub(crate) async fn arrived(&self, count: u32) {
        self.arrived.acquire_many(count).await.unwrap().forget();
    }

    /// Lets all nodes finish.
    pub(crate) fn open(&self) {
        self.open.close();
    }

    async fn pass(&self) {
        self.arrived.add_permits(1);
        // It is closed, once it is open.
        assert!(self.open.acquire().await.is_err());
    }
}

impl Engine {
    pub(crate) async fn start(backend: Backend, limits: Limits, pipelines: Vec<Pipeline>) -> Self {
        // The folder of the program is on a disk.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let builder = match backend {
            Backend::Memory => Floret::builder(MemoryStorage::default()),
            Backend::Sqlite => {
                let path = folder.path().join("floret.db");
                Floret::builder(SqliteStorage::open(path).await.unwrap())
            }
        };
        let gate = Arc::new(Gate {
            arrived: Semaphore::new(0),
            open: Semaphore::new(0),
        });
        let held = Arc::clone(&gate);
        let builder = builder
            .limits(limits)
            .node("nothing", async |_: Ctx| Ok::<_, ExecutorError>(()))
            .node("held", move |_: Ctx| {
                let gate = Arc::clone(&held);
                async move {
                    gate.pass().await;
                    Ok::<_, ExecutorError>(())
                }
            });
        let builder = pipelines.into_iter().fold(builder, Builder::pipeline);
        Self {
            floret: builder.start().await.unwrap(),
            gate,
            _folder: folder,
        }
    }

    /// Triggers `count` runs of the pipeline from 64 tasks.
    pub(crate) async fn trigger(&self, pipeline: &'static str, count: u32) {
        self.spread(count, move |floret| async move {
            floret.run(pipeline).start().await.unwrap();
        })
        .await;
    }

    /// Executes `count` runs of the pipeline, 64 at a time.
    pub(crate) async fn execute(&self, pipeline: &'static str, count: u32) {
        self.spread(count, move |floret| async move {
            let run = floret.run(pipeline).start().await.unwrap();
            let detail = run.finished().await.unwrap();
            assert_eq!(detail.run.status, RunStatus::Success);
        })
        .await;
    }

    async fn spread<F>(&self, count: u32, work: impl Fn(Floret) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        const WIDTH: usize = 64;
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            if tasks.len() == WIDTH {
                tasks.join_next().await.unwrap().unwrap();
            }
            tasks.spawn(work(self.floret.clone()));
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    }
}
