//! What the cases are made of: a pipeline of three nodes, runs with telling ids and times, a driver
//! that appends.
//!
//! What is expected of them stands in the cases.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub(crate) use super::made_backfills::{backfill_id, backfills, new_backfill};
pub(crate) use super::snapshot::snapshot;
use crate::error::{ErrorKind, Problem, Result};
use crate::model::{
    Event, Level, Node, NodeId, NodeIndex, NodeRun, NodeStatus, OwnerId, PageRequest, Pipeline,
    PipelineId, Run, RunId, RunStatus, Scope, Slug, StoredPipeline, TenantId, Trigger,
};
use crate::storage::{
    Append, AppendOutcome, Claim, ClaimedRun, CreateRuns, CreatedRuns, Entry, EventFilter,
    FiguresFilter, FinishedNode, HeldRun, IdempotencyKey, IdempotentOperation, NewRun, OutputChunk,
    OutputRef, Purge, PutPipeline, RunDetail, RunFilter, SlugChoice, Storage,
};

/// So many seconds after 2024-01-15T06:00:00Z.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2024-01-15T06:00:00Z".parse().unwrap();
    start + TimeDelta::seconds(seconds)
}

/// The id of run `n`; greater ones for greater numbers.
pub(crate) fn run_id(n: u64) -> RunId {
    RunId::from_uuid(Uuid::from_u64_pair(
        (0x018d_0000_0000 + n) << 16 | 0x7000,
        1 << 63,
    ))
}

pub(crate) fn owner(n: u64) -> OwnerId {
    OwnerId::from_uuid(Uuid::from_u64_pair(
        (0x018e_0000_0000 + n) << 16 | 0x7000,
        1 << 63,
    ))
}

pub(crate) fn pipeline_id(text: &str) -> PipelineId {
    PipelineId::new(text).unwrap()
}

pub(crate) fn node_id(text: &str) -> NodeId {
    NodeId::new(text).unwrap()
}

pub(crate) fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

pub(crate) fn scope(tenant: &str) -> Scope {
    Scope::Tenant(TenantId::new(tenant).unwrap())
}

/// `load` at place 0, then `sum` at 1, then `save` at 2.
pub(crate) fn definition(id: &str) -> Pipeline {
    let nodes = Pipeline::new(id).node("load", "load");
    let nodes = nodes.node("sum", "sum").after("load");
    nodes.with(Node::new("save", "save")).after("sum")
}

/// A save of [`definition`] with its id as the base of its slug, at second 0.
pub(crate) fn put(id: &str) -> PutPipeline {
    let choice = SlugChoice::Derived(slug(id));
    PutPipeline::new(pipeline_id(id), choice, Arc::new(definition(id)), at(0))
}

pub(crate) async fn save(storage: &dyn Storage, id: &str) -> StoredPipeline {
    storage.put_pipeline(put(id)).await.unwrap()
}

/// The same, made by a tenant.
pub(crate) async fn save_for(storage: &dyn Storage, id: &str, tenant: &str) -> StoredPipeline {
    let mut put = put(id);
    put.scope = scope(tenant);
    storage.put_pipeline(put).await.unwrap()
}

/// Run `n` of a pipeline, created at second `n`.
pub(crate) fn new_run(n: u64, pipeline: &str) -> Run {
    let created_at = at(i64::try_from(n).unwrap());
    let (id, pipeline) = (run_id(n), pipeline_id(pipeline));
    let date = created_at.date_naive();
    Run::new(id, pipeline, 1, Trigger::Manual, date, created_at)
}

pub(crate) async fn create(storage: &dyn Storage, run: Run) -> Result<CreatedRuns> {
    let create = CreateRuns::new(vec![NewRun::new(run)]);
    storage.create_runs(create).await
}

/// A creation of run `n` of `daily` with a key; `body` stands for the hash of the body.
pub(crate) fn with_key(n: u64, key: &str, body: u8) -> CreateRuns {
    let operation = IdempotentOperation::Run(pipeline_id("daily"));
    let mut create = CreateRuns::new(vec![NewRun::new(new_run(n, "daily"))]);
    create.idempotency = Some(IdempotencyKey::new(operation, key, [body; 32]));
    create
}

