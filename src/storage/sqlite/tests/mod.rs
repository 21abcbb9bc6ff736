//! Tests of the SQLite storage alone, and its run of the storage contract.
//!
//! Each file covers one kind of trouble. This file has the helpers.

mod backfill_params;
mod backups;
mod bounded_reads;
#[cfg(unix)]
mod child;
mod commits;
mod damaged_rows;
#[cfg(all(unix, feature = "nodes"))]
mod disk;
mod dropped_callers;
mod due_runs;
mod durable;
#[cfg(unix)]
mod files;
mod first_version;
mod held_runs;
mod migrating;
mod opening;
mod outages;
mod periods;
mod plans;
mod read_only;
mod reopening;
mod searching;
mod second_version;
mod shared_names;
mod statement_counts;
mod sweeping;
#[cfg(target_os = "linux")]
mod syncs;
mod threads;
mod upkeep;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::inbox::InboxPriority;
use super::step::{StepFn, StepKind};
use super::store_error::StoreError;
use super::tx::Tx;
use super::*;
use crate::error::ErrorKind;
use crate::model::{OwnerId, Pipeline, PipelineId, Run, RunId, RunStatus, Scope, Slug, Trigger};
use crate::storage::{
    Append, AppendOutcome, Claim, ClaimOutcome, CreateRuns, CreatedRuns, Entry, EventFilter,
    Events, Journal, NewRun, Pipelines, PutPipeline, Queue, Runs, SlugChoice, System,
};
use crate::testing::{Scratch, scratch};

crate::storage_contract!(async |dir: &Path| open(dir).await);
crate::handles_contract!(async |dir: &Path| open(dir).await);

/// Takes back what the versions after 8 add to a store.
const TO_VERSION_8: &str = "
DROP TABLE audit;
DELETE FROM meta WHERE name = 'trimmed_audit';
DROP TABLE dependencies;
DROP TABLE latest_ends;
DROP TABLE waiting_ends;
DROP TABLE answerable;
DROP INDEX runs_of_upstream;
ALTER TABLE runs DROP COLUMN upstream_run;
ALTER TABLE definitions DROP COLUMN saved_at;
ALTER TABLE pipelines DROP COLUMN first_version;
DROP TABLE labels;
ALTER TABLE node_runs DROP COLUMN branch;
ALTER TABLE pipelines DROP COLUMN paused_at;
ALTER TABLE pipelines DROP COLUMN paused_by;
ALTER TABLE pipelines DROP COLUMN pause_reason;
ALTER TABLE pipelines DROP COLUMN webhook_token;
ALTER TABLE pipelines DROP COLUMN webhook_token_by_code;
ALTER TABLE backfills DROP COLUMN rerun_of;
DROP INDEX runs_of_key;
ALTER TABLE runs DROP COLUMN concurrency_key;
ALTER TABLE runs DROP COLUMN concurrency_max;
ALTER TABLE runs DROP COLUMN scheduled_at;
ALTER TABLE backfills DROP COLUMN unit;
ALTER TABLE backfills DROP COLUMN is_stopped;
ALTER TABLE backfills DROP COLUMN paused_at;
ALTER TABLE backfills DROP COLUMN paused_by;
ALTER TABLE backfills DROP COLUMN pause_reason;
ALTER TABLE parked DROP COLUMN error;
ALTER TABLE runs DROP COLUMN traceparent;
DROP INDEX runs_delayed;
ALTER TABLE runs DROP COLUMN run_after;
DROP INDEX runs_of_rerun;
ALTER TABLE runs DROP COLUMN rerun_of;
ALTER TABLE runs DROP COLUMN labels;
ALTER TABLE runs DROP COLUMN note;
ALTER TABLE runs DROP COLUMN cancel_by;
ALTER TABLE runs DROP COLUMN cancel_reason;
ALTER TABLE runs DROP COLUMN cancel_at;
PRAGMA user_version = 8;";

async fn open(dir: &Path) -> SqliteStorage {
    open_file(&dir.join("runs.db")).await
}

