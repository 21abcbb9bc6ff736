//! A store with many finished runs, which is made once and used again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use floret::storage::{
    Append, Claim, CreateRuns, Durability, Entry, FinishedNode, Journal, NewRun, OwnerId,
    Pipelines, PutPipeline, Queue, Runs, SlugChoice, SqliteOptions, SqliteStorage, System,
};
use floret::{NodeStatus, Pipeline, PipelineId, Run, RunId, RunStatus, Slug, Trigger};
use tokio::task::JoinSet;
use uuid::Uuid;

/// The runs are spread over this many days.
pub(crate) const DAYS: u64 = 90;

/// So many runs are created one after the other, and then end at one time.
pub(crate) const GROUP: u64 = 4_096;

/// The time of the newest run.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-06-30T12:00:00Z".parse().unwrap()
}

/// A store that is closed.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) path: PathBuf,
    pub(crate) runs: u64,
    pub(crate) pipelines: u64,
}

impl Store {
    /// Makes a store, or returns the one that an earlier program has made.
    pub(crate) async fn make(runs: u64, pipelines: u64) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("million");
        let folder = folder.join(format!("{runs}-{pipelines}"));
        let store = Self {
            path: folder.join("runs.db"),
            runs,
            pipelines,
        };
        let whole = folder.join("whole");
        if !whole.exists() {
            if folder.exists() {
                std::fs::remove_dir_all(&folder).unwrap();
            }
            std::fs::create_dir_all(&folder).unwrap();
            store.fill().await;
            std::fs::write(whole, "").unwrap();
        }
        store
    }

    pub(crate) async fn open(&self) -> SqliteStorage {
        let options = SqliteOptions::default().durability(Durability::Normal);
        SqliteStorage::open_with(&self.path, options).await.unwrap()
    }

    async fn fill(&self) {
        let begin = std::time::Instant::now();
        let storage = self.open().await;
        for pipeline in 0..self.pipelines {
            save(&storage, pipeline).await;
        }
        let mut created = 0;
        while created < self.runs {
            let count = (self.runs - created).min(GROUP);
            self.create(&storage, created..created + count).await;
            created += count;
            finish_all(&storage, self.created_at(created - 1)).await;
            if created % 102_400 < GROUP {
                println!("{created} of {} runs are made", self.runs);
            }
        }
        storage.close().await.unwrap();
        println!("made in {} s\n", begin.elapsed().as_secs());
    }

    /// Creates runs one by one, as triggers do, from 64 tasks.
    async fn create(&self, storage: &SqliteStorage, numbers: std::ops::Range<u64>) {
        let mut tasks = JoinSet::new();
        for task in 0..64 {
            let runs: Vec<_> = numbers
                .clone()
                .filter(|number| number % 64 == task)
                .map(|number| self.run(number))
                .collect();
            let storage = storage.clone();
            tasks.spawn(async move {
                for run in runs {
                    let create = CreateRuns::new(vec![NewRun::new(run)]);
                    storage.create_runs(create).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
    }

    /// Returns when a run is created. The last one is created now.
    fn created_at(&self, number: u64) -> DateTime<Utc> {
        let span = DAYS * 86_400_000;
        let age = span - span * (number + 1) / self.runs;
        now() - TimeDelta::milliseconds(i64::try_from(age).unwrap())
    }

    fn run(&self, number: u64) -> Run {
        let created_at = self.created_at(number);
        let pipeline = pipeline_id(number % self.pipelines);
        let date = created_at.date_naive();
        let id = run_id(created_at, number);
        let mut run = Run::new(id, pipeline, 1, Trigger::Schedule, date, created_at);
        run.params.insert("date", date.to_string());
        run
    }
}

pub(crate) fn pipeline_id(number: u64) -> PipelineId {
    PipelineId::new(format!("pipeline-{number}")).unwrap()
}

/// Returns an id that grows with time.
fn run_id(at: DateTime<Utc>, number: u64) -> RunId {
    let millis = u64::try_from(at.timestamp_millis()).unwrap();
    let (high, low) = (millis << 16 | 0x7000, 1 << 63 | number);
    RunId::from_uuid(Uuid::from_u64_pair(high, low))
}

async fn save(storage: &SqliteStorage, number: u64) {
    let id = pipeline_id(number);
    let mut definition = Pipeline::new(id.as_str()).node("only", "nothing");
    definition.name = format!("Der Übertrag Nr. {number}");
    let slug = SlugChoice::Derived(Slug::new(id.as_str()).unwrap());
    let put = PutPipeline::new(id, slug, Arc::new(definition), now() - TimeDelta::days(100));
    storage.put_pipeline(put).await.unwrap();
}

/// Executes all pending runs at one time.
async fn finish_all(storage: &SqliteStorage, at: DateTime<Utc>) {
    let owner = OwnerId::from_uuid(Uuid::from_u64_pair(1, 1));
    loop {
        let mut claim = Claim::new(owner, 256, at);
        claim.runs_max = 256;
        let claimed = storage.claim(claim).await.unwrap().claimed;
        if claimed.is_empty() {
            return;
        }
        let mut tasks = JoinSet::new();
        for claimed in claimed {
            let storage = storage.clone();
            tasks.spawn(async move {
                // Some runs fail.
                let is_failed = claimed.run.id.as_uuid().as_u64_pair().1 % 50 == 0;
                let append = Append::new(claimed.run.id, claimed.epoch, 0, entries(is_failed, at));
                storage.append(append).await.unwrap();
            });
        }
        tasks.join_all().await;
    }
}

/// Returns what the only node of a run and its end write.
fn entries(is_failed: bool, at: DateTime<Utc>) -> Vec<Entry> {
    let (node, run) = match is_failed {
        false => (NodeStatus::Success, RunStatus::Success),
        true => (NodeStatus::Failed, RunStatus::Failed),
    };
    let error = is_failed.then(|| "it was made to fail".to_owned());
    let mut finished = FinishedNode::new(0, node, at);
    (finished.attempt, finished.duration_ms) = (Some(1), Some(3));
    finished.error.clone_from(&error);
    vec![
        Entry::NodeStarted {
            node_index: 0,
            attempt: 1,
            queue_ms: 1,
            at,
        },
        Entry::NodeFinished(Box::new(finished)),
        Entry::RunFinished {
            status: run,
            error,
            at,
        },
    ]
}
