//! Fixtures of the cases: a pipeline of three nodes, runs with predictable ids and times, a driver
//! that appends.
//!
//! Backfills are in `backfill_fixtures`, a view of the whole storage is in `snapshot`.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub(crate) use super::backfill_fixtures::{all_backfills, backfill_id, new_backfill};
pub(crate) use super::event_fixtures::{all_events, events_of, matching_events};
pub(crate) use super::snapshot::snapshot;
use crate::error::{ErrorKind, Problem, Result};
use crate::model::{
    Level, Node, NodeId, NodeIndex, NodeRun, NodeStatus, OwnerId, PageRequest, Pipeline,
    PipelineId, Qualified, Run, RunId, RunStatus, Scope, Slug, StoredPipeline, TenantId, Trigger,
};
use crate::storage::{
    Append, AppendOutcome, Claim, ClaimedRun, CreateRuns, CreatedRuns, Entry, FiguresFilter,
    FinishedNode, HeldRun, IdempotencyKey, IdempotentOperation, NewRun, OutputChunk, OutputRef,
    Purge, PutPipeline, RunDetail, RunFilter, SlugChoice, Storage,
};

/// Returns the time this many seconds after 2024-01-15T06:00:00Z.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2024-01-15T06:00:00Z".parse().unwrap();
    start + TimeDelta::seconds(seconds)
}

/// Returns the id of run `n`. Ids grow with `n`.
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

/// Returns the id of a pipeline without a tenant.
pub(crate) fn without_tenant(id: &str) -> Qualified<PipelineId> {
    Qualified::new(pipeline_id(id), None)
}

/// Returns the id of a tenant's pipeline.
pub(crate) fn of_tenant(id: &str, tenant: &str) -> Qualified<PipelineId> {
    Qualified::new(pipeline_id(id), scope(tenant).tenant().cloned())
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

/// Returns a pipeline with the nodes `load` (index 0), `sum` (1) and `save` (2) in a chain.
pub(crate) fn definition(id: &str) -> Pipeline {
    let nodes = Pipeline::new(id).node("load", "load");
    let nodes = nodes.node("sum", "sum").after("load");
    nodes.with(Node::new("save", "save")).after("sum")
}

/// Returns a save of [`definition`] at second 0, with a slug that is derived from its id.
pub(crate) fn put(id: &str) -> PutPipeline {
    let choice = SlugChoice::Derived(slug(id));
    PutPipeline::new(pipeline_id(id), choice, Arc::new(definition(id)), at(0))
}

pub(crate) async fn save(storage: &dyn Storage, id: &str) -> StoredPipeline {
    storage.put_pipeline(put(id)).await.unwrap()
}

/// Saves [`definition`] as a tenant.
pub(crate) async fn save_for(storage: &dyn Storage, id: &str, tenant: &str) -> StoredPipeline {
    let mut put = put(id);
    put.scope = scope(tenant);
    storage.put_pipeline(put).await.unwrap()
}

/// Returns run `n` of a pipeline, created at second `n`.
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

/// Returns a creation of run `n` of `daily` with a key. `body` fills the hash of the body.
pub(crate) fn with_key(n: u64, key: &str, body: u8) -> CreateRuns {
    let operation = IdempotentOperation::Run(without_tenant("daily"));
    let mut create = CreateRuns::new(vec![NewRun::new(new_run(n, "daily"))]);
    create.idempotency = Some(IdempotencyKey::new(operation, key, [body; 32]));
    create
}

/// Creates run `n` of `daily`, pending.
pub(crate) async fn pending_run(storage: &dyn Storage, n: u64) -> RunId {
    save(storage, "daily").await;
    create(storage, new_run(n, "daily")).await.unwrap();
    run_id(n)
}

/// Returns a claim of up to 100 runs by owner `n` at a second. The lease is one minute.
pub(crate) fn claim(n: u64, seconds: i64) -> Claim {
    let mut claim = Claim::new(owner(n), 100, at(seconds));
    claim.runs_max = 1_000;
    claim
}

/// Claims runs and returns their ids in order.
pub(crate) async fn claimed_ids(storage: &dyn Storage, claim: Claim) -> Vec<RunId> {
    let claims = storage.claim(claim).await.unwrap();
    claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect()
}

/// Claims one run and asserts that it is this one.
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
    pub(crate) const fn new(claimed: &ClaimedRun) -> Self {
        Self {
            run: claimed.run.id,
            epoch: claimed.epoch,
            position: claimed.position,
        }
    }

    pub(crate) const fn held(&self) -> HeldRun {
        HeldRun::new(self.run, self.epoch)
    }

    /// Returns an append of these entries at the current position.
    pub(crate) fn next_append(&self, entries: impl Into<Vec<Entry>>) -> Append {
        Append::new(self.run, self.epoch, self.position, entries.into())
    }

    pub(crate) async fn append(
        &mut self,
        storage: &dyn Storage,
        entries: impl Into<Vec<Entry>>,
    ) -> AppendOutcome {
        let append = self.next_append(entries);
        let count = append.entries.len() as u64;
        let outcome = storage.append(append).await.unwrap();
        self.position += count;
        outcome
    }

    /// Writes the chunks of an output and returns the reference for the node's outcome.
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

    /// Executes a node with success and an output of one chunk.
    pub(crate) async fn succeed(
        &mut self,
        storage: &dyn Storage,
        node_index: NodeIndex,
        bytes: &'static [u8],
    ) {
        let output = self.put_chunks(storage, node_index, &[bytes]).await;
        let entries = [
            node_started(node_index, 1),
            node_succeeded(node_index, output),
        ];
        self.append(storage, entries).await;
    }
}