async fn open_file(file: &Path) -> SqliteStorage {
    SqliteStorage::open(file).await.unwrap()
}

/// Returns a fixed time plus this number of seconds.
fn at(seconds: i64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2024-01-15T06:00:00Z".parse().unwrap();
    start + TimeDelta::seconds(seconds)
}

fn run_id(n: u64) -> RunId {
    RunId::from_uuid(Uuid::from_u64_pair(n << 16 | 0x7000, 1 << 63))
}

fn owner(n: u64) -> OwnerId {
    OwnerId::from_uuid(Uuid::from_u64_pair(n << 16 | 0x7000, 1 << 63))
}

fn new_run(n: u64) -> Run {
    let id = PipelineId::new("daily").unwrap();
    let at = at(0);
    Run::new(run_id(n), id, 1, Trigger::Manual, at.date_naive(), at)
}

fn create(n: u64) -> CreateRuns {
    CreateRuns::new(vec![NewRun::new(new_run(n))])
}

/// Opens a store with the pipeline `daily`, whose nodes are `load` and `save`.
async fn store() -> (Scratch, SqliteStorage) {
    store_with(SqliteOptions::default()).await
}

async fn store_with(options: SqliteOptions) -> (Scratch, SqliteStorage) {
    let dir = scratch();
    let path = dir.path().join("runs.db");
    let storage = SqliteStorage::open_with(path, options).await.unwrap();
    let definition = Pipeline::new("daily").node("load", "load");
    let definition = Arc::new(definition.node("save", "save").after("load"));
    let slug = SlugChoice::Derived(Slug::new("daily").unwrap());
    let put = PutPipeline::new(PipelineId::new("daily").unwrap(), slug, definition, at(0));
    storage.put_pipeline(put).await.unwrap();
    (dir, storage)
}

async fn claim(storage: &SqliteStorage, who: u64, count: u32) -> ClaimOutcome {
    let claim = Claim::new(owner(who), count, at(1));
    storage.claim(claim).await.unwrap()
}

async fn append(
    storage: &SqliteStorage,
    n: u64,
    (epoch, position): (u64, u64),
    entries: Vec<Entry>,
) -> Result<AppendOutcome> {
    let append = Append::new(run_id(n), epoch, position, entries);
    storage.append(append).await
}

fn started(node_index: u16) -> Entry {
    Entry::NodeStarted {
        node_index,
        attempt: 1,
        queue_ms: 3,
        at: at(2),
    }
}

async fn status(storage: &SqliteStorage, n: u64) -> Option<RunStatus> {
    let found = storage.find_run(run_id(n), &Scope::All).await.unwrap();
    found.map(|found| found.run.status)
}

async fn event_count(storage: &SqliteStorage) -> usize {
    let events = storage.events(EventFilter::default(), 0, 1_000).await;
    events.unwrap().events.len()
}

/// Keeps the writer between two groups until its release. Steps sent meanwhile become one group.
struct Busy {
    release: mpsc::Sender<()>,
    done: oneshot::Receiver<()>,
}

impl Busy {
    async fn new(storage: &SqliteStorage) -> Self {
        let (release, wait) = mpsc::channel::<()>();
        let (signal, is_busy) = oneshot::channel();
        let (resume, done) = oneshot::channel();
        // In the answer: a step that waits would take later ones into its own group.
        let answer = move |answered: Result<()>| {
            answered.unwrap();
            signal.send(()).unwrap();
            wait.recv().unwrap();
            resume.send(()).unwrap();
        };
        let step = StepFn::boxed(StepKind::Ordinary, |_: &mut Tx| Ok(()), answer);
        storage.send(InboxPriority::Normal, step).await.unwrap();
        is_busy.await.unwrap();
        Self { release, done }
    }

    async fn release(self) {
        self.release.send(()).unwrap();
        self.done.await.unwrap();
    }
}

/// Closes a store and asserts that its file is sound.
async fn assert_intact(dir: &Scratch, storage: SqliteStorage) {
    storage.close().await.unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    let found: String = shell
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, "ok");
}