/// Run `n` of `daily`, pending.
pub(crate) async fn pending(storage: &dyn Storage, n: u64) -> RunId {
    save(storage, "daily").await;
    create(storage, new_run(n, "daily")).await.unwrap();
    run_id(n)
}

/// A claim of whatever there is, by owner `n` at that second; the lease is one minute.
pub(crate) fn claim(n: u64, seconds: i64) -> Claim {
    let mut claim = Claim::new(owner(n), 100, at(seconds));
    claim.runs_max = 1_000;
    claim
}

/// The ids that a claim gave, in order.
pub(crate) async fn claimed_ids(storage: &dyn Storage, claim: Claim) -> Vec<RunId> {
    let claims = storage.claim(claim).await.unwrap();
    claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect()
}

/// What a claim of one run gave, which must be this one.
pub(crate) async fn claim_one(storage: &dyn Storage, mut claim: Claim, run: RunId) -> ClaimedRun {
    claim.count_max = 1;
    let mut claims = storage.claim(claim).await.unwrap();
    let claimed = claims.claimed.pop().unwrap();
    assert_eq!(claimed.run.id, run);
    claimed
}

/// Appends to a claimed run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Driver {
    pub(crate) run: RunId,
    pub(crate) epoch: u64,
    pub(crate) position: u64,
}

impl Driver {
    pub(crate) const fn of(claimed: &ClaimedRun) -> Self {
        Self {
            run: claimed.run.id,
            epoch: claimed.epoch,
            position: claimed.position,
        }
    }

    pub(crate) const fn held(&self) -> HeldRun {
        HeldRun::new(self.run, self.epoch)
    }

    /// The append of these entries as they come next.
    pub(crate) fn next(&self, entries: impl Into<Vec<Entry>>) -> Append {
        Append::new(self.run, self.epoch, self.position, entries.into())
    }

    pub(crate) async fn append(
        &mut self,
        storage: &dyn Storage,
        entries: impl Into<Vec<Entry>>,
    ) -> AppendOutcome {
        let append = self.next(entries);
        let count = append.entries.len() as u64;
        let appended = storage.append(append).await.unwrap();
        self.position += count;
        appended
    }

    /// Writes an output's chunks and gives what the node's end says of it.
    pub(crate) async fn put_chunks(
        &self,
        storage: &dyn Storage,
        node_index: NodeIndex,
        chunks: &[&'static [u8]],
    ) -> OutputRef {
        for (index, chunk) in (0..).zip(chunks) {
            let bytes = (*chunk).into();
            let chunk = OutputChunk::new(self.run, self.epoch, node_index, index, bytes);
            storage.put_output_chunk(chunk).await.unwrap();
        }
        output_ref(chunks)
    }

    /// Brings a node to success with an output of one chunk.
    pub(crate) async fn succeed(
        &mut self,
        storage: &dyn Storage,
        node_index: NodeIndex,
        bytes: &'static [u8],
    ) {
        let output = self.put_chunks(storage, node_index, &[bytes]).await;
        let entries = [started(node_index, 1), with_output(node_index, output)];
        self.append(storage, entries).await;
    }
}

/// Run `n` of `daily`, claimed by owner 1 at second 10; nothing older may wait.
pub(crate) async fn running(storage: &dyn Storage, n: u64) -> Driver {
    let run = pending(storage, n).await;
    Driver::of(&claim_one(storage, claim(1, 10), run).await)
}

/// Run `n` of `daily`, ended at second 1,000 + `n`.
pub(crate) async fn ended(storage: &dyn Storage, n: u64, status: RunStatus) -> RunId {
    let mut driver = running(storage, n).await;
    driver.append(storage, [end_of(n, status)]).await;
    driver.run
}

/// The end of run `n`, at second 1,000 + `n`.
pub(crate) fn end_of(n: u64, status: RunStatus) -> Entry {
    let error = (status == RunStatus::Failed).then(|| "no disk".to_owned());
    let at = at(1_000 + i64::try_from(n).unwrap());
    Entry::RunFinished { status, error, at }
}

/// A resume of an old run as run `n`.
pub(crate) fn resume(n: u64, old: RunId, first: RunId) -> Run {
    let mut run = new_run(n, "daily");
    run.trigger = Trigger::Resume;
    run.resumed_from = Some(old);
    run.first_run = first;
    run
}

pub(crate) fn started(node_index: NodeIndex, attempt: u32) -> Entry {
    Entry::NodeStarted {
        node_index,
        attempt,
        queue_ms: 5,
        at: at(20),
    }
}

pub(crate) fn retrying(node_index: NodeIndex, attempt: u32) -> Entry {
    Entry::NodeRetrying {
        node_index,
        attempt,
        error: "try later".to_owned(),
        delay_ms: 1_500,
        at: at(30),
    }
}

pub(crate) fn finished(node_index: NodeIndex, status: NodeStatus) -> Entry {
    let mut end = FinishedNode::new(node_index, status, at(40));
    end.attempt = Some(1);
    Entry::NodeFinished(Box::new(end))
}

pub(crate) fn with_output(node_index: NodeIndex, output: OutputRef) -> Entry {
    let mut end = FinishedNode::new(node_index, NodeStatus::Success, at(40));
    end.attempt = Some(1);
    end.has_dataset = true;
    end.output = Some(output);
    Entry::NodeFinished(Box::new(end))
}

/// A node that is skipped since `from` executed it.
pub(crate) fn reused(node_index: NodeIndex, from: RunId) -> Entry {
    let mut end = FinishedNode::new(node_index, NodeStatus::Skipped, at(40));
    end.reused_from = Some(from);
    Entry::NodeFinished(Box::new(end))
}

pub(crate) fn line(node_index: Option<NodeIndex>, message: &str) -> Entry {
    Entry::Log {
        node_index,
        attempt: node_index.map(|_| 1),
        level: Level::Warning,
        message: message.to_owned(),
        at: at(35),
    }
}

pub(crate) fn output_ref(chunks: &[&[u8]]) -> OutputRef {
    let bytes = chunks.concat();
    let count = u32::try_from(chunks.len()).unwrap();
    OutputRef::new(hash(&bytes), bytes.len() as u64, count)
}

pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) async fn found(storage: &dyn Storage, run: RunId) -> RunDetail {
    storage.find_run(run, &Scope::All).await.unwrap().unwrap()
}