/// Creates run `n` of `daily`, claimed at second 10. No older run may be pending.
///
/// The owner is 1 for run 1, and one of its own for every other run: a second claim of the same
/// owner would have to name the first one.
pub(crate) async fn started_run(storage: &dyn Storage, n: u64) -> Driver {
    let run = pending_run(storage, n).await;
    let owner = if n == 1 { 1 } else { 1_000 + n };
    Driver::new(&claim_one(storage, claim(owner, 10), run).await)
}

/// Creates run `n` of `daily`, finished at second 1,000 + `n`.
pub(crate) async fn finished_run(storage: &dyn Storage, n: u64, status: RunStatus) -> RunId {
    let mut driver = started_run(storage, n).await;
    driver.append(storage, [run_finished(n, status)]).await;
    driver.run
}

/// Returns the outcome of run `n`, at second 1,000 + `n`.
pub(crate) fn run_finished(n: u64, status: RunStatus) -> Entry {
    let error = (status == RunStatus::Failed).then(|| "no disk".to_owned());
    let at = at(1_000 + i64::try_from(n).unwrap());
    Entry::RunFinished { status, error, at }
}

/// Returns run `n` as a resume of an old run.
pub(crate) fn resume(n: u64, old: RunId, first: RunId) -> Run {
    let mut run = new_run(n, "daily");
    run.trigger = Trigger::Resume;
    run.resumed_from = Some(old);
    run.first_run = first;
    run
}

pub(crate) fn node_started(node_index: NodeIndex, attempt: u32) -> Entry {
    Entry::NodeStarted {
        node_index,
        attempt,
        queue_ms: 5,
        at: at(20),
    }
}

pub(crate) fn node_retrying(node_index: NodeIndex, attempt: u32) -> Entry {
    Entry::NodeRetrying {
        node_index,
        attempt,
        error: "try later".to_owned(),
        delay_ms: 1_500,
        at: at(30),
    }
}

pub(crate) fn node_finished(node_index: NodeIndex, status: NodeStatus) -> Entry {
    let mut node = FinishedNode::new(node_index, status, at(40));
    node.attempt = Some(1);
    Entry::NodeFinished(Box::new(node))
}

pub(crate) fn node_succeeded(node_index: NodeIndex, output: OutputRef) -> Entry {
    let mut node = FinishedNode::new(node_index, NodeStatus::Success, at(40));
    node.attempt = Some(1);
    node.has_dataset = true;
    node.output = Some(output);
    Entry::NodeFinished(Box::new(node))
}

/// Returns the outcome of a node whose output travels with it.
pub(crate) fn node_succeeded_with(node_index: NodeIndex, bytes: &'static [u8]) -> Entry {
    with_bytes(node_succeeded(node_index, output_ref(&[bytes])), bytes)
}

/// Returns the outcome with these bytes of its output.
pub(crate) fn with_bytes(entry: Entry, bytes: &'static [u8]) -> Entry {
    let Entry::NodeFinished(mut node) = entry else {
        return entry;
    };
    node.output_bytes = Some(bytes.into());
    Entry::NodeFinished(node)
}

/// Returns the outcome of a node that is skipped because `from` executed it.
pub(crate) fn node_reused(node_index: NodeIndex, from: RunId) -> Entry {
    let mut node = FinishedNode::new(node_index, NodeStatus::Skipped, at(40));
    node.reused_from = Some(from);
    Entry::NodeFinished(Box::new(node))
}

pub(crate) fn log_line(node_index: Option<NodeIndex>, message: &str) -> Entry {
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

pub(crate) async fn read_run(storage: &dyn Storage, run: RunId) -> RunDetail {
    storage.find_run(run, &Scope::All).await.unwrap().unwrap()
}

/// Reads a node that has an entry.
pub(crate) async fn read_node(storage: &dyn Storage, run: RunId, node_index: NodeIndex) -> NodeRun {
    let mut nodes = read_run(storage, run).await.nodes.into_iter();
    nodes.find(|node| node.node_index == node_index).unwrap()
}

/// Reads the bytes of a node's stored output.
pub(crate) async fn read_output(
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

pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Returns a filter for the figures of 2024, the year of all cases.
pub(crate) fn figures_of_2024() -> FiguresFilter {
    FiguresFilter::new(date("2024-01-01"), date("2024-12-31"))
}

/// Purges every finished run and returns the number of them.
pub(crate) async fn purge_all(storage: &dyn Storage) -> u64 {
    let purge = Purge::new(at(1_000_000), 1_000);
    storage.purge(purge).await.unwrap().deleted
}

/// Returns the ids of the newest runs that a filter admits.
pub(crate) async fn list_run_ids(storage: &dyn Storage, filter: RunFilter) -> Vec<RunId> {
    let page = PageRequest::Newest { limit: 100 };
    let page = storage.list_runs(filter, page).await.unwrap();
    page.items.iter().map(|run| run.id).collect()
}

/// Asserts that the call was refused with this kind.
#[track_caller]
pub(crate) fn assert_kind<T: Debug>(result: Result<T>, kind: ErrorKind) {
    assert_eq!(result.unwrap_err().kind(), kind);
}

/// Asserts that the call was refused with this problem, and returns the message.
#[track_caller]
pub(crate) fn assert_problem<T: Debug>(result: Result<T>, problem: Problem) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.problem(), problem);
    error.to_string()
}