/// The row of a node that has one.
pub(crate) async fn node(storage: &dyn Storage, run: RunId, node_index: NodeIndex) -> NodeRun {
    let mut nodes = found(storage, run).await.nodes.into_iter();
    nodes.find(|node| node.node_index == node_index).unwrap()
}

/// The bytes of a node's kept output.
pub(crate) async fn output(
    storage: &dyn Storage,
    run: RunId,
    node_index: NodeIndex,
) -> Option<Vec<u8>> {
    let output = storage
        .find_output(run, node_index, &Scope::All)
        .await
        .unwrap();
    output.map(|output| output.bytes)
}

pub(crate) async fn all_events(storage: &dyn Storage) -> Vec<Event> {
    storage
        .events(EventFilter::default(), 0, 10_000)
        .await
        .unwrap()
}

pub(crate) async fn events_of(storage: &dyn Storage, run: RunId) -> Vec<Event> {
    let filter = EventFilter {
        run: Some(run),
        ..EventFilter::default()
    };
    storage.events(filter, 0, 10_000).await.unwrap()
}

pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The figures of the year in which the cases happen.
pub(crate) fn of_the_year() -> FiguresFilter {
    FiguresFilter::new(date("2024-01-01"), date("2024-12-31"))
}

/// Deletes every finished run.
pub(crate) async fn purge_all(storage: &dyn Storage) -> u64 {
    let purge = Purge::new(at(1_000_000), 1_000);
    storage.purge(purge).await.unwrap().deleted
}

/// The ids of the newest runs that a filter lets through.
pub(crate) async fn listed(storage: &dyn Storage, filter: RunFilter) -> Vec<RunId> {
    let page = PageRequest::Newest { limit: 100 };
    let page = storage.list_runs(filter, page).await.unwrap();
    page.items.iter().map(|run| run.id).collect()
}

/// The call was refused with this kind.
#[track_caller]
pub(crate) fn refused<T: Debug>(result: Result<T>, kind: ErrorKind) {
    assert_eq!(result.unwrap_err().kind(), kind);
}

/// Asserts that the call was refused with this problem; returns the message.
#[track_caller]
pub(crate) fn refused_as<T: Debug>(result: Result<T>, problem: Problem) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.problem(), problem);
    error.to_string()
}
